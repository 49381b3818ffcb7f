internal import Database

/// Timeouts: rows that come from the service itself, each under a key.
extension DeliveryTable {
    /// Writes a timeout.
    ///
    /// - Parameter due: when, in milliseconds since 1970.
    func insertTimeout(
        _ record: DeliveryRecord,
        key: String,
        due: Int64,
        now: Int64,
        in transaction: Transaction
    ) throws {
        let row = try transaction.first(
            """
            INSERT INTO warren_deliveries
                (subscriber, source, event_id, type, subject, status, due_at, received_at, updated_at, body, properties)
            VALUES ($1, $2, $3, $4, $5, 'scheduled', $6, $7, $8, $9, '{}')
            RETURNING id
            """,
            subscriber,
            record.key.source,
            record.key.eventID,
            record.type,
            record.subject,
            clock.steady(due),
            record.receivedAt,
            now,
            record.body
        )
        guard let row else { throw DatabaseError(code: .misuse, reason: "the timeout's row was not written") }
        let id: Int64 = try row[0]
        try transaction.execute("INSERT INTO warren_timeouts (key, delivery_id) VALUES ($1, $2)", key, id)
    }

    /// Takes a timeout back.
    ///
    /// - Returns: whether it was still waiting.
    func removeTimeout(key: String, in transaction: Transaction) throws -> Bool {
        let row = try transaction.first("DELETE FROM warren_timeouts WHERE key = $1 RETURNING delivery_id", key)
        guard let row else { return false }
        let id: Int64 = try row[0]
        let isWaiting = try transaction.first(
            "SELECT 1 FROM warren_deliveries WHERE id = $1 AND subscriber = $2 AND status = 'scheduled'",
            id,
            subscriber
        )
        guard isWaiting != nil else { return false }
        try transaction.execute("DELETE FROM warren_attempts WHERE delivery_id = $1", id)
        try transaction.execute("DELETE FROM warren_deliveries WHERE id = $1", id)
        return true
    }
}
