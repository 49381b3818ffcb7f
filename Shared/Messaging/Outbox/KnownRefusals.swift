internal import AMQP

/// What the broker has closed the channel over, so that its like is refused without another closing.
///
/// A closing interrupts all that is in flight; a type that is forbidden, published ten times a second, would let nothing else get through.
/// So what was learned holds for a while, and then one publish tries whether it still does.
struct KnownRefusals {
    private struct Refusal {
        var error: AMQPError
        var at: ContinuousClock.Instant
    }

    private var forbidden: [String: Refusal] = [:]
    private var tooLarge: (size: Int, refusal: Refusal)?

    /// Whether anything is known.
    var isEmpty: Bool { forbidden.isEmpty && tooLarge == nil }

    /// The broker closed the channel over that publish, alone on it.
    mutating func learn(_ publication: Publication, _ error: AMQPError, at now: ContinuousClock.Instant) {
        let refusal = Refusal(error: error, at: now)
        switch error.channelClose {
        case 403:
            forbidden[publication.routingKey] = refusal
        case 406 where error.namesSize(of: publication):
            let size = publication.message.body.count
            if size <= tooLarge?.size ?? .max { tooLarge = (size, refusal) }
        default: break
        }
    }

    /// The broker took that publish: what speaks against its like no longer holds.
    mutating func forget(_ publication: Publication) {
        forbidden[publication.routingKey] = nil
        if let size = tooLarge?.size, publication.message.body.count >= size { tooLarge = nil }
    }

    /// What was learned so long ago speaks for nothing any more.
    mutating func forgetOld(at now: ContinuousClock.Instant, patience: Duration) {
        guard !isEmpty else { return }
        forbidden = forbidden.filter { $0.value.at.duration(to: now) < patience }
        if let at = tooLarge?.refusal.at, at.duration(to: now) >= patience { tooLarge = nil }
    }

    /// Why a publish need not be tried.
    ///
    /// - Parameter patience: how long what was learned holds.
    func refusal(
        of publication: Publication,
        at now: ContinuousClock.Instant,
        patience: Duration
    ) -> AMQPError? {
        var found = forbidden[publication.routingKey]
        if let tooLarge, publication.message.body.count >= tooLarge.size { found = tooLarge.refusal }
        guard let found, found.at.duration(to: now) < patience else { return nil }
        return found.error
    }
}

extension AMQPError {
    /// Whether this is the end of a channel over one of the publishes on it, and a new connection does not mend it.
    ///
    /// An exchange that is gone (404) is declared again with the next connection.
    func isOverOne(of publication: Publication) -> Bool {
        switch channelClose {
        case nil, 404: false
        default: !isOverAll
        }
    }

    /// Whether this is the end of a channel over its user, and so over every publish: it is no fault of any one event, and they wait,
    /// as they do for a broker that is away.
    ///
    /// The user has no right to the exchange at all (403 without a topic), or the broker calls it by another name than the one that it
    /// logged in with, which the messages name (406).
    var isOverAll: Bool {
        switch channelClose {
        case 403: reason.contains("access to exchange ")
        case 406: reason.contains("user_id property set to ")
        default: false
        }
    }

    /// Whether the words of the closing speak of that publish.
    func speaks(of publication: Publication) -> Bool {
        channelClose == 403 ? reason.contains("'\(publication.routingKey)'") : namesSize(of: publication)
    }

    /// Whether the words of the closing name the size of that publish's body.
    func namesSize(of publication: Publication) -> Bool {
        reason.contains(" size \(publication.message.body.count) ")
    }
}
