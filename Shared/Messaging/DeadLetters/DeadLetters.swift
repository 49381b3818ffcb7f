internal import Database
internal import Events

/// The dead-letter table of one service.
///
/// Every deed and its audit entry are one transaction. Thread-safe.
public final class DeadLetters: Sendable {
    let database: Database
    let transitions: DeadLetterTransitions
    let onScheduled: Signal

    init(database: Database, tables: [DeliveryTable], onScheduled: Signal) {
        self.database = database
        transitions = DeadLetterTransitions(
            tables: Dictionary(uniqueKeysWithValues: tables.map { ($0.subscriber, $0) })
        )
        self.onScheduled = onScheduled
    }

    /// One delivery that is not processed, with its body, properties and attempts.
    ///
    /// - Throws: `DeadLetterError.notFound`; `DatabaseError`.
    public func show(_ id: Int64) async throws -> DeadLetter {
        try await database.read { [transitions] transaction in
            guard let letter = try DeliveryTable.wholeLetter(id, lead: transitions.clock.lead, in: transaction) else {
                throw DeadLetterError.notFound(id)
            }
            return letter
        }
    }

    /// Sends a dead letter back into the machine, under the same row, with a generation more: deduplication cannot
    /// swallow it.
    ///
    /// It is due at once, unless an earlier delivery of its subject waits: then it is held until that one is processed
    /// or discarded.
    ///
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, .retry, actor: actor, reason: reason)
    }

    /// Decides that a dead letter is not to be processed; later deliveries of its subject go on.
    ///
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, .discard, actor: actor, reason: reason)
    }

    /// Takes a discard back.
    ///
    /// What was edited stays discarded, since its successor stands for it.
    ///
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, .restore, actor: actor, reason: reason)
    }

    /// Who did what, newest first.
    ///
    /// - Throws: `DatabaseError`.
    public func audit(after: Int64?, limit: Int) async throws -> [AuditEntry] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM warren_audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
                after ?? Int64.max,
                max(1, min(500, limit))
            ).map { row in
                AuditEntry(
                    id: try row["id"],
                    at: try row["at"],
                    actor: try row["actor"],
                    action: try row["action"],
                    deliveryID: try row["delivery_id"],
                    operationID: try row["operation_id"],
                    reason: try row["reason"]
                )
            }
        }
    }

    private func change(
        _ id: Int64,
        _ action: DeadLetterAction,
        actor: String,
        reason: String
    ) async throws -> DeadLetter {
        let letter = try await database.write { [transitions] transaction in
            guard var letter = try DeliveryTable.letter(id, in: transaction) else { throw DeadLetterError.notFound(id) }
            let now = WallClock.milliseconds()
            var counts = DeadLetterGroupCounts.Changes()
            try transitions.perform(
                action,
                on: &letter,
                by: .init(actor: actor, reason: reason),
                now: now,
                counts: &counts,
                in: transaction
            )
            try counts.apply(now: now, in: transaction)
            return letter
        }
        onScheduled.raise()
        return letter
    }
}
