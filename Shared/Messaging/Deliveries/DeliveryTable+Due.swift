internal import Database
internal import Events

/// What is due, of all subscribers.
extension DeliveryTable {
    /// The first rows that are due, without their events.
    ///
    /// - Parameters:
    ///   - now: by the steady clock.
    ///   - lead: how far the wall clock is ahead.
    static func due(at now: Int64, lead: Int64, limit: Int, in transaction: Transaction) throws -> [Due] {
        try transaction.query(
            """
            SELECT id, subscriber, suspect, generation, attempts, received_at, source, type, subject, due_at,
                deferred_since, running_since
            FROM warren_deliveries WHERE status = 'scheduled' AND due_at <= $1 ORDER BY due_at, id LIMIT $2
            """,
            now,
            limit
        ).map { try Due($0, lead: lead) }
    }

    /// When the next row will be due that is not due yet, by the steady clock.
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
    /// One that was a suspect already has been counted before it ran. What was at work is found by an index, whatever
    /// else waits, and goes in slices.
    ///
    /// - Returns: whether there may be more.
    static func recover(
        tables: [String: DeliveryTable],
        limit: Int,
        now: Int64,
        in transaction: Transaction
    ) throws -> Bool {
        let rows = try transaction.query(
            """
            SELECT id, subscriber, generation, attempts, suspect, running_since FROM warren_deliveries
            WHERE running_since IS NOT NULL ORDER BY id LIMIT $1
            """,
            limit
        )
        for row in rows where try row["suspect"] {
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
        guard let last = rows.last else { return false }
        let lastID: Int64 = try last["id"]
        try transaction.execute(
            """
            UPDATE warren_deliveries SET suspect = 1, running_since = NULL
            WHERE running_since IS NOT NULL AND id <= $1
            """,
            lastID
        )
        return rows.count == limit
    }
}

extension DeliveryTable.Due {
    /// Reads a row of the query for due deliveries.
    fileprivate init(_ row: Row, lead: Int64) throws {
        self.init(
            id: try row["id"],
            subscriber: try row["subscriber"],
            isSuspect: try row["suspect"],
            isBegun: (try row["running_since"] as Int64?) != nil,
            life: DeliveryLife(
                state: .scheduled,
                generation: try row["generation"],
                attempts: try row["attempts"],
                dueAt: (try row["due_at"] as Int64?).map { $0 + lead },
                deferredSince: (try row["deferred_since"] as Int64?).map { $0 + lead }
            ),
            receivedAt: try row["received_at"],
            source: try row["source"],
            type: try row["type"],
            subject: try row["subject"],
            lead: lead
        )
    }
}
