internal import Database
internal import Events

/// What earlier starts have left, with other settings.
extension DeliveryTable {
    /// All names under which there are deliveries.
    static func subscribers(in transaction: Transaction) throws -> [String] {
        var names: [String] = []
        while let row = try transaction.first(
            "SELECT MIN(subscriber) FROM warren_deliveries WHERE subscriber > $1",
            names.last ?? ""
        ), let name: String = try row[0] {
            names.append(name)
        }
        return names
    }

    /// Takes over up to `limit` deliveries of a former name.
    ///
    /// - Returns: how many it went through; fewer than `limit` when none is left.
    func takeOver(from former: String, limit: Int, now: Int64, in transaction: Transaction) throws -> Int {
        let rows = try transaction.query(
            """
            SELECT id, source, event_id, type, subject, status, COALESCE(error_class, '') AS error_class
            FROM warren_deliveries WHERE subscriber = $1 ORDER BY source, event_id LIMIT $2
            """,
            former,
            limit
        )
        for row in rows {
            let id: Int64 = try row["id"]
            let status: String = try row["status"]
            let twin = try transaction.first(
                """
                SELECT id, status, type, COALESCE(error_class, '') AS error_class FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND event_id = $3
                """,
                subscriber,
                try row["source"] as String,
                try row["event_id"] as String
            )
            if let twin {
                // Its effect is there: the one that has come again has none to have.
                if status == DeliveryState.processed.rawValue { try settle(twin, now: now, in: transaction) }
                try remove(row, in: transaction)
            } else {
                try transaction.execute("UPDATE warren_deliveries SET subscriber = $2 WHERE id = $1", id, subscriber)
                if status != DeliveryState.processed.rawValue {
                    waiting.change(SubjectKey(source: try row["source"], subject: try row["subject"]))
                }
            }
        }
        return rows.count
    }

    /// Makes a receipt of a row, whatever it is.
    private func settle(_ row: Row, now: Int64, in transaction: Transaction) throws {
        try leaveGroup(row, in: transaction)
        try transaction.execute(
            """
            UPDATE warren_deliveries
            SET status = 'processed', running_since = NULL, due_at = NULL, body = NULL, properties = NULL,
                error_class = NULL, error_message = NULL, updated_at = $2
            WHERE id = $1
            """,
            try row["id"] as Int64,
            now
        )
    }

    /// Removes a row that another one stands for.
    private func remove(_ row: Row, in transaction: Transaction) throws {
        try leaveGroup(row, in: transaction)
        let id: Int64 = try row["id"]
        for table in ["warren_attempts", "warren_timeouts"] {
            try transaction.execute("DELETE FROM \(table) WHERE delivery_id = $1", id)
        }
        try transaction.execute("DELETE FROM warren_deliveries WHERE id = $1", id)
    }

    private func leaveGroup(_ row: Row, in transaction: Transaction) throws {
        let status: String = try row["status"]
        guard let state = DeliveryState(rawValue: status) else { return }
        try DeadLetterGroupCounts.remove(
            from: state,
            type: try row["type"],
            errorClass: try row["error_class"],
            in: transaction
        )
    }

    /// What one step of `releaseIdle` did.
    struct Release: Sendable {
        var released = 0
        /// The last subject that was looked at.
        var place: SubjectKey?
        var isEnd = false
    }

    /// Lets go what is held although nothing holds it: for each of the next subjects the first one that is held, or, where
    /// order does not matter, all of them.
    func releaseIdle(
        after place: SubjectKey?,
        limit: Int,
        now: Int64,
        in transaction: Transaction
    ) throws -> Release {
        var result = Release(place: place)
        guard ordering == .perSubject else {
            result.released = try transaction.execute(
                """
                UPDATE warren_deliveries SET status = 'scheduled', due_at = $4, updated_at = $2
                WHERE id IN (
                    SELECT id FROM warren_deliveries
                    WHERE status = 'held' AND status <> 'processed' AND subscriber = $1 ORDER BY id LIMIT $3)
                """,
                subscriber,
                now,
                limit,
                clock.steady(now)
            )
            result.isEnd = result.released < limit
            return result
        }
        for _ in 0..<limit {
            guard let subject = try nextSubject(after: result.place, in: transaction) else {
                result.isEnd = true
                break
            }
            result.place = subject
            if try releaseNext(subject, isBegun: false, now: now, in: transaction) { result.released += 1 }
        }
        return result
    }
}
