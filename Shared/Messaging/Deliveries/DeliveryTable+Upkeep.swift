internal import Database

/// Counting what waits, and removing receipts.
extension DeliveryTable {
    /// Counts the next `limit` deliveries of a state that is not `processed`, by an index.
    ///
    /// - Returns: how many there are, and the last of them; nil where none is left.
    static func count(
        of state: DeliveryState,
        after id: Int64,
        limit: Int,
        in transaction: Transaction
    ) throws -> (count: Int, last: Int64?) {
        let row = try transaction.first(
            """
            SELECT COUNT(*), MAX(id) FROM (
                SELECT id FROM warren_deliveries WHERE status = $1 AND status <> 'processed' AND id > $2
                ORDER BY id LIMIT $3) AS counted
            """,
            state.rawValue,
            id,
            limit
        )
        guard let row else { return (0, nil) }
        return (try row[0], try row[1])
    }

    /// When the oldest scheduled delivery was received; nil without one.
    static func oldestScheduled(in transaction: Transaction) throws -> Int64? {
        try transaction.first("SELECT MIN(received_at) FROM warren_deliveries WHERE status = 'scheduled'")?[0]
    }

    /// Some rows in their order, and which of them are receipts that may go.
    struct Receipts: Sendable {
        /// The last row of all that were looked at; nil when there is none.
        var last: Int64?
        /// Receipts that are older than the cutoff.
        var old: [Int64] = []
        /// All of it came in after the cutoff: what follows did so, too.
        var isYoung = true
    }

    /// Looks at the next `limit` rows.
    static func receipts(
        after cursor: Int64,
        olderThan cutoff: Int64,
        now: Int64,
        limit: Int,
        in transaction: Transaction
    ) throws -> Receipts {
        var slice = Receipts()
        let rows = try transaction.query(
            """
            SELECT id, received_at, (CASE WHEN status = 'processed' AND updated_at < $1 THEN 1 ELSE 0 END)
            FROM warren_deliveries WHERE id > $2 ORDER BY id LIMIT $3
            """,
            cutoff,
            cursor,
            limit
        )
        for row in rows {
            let id: Int64 = try row[0]
            slice.last = id
            let receivedAt: Int64 = try row[1]
            // From the future: the clock was ahead then, and what follows may be older.
            if receivedAt < cutoff || receivedAt > now { slice.isYoung = false }
            if try row[2] { slice.old.append(id) }
        }
        return slice
    }

    /// Removes receipts between two rows that are older than the cutoff, with what belongs to them.
    ///
    /// - Returns: how many.
    static func removeReceipts(
        from first: Int64,
        through last: Int64,
        olderThan cutoff: Int64,
        in transaction: Transaction
    ) throws -> Int {
        let old = """
            FROM warren_deliveries
            WHERE id >= $1 AND id <= $2 AND status = 'processed' AND updated_at < $3
            """
        for table in ["warren_attempts", "warren_timeouts"] {
            try transaction.execute(
                "DELETE FROM \(table) WHERE delivery_id IN (SELECT id \(old))",
                first,
                last,
                cutoff
            )
        }
        return try transaction.execute("DELETE \(old)", first, last, cutoff)
    }
}
