internal import Database
internal import Events

/// What is due, of all subscribers.
extension DeliveryTable {
    /// The first rows that are due, without their events.
    static func due(at now: Int64, limit: Int, in transaction: Transaction) throws -> [Due] {
        try transaction.query(
            """
            SELECT id, subscriber, suspect, generation, attempts, received_at, source, type, subject, due_at,
                deferred_since
            FROM warren_deliveries WHERE status = 'scheduled' AND due_at <= $1 ORDER BY due_at, id LIMIT $2
            """,
            now,
            limit
        ).map { try Due($0) }
    }

    /// When the next row will be due that is not due yet.
    static func nextDue(after now: Int64, in transaction: Transaction) throws -> Int64? {
        try transaction.first(
            "SELECT MIN(due_at) FROM warren_deliveries WHERE status = 'scheduled' AND due_at > $1",
            now
        )?[0]
    }

    /// How many rows are due, counted up to `limit`.
    static func dueCount(at now: Int64, limit: Int, in transaction: Transaction) throws -> Int {
        try transaction.first(
            """
            SELECT COUNT(*) FROM (
                SELECT 1 FROM warren_deliveries WHERE status = 'scheduled' AND due_at <= $1 LIMIT $2) AS due
            """,
            now,
            limit
        )?[0] ?? 0
    }

    /// Attempts that were at work when the process ended: they are suspects now.
    ///
    /// One that was a suspect already has been counted before it ran.
    static func recover(tables: [String: DeliveryTable], now: Int64, in transaction: Transaction) throws {
        let rows = try transaction.query(
            """
            SELECT id, subscriber, generation, attempts, running_since FROM warren_deliveries
            WHERE status = 'scheduled' AND running_since IS NOT NULL AND suspect = 1
            """
        )
        for row in rows {
            let subscriber: String = try row["subscriber"]
            let startedAt: Int64 = try row["running_since"]
            let attempt = Attempt(
                startedAt: startedAt,
                durationMilliseconds: max(0, now - startedAt),
                error: .transient("process.ended", "the process ended during the attempt")
            )
            try tables[subscriber]?.record(
                attempt,
                number: try row["attempts"],
                generation: try row["generation"],
                of: try row["id"],
                in: transaction
            )
        }
        try transaction.execute(
            """
            UPDATE warren_deliveries SET suspect = 1, running_since = NULL
            WHERE status = 'scheduled' AND running_since IS NOT NULL
            """
        )
    }
}

extension DeliveryTable.Due {
    /// Reads a row of the query for due deliveries.
    fileprivate init(_ row: Row) throws {
        self.init(
            id: try row["id"],
            subscriber: try row["subscriber"],
            isSuspect: try row["suspect"],
            life: DeliveryLife(
                state: .scheduled,
                generation: try row["generation"],
                attempts: try row["attempts"],
                dueAt: try row["due_at"],
                deferredSince: try row["deferred_since"]
            ),
            receivedAt: try row["received_at"],
            source: try row["source"],
            type: try row["type"],
            subject: try row["subject"]
        )
    }
}
