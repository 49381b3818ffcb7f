public import Database
internal import Events
internal import Telemetry

/// The service's own events, appended in the transactions that change its state.
///
/// State and events commit together or not at all; the forwarder is woken by the commit. Thread-safe.
public final class EventStore: Sendable {
    /// The event whose handler is at work in this task.
    @TaskLocal static var cause: Envelope?

    private let database: Database
    /// The source of its events.
    let source: String
    let limits: EventLimits
    let timeouts: TimeoutDesk?
    /// Whether somebody forwards what is appended.
    let isPublished: Bool
    /// Called after each commit that appended events.
    let onCommit: @Sendable ([StoredEvent]) -> Void
    /// Rings after each commit that appended events.
    let bell: CommitSignal
    /// The handlers within the process.
    let local: LocalDispatch

    init(
        database: Database,
        source: String,
        limits: EventLimits,
        timeouts: TimeoutDesk? = nil,
        isPublished: Bool = true,
        logger: Logger = .silent,
        onCommit: @escaping @Sendable ([StoredEvent]) -> Void
    ) {
        let bell = CommitSignal()
        self.database = database
        self.source = source
        self.limits = limits
        self.timeouts = timeouts
        self.isPublished = isPublished
        self.bell = bell
        self.onCommit = { events in
            onCommit(events)
            bell.ring()
        }
        self.local = LocalDispatch { error, type in
            logger.error(
                "a local handler failed after the commit; it is not repeated",
                [LogField("messaging.event.type", type.rawValue), LogField("error", error: error)]
            )
        }
    }

    /// Like `Database.write`, with `Transaction.append` available: returns after state and events are durable.
    ///
    /// In a handler, what is appended is caused by its event, as in `Delivery.commit`.
    ///
    /// - Throws: what `body` throws, after its effects are rolled back; `DatabaseError`.
    @discardableResult
    public func write<Result: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        let result = try await database.write { [cause = Self.cause] transaction in
            let result = try self.perform(in: transaction, causedBy: cause, body)
            CrashPoint.reach("store.in-transaction")
            return result
        }
        CrashPoint.reach("store.committed")
        return result
    }

    /// Runs `body` with `Transaction.append` available, then the local handlers of what it appended.
    func perform<Result>(
        in transaction: Transaction,
        causedBy cause: Envelope?,
        _ body: (Transaction) throws -> Result
    ) throws -> Result {
        enable(in: transaction, causedBy: cause)
        let result = try body(transaction)
        if local.isNeeded { try local.runBeforeCommit(in: transaction) }
        return result
    }

    /// Makes `Transaction.append` available in a transaction.
    private func enable(in transaction: Transaction, causedBy cause: Envelope?) {
        transaction.context = AppendContext(store: self, cause: cause, local: local.isNeeded ? local : nil)
    }
}
