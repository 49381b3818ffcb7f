internal import Database
internal import Events

/// The statements on `warren_deliveries` and `warren_attempts` for one subscriber.
struct DeliveryTable: Sendable {
    /// The pseudo-subscriber whose deliveries are events that the broker has not taken yet.
    static let forwarder = "(forwarder)"
    /// Attempts that are kept of one delivery.
    static let keptAttempts = 20

    let subscriber: String
    let ordering: Subscriber.Ordering
    let afterDeadLetter: Subscriber.AfterDeadLetter
    /// Which subjects need not be asked for.
    let waiting = WaitingSubjects()
    /// Which events need not be asked for.
    let seen = SeenEvents()

    /// A row whose next attempt is due.
    struct Due: Sendable {
        var id: Int64
        var subscriber: String
        var suspicion: Suspicion
        var life: DeliveryLife
        var receivedAt: Int64
        var source: String
        var type: String
        var subject: String
        /// Of the event, in bytes.
        var size = 0
        /// Whether the attempt that has begun is counted already.
        var isCharged = false
        /// The event; empty until the attempt has begun, so that what waits for its turn takes up no memory.
        var body: [UInt8] = []

        var subjectKey: SubjectKey { SubjectKey(source: source, subject: subject) }
    }

    /// A failed attempt, for the record.
    struct Attempt: Sendable {
        var startedAt: Int64
        var durationMilliseconds: Int64
        var error: HandlerError
    }

    // MARK: Arrivals

    /// Whether certainly no earlier delivery of the subject stands in the way; the database is not asked.
    func isClear(_ subject: SubjectKey) -> Bool {
        ordering == .none || waiting.isClear(subject)
    }

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
                    WHERE subscriber = $1 AND source = $2 AND subject = $4
                        AND status <> 'processed' AND status <> 'discarded' AND (status <> 'dead' OR $5 = 1))
            """,
            subscriber,
            record.key.source,
            record.key.eventID,
            record.subject,
            afterDeadLetter == .hold
        )
        guard let row else { return (false, false) }
        return (try row[0], try row[1] && ordering == .perSubject)
    }

    /// Whether an earlier delivery of the subject stands in the way.
    ///
    /// Called in transactions of the writer only.
    func isBlocked(_ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        guard !isClear(subject) else { return false }
        try waiting.refresh(for: subscriber, in: transaction)
        let row = try transaction.first(
            """
            SELECT 1 FROM warren_deliveries
            WHERE subscriber = $1 AND source = $2 AND subject = $3
                AND status <> 'processed' AND status <> 'discarded' AND (status <> 'dead' OR $4 = 1)
            LIMIT 1
            """,
            subscriber,
            subject.source,
            subject.subject,
            afterDeadLetter == .hold
        )
        return row != nil
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
        waiting.change()
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
            life.dueAt,
            record.receivedAt,
            now,
            error?.errorClass,
            error?.message,
            record.body,
            record.properties.json,
            life.deferredSince
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

    // MARK: Attempts from the table

    /// Turns a row into a receipt, if it still is what the attempt began with.
    func finish(_ due: Due, now: Int64, in transaction: Transaction) throws -> Bool {
        let changes = try transaction.execute(
            """
            UPDATE warren_deliveries
            SET status = 'processed', attempts = $3, running_since = NULL, due_at = NULL, body = NULL, properties = NULL,
                error_class = NULL, error_message = NULL, updated_at = $4
            WHERE id = $1 AND generation = $2 AND status = 'scheduled'
            """,
            due.id,
            due.life.generation,
            due.life.attempts,
            now
        )
        return changes == 1
    }

    /// Records the outcome of a failed attempt.
    ///
    /// One that it failed and did not end the process with speaks for it.
    func fail(
        _ due: Due,
        life: DeliveryLife,
        error: HandlerError,
        now: Int64,
        in transaction: Transaction
    ) throws -> Bool {
        let changes = try transaction.execute(
            """
            UPDATE warren_deliveries
            SET status = $3, attempts = $4, running_since = NULL, due_at = $5, error_class = $6, error_message = $7,
                updated_at = $8, deferred_since = $9,
                suspect = CASE WHEN $10 = 1 AND suspect > 0 THEN suspect - 1 ELSE suspect END
            WHERE id = $1 AND generation = $2 AND status = 'scheduled'
            """,
            due.id,
            due.life.generation,
            life.state.rawValue,
            life.attempts,
            life.dueAt,
            error.errorClass,
            error.message,
            now,
            life.deferredSince,
            life.state == .scheduled && life.attempts == due.life.attempts
        )
        guard changes == 1 else { return false }
        try DeadLetterGroupCounts.add(
            to: life.state,
            type: due.type,
            errorClass: error.errorClass,
            now: now,
            in: transaction
        )
        return true
    }

    /// Marks an attempt as begun, and reads the event.
    ///
    /// The attempt of a suspect that is alone is counted here, before it can end the process.
    func begin(_ due: inout Due, isAlone: Bool, now: Int64, in transaction: Transaction) throws -> Bool {
        due.life.attempts += 1
        due.isCharged = due.suspicion.isCharged(alone: isAlone)
        let row = try transaction.first(
            """
            UPDATE warren_deliveries
            SET running_since = $3, attempts = CASE WHEN $5 = 1 THEN $4 ELSE attempts END
            WHERE id = $1 AND generation = $2 AND status = 'scheduled' RETURNING body
            """,
            due.id,
            due.life.generation,
            now,
            due.life.attempts,
            due.isCharged
        )
        guard let row else { return false }
        due.body = try row[0]
        return true
    }

    /// Keeps a failed attempt, and the last 20 of them.
    func record(_ attempt: Attempt, number: Int, generation: Int, of id: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO warren_attempts
                (delivery_id, generation, attempt, started_at, duration_ms, host, error_class, message)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            id,
            generation,
            number,
            attempt.startedAt,
            attempt.durationMilliseconds,
            Host.name,
            attempt.error.errorClass,
            attempt.error.message
        )
        try transaction.execute(
            """
            DELETE FROM warren_attempts WHERE delivery_id = $1 AND id NOT IN (
                SELECT id FROM warren_attempts WHERE delivery_id = $1 ORDER BY id DESC LIMIT $2)
            """,
            id,
            DeliveryTable.keptAttempts
        )
    }

    /// Lets the next held delivery of a subject go, if nothing stands before it any more.
    /// - Returns: whether one was let go.
    func releaseNext(_ subject: SubjectKey, now: Int64, in transaction: Transaction) throws -> Bool {
        guard ordering == .perSubject else { return false }
        let changes = try transaction.execute(
            """
            UPDATE warren_deliveries SET status = 'scheduled', due_at = $5, updated_at = $5
            WHERE id = (
                SELECT id FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded' AND status = 'held'
                ORDER BY COALESCE(sequence, 0), COALESCE(place, id) LIMIT 1)
            AND NOT EXISTS (
                SELECT 1 FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded'
                    AND (status = 'scheduled' OR (status = 'dead' AND $4 = 1)))
            """,
            subscriber,
            subject.source,
            subject.subject,
            afterDeadLetter == .hold,
            now
        )
        return changes == 1
    }
}
