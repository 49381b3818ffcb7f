internal import Database

/// What comes in: is it known, may it be handled, and its row.
extension DeliveryTable {
    /// Whether a delivery is already here, and whether an earlier one of its subject stands in the way.
    func standing(
        of record: DeliveryRecord,
        in transaction: Transaction
    ) throws -> (isHere: Bool, isBlocked: Bool) {
        let row = try transaction.first(
            """
            SELECT
                EXISTS (SELECT 1 FROM warren_deliveries WHERE subscriber = $1 AND source = $2 AND event_id = $3),
                EXISTS (
                    SELECT 1 FROM warren_deliveries
                    WHERE subscriber = $1 AND source = $2 AND subject = $4 AND \(obstacles))
            """,
            subscriber,
            record.key.source,
            record.key.eventID,
            record.subject
        )
        guard let row else { return (false, false) }
        return (try row[0], try row[1] && ordering == .perSubject && !record.subjectKey.isNone)
    }

    /// Writes the receipt of a delivery that is being processed for the first time.
    /// - Returns: false when it is already here.
    func insertReceipt(_ record: DeliveryRecord, now: Int64, in transaction: Transaction) throws -> Bool {
        try transaction.execute(
            """
            INSERT INTO warren_deliveries
                (subscriber, source, event_id, type, subject, sequence, status, attempts, received_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, 'processed', 1, $7, $8)
            ON CONFLICT (subscriber, source, event_id) DO NOTHING
            """,
            subscriber,
            record.key.source,
            record.key.eventID,
            record.type,
            record.subject,
            record.sequence.map { Int64($0) },
            record.receivedAt,
            now
        ) == 1
    }

    /// Writes a delivery that is not processed, with its bytes and properties.
    /// - Returns: its id, or nil when it is already here.
    func insert(
        _ record: DeliveryRecord,
        life: DeliveryLife,
        suspicion: Suspicion = Suspicion(level: 0),
        error: HandlerError? = nil,
        now: Int64,
        in transaction: Transaction
    ) throws -> Int64? {
        waiting.change(record.subjectKey)
        _ = seen.take(record.key)
        let row = try transaction.first(
            """
            INSERT INTO warren_deliveries
                (subscriber, source, event_id, type, subject, sequence, status, attempts, suspect, due_at,
                received_at, updated_at, error_class, error_message, body, properties, deferred_since)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            ON CONFLICT (subscriber, source, event_id) DO NOTHING
            RETURNING id
            """,
            subscriber,
            record.key.source,
            record.key.eventID,
            record.type,
            record.subject,
            record.sequence.map { Int64($0) },
            life.state.rawValue,
            life.attempts,
            suspicion.level,
            life.dueAt.map(clock.steady),
            record.receivedAt,
            now,
            error?.errorClass,
            error?.message,
            record.body,
            record.properties.json,
            life.deferredSince.map(clock.steady)
        )
        guard let row else { return nil }
        try DeadLetterGroupCounts.add(
            to: life.state,
            type: record.type,
            errorClass: error?.errorClass,
            now: now,
            in: transaction
        )
        return try row[0]
    }

    /// The highest event id of a source, by bytes; empty without one.
    static func highestEventID(
        of subscriber: String,
        source: String,
        in transaction: Transaction
    ) throws -> String {
        try transaction.first(
            "SELECT COALESCE(MAX(event_id), '') FROM warren_deliveries WHERE subscriber = $1 AND source = $2",
            subscriber,
            source
        )?[0] ?? ""
    }

    /// The rows of unreadable messages that look the same, from the latest on.
    func unreadable(
        _ alike: String,
        since: Int64,
        limit: Int,
        in transaction: Transaction
    ) throws -> [Int64] {
        try transaction.query(
            """
            SELECT id FROM warren_deliveries
            WHERE subscriber = $1 AND source = '' AND event_id > $2 AND event_id < $3 AND received_at >= $4
            ORDER BY event_id DESC LIMIT $5
            """,
            subscriber,
            alike,
            alike + "~",
            since,
            limit
        ).map { try $0[0] }
    }
}
