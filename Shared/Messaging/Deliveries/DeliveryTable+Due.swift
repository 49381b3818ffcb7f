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
            SELECT \(Due.columns)
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

    /// Whether a row is at work or due.
    static func isBusy(at now: Int64, in transaction: Transaction) throws -> Bool {
        try transaction.first(
            """
            SELECT 1 FROM warren_deliveries
            WHERE status = 'scheduled' AND (due_at <= $1 OR running_since IS NOT NULL) LIMIT 1
            """,
            now
        ) != nil
    }

    /// Lets what is scheduled wait so much less, in milliseconds, and have been put off as much longer: for tests.
    static func bringForward(by time: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE warren_deliveries SET due_at = due_at - $1, deferred_since = deferred_since - $1
            WHERE status = 'scheduled'
            """,
            time
        )
    }
}

extension DeliveryTable.Due {
    /// What is read of a row, its event aside.
    static let columns = """
        id, subscriber, suspect, generation, attempts, received_at, source, type, subject, due_at, deferred_since,
        running_since, LENGTH(body) AS size
        """

    /// Reads a row of `columns`.
    ///
    /// - Parameter lead: how far the wall clock is ahead of the steady one.
    init(_ row: Row, lead: Int64) throws {
        self.init(
            id: try row["id"],
            subscriber: try row["subscriber"],
            suspicion: Suspicion(level: try row["suspect"]),
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
            lead: lead,
            size: try row["size"] ?? 0
        )
    }
}
