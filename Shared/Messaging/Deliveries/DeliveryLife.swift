/// The state of a delivery.
public enum DeliveryState: String, Sendable, Codable, CaseIterable {
    /// Its effect is committed.
    case processed
    /// It waits for its next attempt.
    case scheduled
    /// It waits for an earlier delivery of its subject.
    case held
    /// No attempt is left, or none would help; an operator decides.
    case dead
    /// An operator decided that it is not to be processed.
    case discarded
}

/// The life of one delivery: one row, one status.
///
/// A pure value; clock and randomness are passed in.
///
///                        handler committed
///       (arrives) ───────────────────────────────────────────────▶ processed
///           │  failed                                      ▲
///           ├──────────▶ scheduled (attempt n, due at) ────┤
///           │                │ permanent error, or n = limit
///           │                ▼                             │ retry: generation + 1
///           │              dead ───────────────────────────┘
///           │                │ discard, with reason          discarded ──▶ restore ──▶ dead
///           └──────────▶ held: an earlier delivery of this subject is scheduled, held or dead
struct DeliveryLife: Sendable, Equatable {
    /// An operator's deed that does not lead on from the present state.
    struct WrongState: Error, Equatable {
        var state: DeliveryState
    }

    /// Where it stands.
    var state: DeliveryState
    /// How often an operator has sent it back to the start.
    var generation = 0
    /// Attempts in this generation that are counted, the one at work included.
    var attempts = 0
    /// When the next attempt is due, in milliseconds since 1970; only while scheduled.
    var dueAt: Int64?
    /// When it was first put off in this generation, in milliseconds since 1970; nil if it never was.
    var deferredSince: Int64?

    /// A failed attempt: it is tried again after a growing pause, or dead.
    ///
    /// `attempts` already counts it. What is put off costs no attempt, but it is not put off for ever: the attempt at
    /// `deferralLimit` after the first deferral is the last that may ask for more time.
    ///
    /// - Parameter deferralLimit: nil where waiting has no end, as for a broker that is away.
    /// - Returns: the error to be recorded.
    mutating func fail(
        _ error: HandlerError,
        policy: RetryPolicy,
        deferralLimit: Duration?,
        now: Int64,
        random: Double
    ) -> HandlerError {
        switch error.kind {
        case .permanent:
            state = .dead
            dueAt = nil
        case .deferred(let until):
            let since = deferredSince ?? now
            let deadline = deferralLimit.map { since + Int64($0 / .milliseconds(1)) } ?? Int64.max
            guard now < deadline else {
                state = .dead
                dueAt = nil
                return HandlerError(endOf: error, after: now - since)
            }
            attempts = max(0, attempts - 1)
            state = .scheduled
            dueAt = min(max(now, until), deadline)
            deferredSince = since
        case .transient:
            if let pause = policy.pause(afterAttempt: attempts, random: random) {
                state = .scheduled
                dueAt = now + Int64(pause / .milliseconds(1))
            } else {
                state = .dead
                dueAt = nil
            }
        }
        return error
    }

    /// An operator sends a dead delivery back into the machine, under the same row.
    mutating func retry(now: Int64) throws(WrongState) {
        guard state == .dead else { throw WrongState(state: state) }
        state = .scheduled
        generation += 1
        attempts = 0
        dueAt = now
        deferredSince = nil
    }

    /// What would be due has to wait for an earlier delivery of its subject.
    mutating func hold() {
        guard state == .scheduled else { return }
        state = .held
        dueAt = nil
    }

    /// An operator decides that a dead delivery is not to be processed.
    mutating func discard() throws(WrongState) {
        guard state == .dead else { throw WrongState(state: state) }
        state = .discarded
    }

    /// An operator takes a discard back.
    mutating func restore() throws(WrongState) {
        guard state == .discarded else { throw WrongState(state: state) }
        state = .dead
    }
}
