public import Database
public import Events
import Synchronization

/// What a handler has beside its typed event: the envelope, the attempt, and the transaction that ends it.
public final class Delivery: Sendable {
    /// How a commit ended.
    enum Outcome: Sendable, Equatable {
        /// The handler's effect and the receipt are durable.
        case processed
        /// The receipt was there already; nothing was done.
        case duplicate
        /// An earlier delivery of the subject failed in the meantime; nothing was done.
        case blocked
    }

    /// Thrown to a handler whose delivery has to wait after all; the inbox holds the delivery.
    struct Blocked: Error {}

    /// The event's envelope as it came in.
    public let envelope: Envelope
    /// 1 for the first attempt of this generation.
    public let attempt: Int

    /// When the attempt began, by the `AttemptClock`.
    let tick: Int

    private let database: Database
    private let events: EventStore
    private let deliveryAttempt: any DeliveryAttempt
    private let state = Mutex<State>(.open)

    private enum State {
        case open
        case committing
        case commitFailed
        case ended(Outcome)
        /// It has been taken from the handler.
        case givenUp
    }

    /// How an attempt stands that is to be taken from its handler.
    enum Standing {
        /// Its commit is under way: what decides is the database.
        case goesOn
        /// Its commit was refused or has not been; now it never will be.
        case isOpen
        /// The receipt is durable; the handler has something else to do.
        case isSettled
    }

    init(
        envelope: Envelope,
        attempt: Int,
        tick: Int,
        database: Database,
        events: EventStore,
        as deliveryAttempt: any DeliveryAttempt
    ) {
        self.envelope = envelope
        self.attempt = attempt
        self.tick = tick
        self.database = database
        self.events = events
        self.deliveryAttempt = deliveryAttempt
    }

    /// Whether it is a timeout of the service's own.
    var isTimeout: Bool { envelope.source == TimeoutDesk.source(of: events.source) }

    /// Runs `body` in one transaction with the receipt of this delivery and the events that it appends, which are
    /// caused by it; returns after the commit is durable.
    ///
    /// The message is acknowledged after that.
    ///
    /// When the delivery turns out to be a duplicate, `body` is not run and nothing is thrown. At most once per attempt;
    /// after a throw the attempt has failed. After the attempt's deadline (`MessagingConfiguration.attemptTimeout`) it
    /// always throws and `body` is not run: the attempt counts as failed, and another one may be at work.
    ///
    /// - Throws: what `body` throws, after its effects are rolled back; `DatabaseError`; `HandlerError` of the class
    ///   `handler.timed-out`.
    public func commit(_ body: @escaping @Sendable (Transaction) throws -> Void) async throws {
        let before = state.withLock { state in
            let before = state
            if case .open = state { state = .committing }
            return before
        }
        switch before {
        case .open: break
        case .givenUp:
            throw HandlerError.transient("handler.timed-out", "the attempt was over before its commit")
        case .committing, .commitFailed, .ended:
            throw DatabaseError(code: .misuse, reason: "commit may be called once per attempt; put all effects into it")
        }
        let outcome: Outcome
        do {
            outcome = try await database.write { [envelope, events, deliveryAttempt] transaction -> Outcome in
                let outcome = try deliveryAttempt.takeReceipt(in: transaction)
                if outcome == .processed {
                    try events.perform(in: transaction, causedBy: envelope, body)
                }
                CrashPoint.reach("delivery.in-transaction")
                return outcome
            }
        } catch {
            state.withLock { $0 = .commitFailed }
            throw error
        }
        CrashPoint.reach("delivery.committed")
        state.withLock { $0 = .ended(outcome) }
        if outcome == .blocked { throw Blocked() }
    }

    /// Whether the receipt is durable.
    var isSettled: Bool {
        state.withLock { state in
            if case .ended(let outcome) = state { outcome != .blocked } else { false }
        }
    }

    /// Whether the attempt has been taken from the handler.
    var isGivenUp: Bool {
        state.withLock { state in
            if case .givenUp = state { true } else { false }
        }
    }

    /// Takes the attempt from its handler, unless it commits at this moment: from then on no commit of its goes through.
    func giveUp() -> Standing {
        state.withLock { state in
            switch state {
            case .committing, .givenUp: return .goesOn
            case .ended(.processed), .ended(.duplicate): return .isSettled
            case .open, .commitFailed, .ended(.blocked):
                state = .givenUp
                return .isOpen
            }
        }
    }

    /// Writes down that the attempt has been taken from its handler.
    func timedOut() async {
        await deliveryAttempt.timedOut()
    }

    /// Commits the receipt alone, unless the handler has committed.
    func end() async throws -> Outcome {
        switch state.withLock({ $0 }) {
        case .ended(let outcome):
            return outcome
        case .givenUp:
            throw HandlerError.transient("handler.timed-out", "the attempt was over before its handler")
        case .committing, .commitFailed:
            throw HandlerError.permanent(
                "handler.commit-ignored",
                "the handler returned although its commit had failed; let the error pass"
            )
        case .open:
            try await commit { _ in }
            return try await end()
        }
    }
}
