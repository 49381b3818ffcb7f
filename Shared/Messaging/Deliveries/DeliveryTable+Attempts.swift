internal import Database
internal import Events

/// Attempts at rows: which are due, and how one begins and ends.
extension DeliveryTable {
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
                updated_at = $8, deferred_since = $9
            WHERE id = $1 AND generation = $2 AND status = 'scheduled'
            """,
            due.id,
            due.life.generation,
            life.state.rawValue,
            life.attempts,
            life.dueAt.map(clock.steady),
            error.errorClass,
            error.message,
            now,
            life.deferredSince.map(clock.steady)
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
    /// A suspect's attempt is counted here, before it can end the process.
    func begin(_ due: inout Due, now: Int64, in transaction: Transaction) throws -> Bool {
        due.life.attempts += 1
        let row = try transaction.first(
            """
            UPDATE warren_deliveries
            SET running_since = $3, attempts = CASE WHEN suspect = 1 THEN $4 ELSE attempts END
            WHERE id = $1 AND generation = $2 AND status = 'scheduled' RETURNING body
            """,
            due.id,
            due.life.generation,
            now,
            due.life.attempts
        )
        guard let row else { return false }
        due.body = try row[0]
        return true
    }

    /// Reads the event of an attempt that counts as begun.
    ///
    /// - Returns: false when the row is no longer what it was.
    static func readBegun(_ due: inout Due, in transaction: Transaction) throws -> Bool {
        due.life.attempts += 1
        let row = try transaction.first(
            "SELECT body FROM warren_deliveries WHERE id = $1 AND generation = $2 AND status = 'scheduled'",
            due.id,
            due.life.generation
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
}
