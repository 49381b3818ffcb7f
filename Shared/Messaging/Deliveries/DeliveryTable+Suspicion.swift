internal import Database

/// What is written about deliveries that were at work when a process ended.
extension DeliveryTable {
    /// Attempts that were at work when the process ended: they are suspected more now.
    ///
    /// Those that were alone, as far as the row says, have been counted before they began; they are kept as attempts. What was
    /// at work is found by an index, whatever else waits, and goes in slices.
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
            SELECT id, subscriber, generation, attempts, running_since, suspect FROM warren_deliveries
            WHERE running_since IS NOT NULL ORDER BY id LIMIT $1
            """,
            limit
        )
        for row in rows where Suspicion(level: try row["suspect"]).company == .nobody {
            let startedAt: Int64 = try row["running_since"]
            let subscriber: String = try row["subscriber"]
            let attempt = DeliveryTable.Attempt(
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
            UPDATE warren_deliveries
            SET suspect = CASE WHEN suspect < $1 THEN suspect + 1 ELSE suspect END, running_since = NULL
            WHERE running_since IS NOT NULL AND id <= $2
            """,
            Suspicion.highest,
            lastID
        )
        return rows.count == limit
    }

    /// Takes back that an attempt was counted before it began: it is not alone any more.
    static func uncharge(_ due: Due, begunAt startedAt: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE warren_deliveries SET attempts = $4
            WHERE id = $1 AND generation = $2 AND status = 'scheduled' AND running_since = $3
            """,
            due.id,
            due.life.generation,
            startedAt,
            due.life.attempts - 1
        )
    }

    /// Takes back that an attempt has begun: the process ends, and it is not the delivery that ends it.
    static func pardon(_ due: Due, in transaction: Transaction) throws {
        try transaction.execute(
            """
            UPDATE warren_deliveries SET running_since = NULL, attempts = $3
            WHERE id = $1 AND generation = $2 AND status = 'scheduled' AND running_since IS NOT NULL
            """,
            due.id,
            due.life.generation,
            due.life.attempts
        )
    }
}
