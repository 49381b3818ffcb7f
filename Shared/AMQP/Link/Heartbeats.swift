/// When a heartbeat is due, and when the peer has been silent for too long.
///
/// A heartbeat goes out after half the agreed pause without sending; a peer that sends nothing for two pauses is gone (AMQP
/// 0-9-1, section 4.2.7).
struct Heartbeats {
    enum Due {
        case nothing
        case send
        case dead
    }

    /// The agreed pause in seconds; 0 for none.
    let seconds: Int
    private var lastSent: ContinuousClock.Instant
    private var lastReceived: ContinuousClock.Instant

    init(seconds: Int, at now: ContinuousClock.Instant = .now) {
        self.seconds = seconds
        lastSent = now
        lastReceived = now
    }

    /// How long nothing needs to be looked at.
    var pause: Duration { seconds > 0 ? .milliseconds(seconds * 250) : .seconds(3_600) }

    mutating func sent(at now: ContinuousClock.Instant = .now) { lastSent = now }

    mutating func received(at now: ContinuousClock.Instant = .now) { lastReceived = now }

    func due(at now: ContinuousClock.Instant = .now) -> Due {
        guard seconds > 0 else { return .nothing }
        if lastReceived.duration(to: now) > .seconds(seconds * 2) { return .dead }
        return lastSent.duration(to: now) >= .milliseconds(seconds * 500) ? .send : .nothing
    }
}
