internal import Database
internal import Events

/// What an operator sees of one row, and does to it.
extension DeliveryTable {
    private static let columns = """
        id, subscriber, source, event_id, type, subject, status, generation, attempts, due_at, received_at, updated_at,
        COALESCE(error_class, '') AS error_class, COALESCE(error_message, '') AS error_message
        """

    /// A delivery that is not processed, as a listing shows it.
    ///
    /// - Parameter lead: how far the wall clock is ahead, by which an operator is told when it is due.
    static func letter(_ id: Int64, lead: Int64 = 0, in transaction: Transaction) throws -> DeadLetter? {
        try transaction.first(
            "SELECT \(columns) FROM warren_deliveries WHERE id = $1 AND status <> 'processed'",
            id
        ).map { try DeadLetter($0, lead: lead) }
    }

    /// A delivery that is not processed, with its body, properties and attempts.
    static func wholeLetter(_ id: Int64, lead: Int64, in transaction: Transaction) throws -> DeadLetter? {
        let row = try transaction.first(
            "SELECT \(columns), body, properties FROM warren_deliveries WHERE id = $1 AND status <> 'processed'",
            id
        )
        guard let row else { return nil }
        var letter = try DeadLetter(row, lead: lead)
        letter.body = try row["body"] ?? []
        letter.properties = try row["properties"] ?? "{}"
        letter.attempts = try transaction.query(
            "SELECT * FROM warren_attempts WHERE delivery_id = $1 ORDER BY id DESC LIMIT \(keptAttempts)",
            id
        ).map { row in
            DeadLetter.Attempt(
                generation: try row["generation"],
                attempt: try row["attempt"],
                startedAt: try row["started_at"],
                durationMilliseconds: try row["duration_ms"],
                host: try row["host"],
                errorClass: try row["error_class"],
                message: try row["message"]
            )
        }
        return letter
    }

    /// The last row that there is; 0 without one.
    static func lastID(in transaction: Transaction) throws -> Int64 {
        try transaction.first("SELECT COALESCE(MAX(id), 0) FROM warren_deliveries")?[0] ?? 0
    }

    /// Writes down what an operator has decided on a row.
    ///
    /// - Parameter lead: how far the wall clock is ahead.
    static func move(
        _ id: Int64,
        to life: DeliveryLife,
        lead: Int64,
        now: Int64,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            UPDATE warren_deliveries
            SET status = $2, generation = $3, attempts = $4, due_at = $5, updated_at = $6, running_since = NULL,
                deferred_since = NULL
            WHERE id = $1
            """,
            id,
            life.state.rawValue,
            life.generation,
            life.attempts,
            life.dueAt.map { $0 - lead },
            now
        )
    }

    /// Where a delivery stands in the order of its subject.
    struct Place {
        var sequence: Int64?
        /// Among those of one sequence; the row's id unless it has taken another one's place.
        var place: Int64
    }

    /// Discards a dead letter that a corrected event takes the place of.
    ///
    /// - Parameter error: what the row says from now on.
    /// - Returns: its place, which its successor takes; nil where it is not a dead letter of this generation any more.
    static func discardEdited(
        _ id: Int64,
        generation: Int,
        error: HandlerError,
        now: Int64,
        in transaction: Transaction
    ) throws -> Place? {
        try transaction.first(
            """
            UPDATE warren_deliveries SET status = 'discarded', due_at = NULL, updated_at = $3, error_class = $4,
                error_message = $5
            WHERE id = $1 AND generation = $2 AND status = 'dead' RETURNING sequence, COALESCE(place, id)
            """,
            id,
            generation,
            now,
            error.errorClass,
            error.message
        ).map { Place(sequence: try $0[0], place: try $0[1]) }
    }

    /// Writes what takes a dead letter's place; it is due at once.
    ///
    /// - Returns: its row.
    static func insertEdited(
        _ record: DeliveryRecord,
        subscriber: String,
        at place: Place,
        lead: Int64,
        now: Int64,
        in transaction: Transaction
    ) throws -> Int64 {
        let row = try transaction.first(
            """
            INSERT INTO warren_deliveries
                (subscriber, source, event_id, type, subject, sequence, status, due_at, received_at, updated_at, body,
                properties, place)
            VALUES ($1, $2, $3, $4, $5, $6, 'scheduled', $10, $7, $7, $8, $9, $11)
            RETURNING id
            """,
            subscriber,
            record.key.source,
            record.key.eventID,
            record.type,
            record.subject,
            place.sequence,
            now,
            record.body,
            record.properties.json,
            now - lead,
            place.place
        )
        guard let row else { throw DatabaseError(code: .misuse, reason: "the corrected event was not written") }
        return try row[0]
    }
}

extension DeadLetter {
    /// Reads a row of the listing's columns.
    fileprivate init(_ row: Row, lead: Int64) throws {
        let status: String = try row["status"]
        self.init(
            id: try row["id"],
            subscriber: try row["subscriber"],
            source: try row["source"],
            eventID: try row["event_id"],
            type: try row["type"],
            subject: try row["subject"],
            state: DeliveryState(rawValue: status) ?? .dead,
            generation: try row["generation"],
            attemptCount: try row["attempts"],
            dueAt: (try row["due_at"] as Int64?).map { $0.addingReportingOverflow(lead).partialValue },
            receivedAt: try row["received_at"],
            updatedAt: try row["updated_at"],
            errorClass: try row["error_class"],
            errorMessage: try row["error_message"]
        )
    }
}
