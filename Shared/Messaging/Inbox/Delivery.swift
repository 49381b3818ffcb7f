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

    private let database: Database
    private let events: EventStore
    private let takeReceipt: @Sendable (Transaction) throws -> Outcome
    private let state = Mutex<State>(.open)

    private enum State {
        case open
        case committing
        case ended(Outcome)
    }

    init(
        envelope: Envelope,
        attempt: Int,
        database: Database,
        events: EventStore,
        takeReceipt: @escaping @Sendable (Transaction) throws -> Outcome
    ) {
        self.envelope = envelope
        self.attempt = attempt
        self.database = database
        self.events = events
        self.takeReceipt = takeReceipt
    }

    /// Runs `body` in one transaction with the receipt of this delivery and the events that it appends, which are
    /// caused by it; returns after the commit is durable.
    ///
    /// The message is acknowledged after that.
    ///
    /// When the delivery turns out to be a duplicate, `body` is not run and nothing is thrown. At most once per attempt;
    /// after a throw the attempt has failed.
    ///
    /// - Throws: what `body` throws, after its effects are rolled back; `DatabaseError`.
    public func commit(_ body: @escaping @Sendable (Transaction) throws -> Void) async throws {
        let isFirst = state.withLock { state in
            guard case .open = state else { return false }
            state = .committing
            return true
        }
        guard isFirst else {
            throw DatabaseError(code: .misuse, reason: "commit may be called once per attempt; put all effects into it")
        }
        let outcome = try await database.write { [envelope, events, takeReceipt] transaction -> Outcome in
            let outcome = try takeReceipt(transaction)
            if outcome == .processed {
                try events.perform(in: transaction, causedBy: envelope, body)
            }
            CrashPoint.reach("delivery.in-transaction")
            return outcome
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

    /// Commits the receipt alone, unless the handler has committed.
    func end() async throws -> Outcome {
        switch state.withLock({ $0 }) {
        case .ended(let outcome):
            return outcome
        case .committing:
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
