internal import Database
internal import Events

/// The dead-letter table of one service.
///
/// Every deed and its audit entry are one transaction. Thread-safe.
public final class DeadLetters: Sendable {
    private static let columns = """
        id, subscriber, source, event_id, type, subject, status, generation, attempts, due_at, received_at, updated_at,
        COALESCE(error_class, '') AS error_class, COALESCE(error_message, '') AS error_message
        """

    let database: Database
    private let tables: [String: DeliveryTable]
    let onScheduled: Signal

    init(database: Database, tables: [DeliveryTable], onScheduled: Signal) {
        self.database = database
        self.tables = Dictionary(uniqueKeysWithValues: tables.map { ($0.subscriber, $0) })
        self.onScheduled = onScheduled
    }

    /// A page, newest first.
    ///
    /// - Parameters:
    ///   - filter: which ones.
    ///   - after: the id of the last one of the page before.
    ///   - limit: how many at most, 1 to 500.
    /// - Throws: `DatabaseError`.
    public func list(_ filter: DeadLetterFilter, after: Int64?, limit: Int) async throws -> [DeadLetter] {
        let (condition, arguments) = DeadLetters.condition(filter, after: after)
        return try await database.read { transaction in
            try transaction.query(
                """
                SELECT \(DeadLetters.columns) FROM warren_deliveries
                WHERE \(condition) ORDER BY id DESC LIMIT \(max(1, min(500, limit)))
                """,
                arguments: arguments
            ).map { try DeadLetter($0) }
        }
    }

    /// One delivery that is not processed, with its body, properties and attempts.
    ///
    /// - Throws: `DeadLetterError.notFound`; `DatabaseError`.
    public func show(_ id: Int64) async throws -> DeadLetter {
        try await database.read { transaction in
            let row = try transaction.first(
                "SELECT \(DeadLetters.columns), body, properties FROM warren_deliveries WHERE id = $1 AND status <> 'processed'",
                id
            )
            guard let row else { throw DeadLetterError.notFound(id) }
            var letter = try DeadLetter(row)
            letter.body = try row["body"] ?? []
            letter.properties = try row["properties"] ?? "{}"
            letter.attempts = try transaction.query(
                "SELECT * FROM warren_attempts WHERE delivery_id = $1 ORDER BY id DESC LIMIT \(DeliveryTable.keptAttempts)",
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
    }

    /// Dead letters by type and error class, the most frequent first.
    ///
    /// - Throws: `DatabaseError`.
    public func groups(_ filter: DeadLetterFilter) async throws -> [DeadLetterGroup] {
        let (condition, arguments) = DeadLetters.condition(filter, after: nil)
        return try await database.read { transaction in
            try transaction.query(
                """
                SELECT grouped.*, COALESCE(latest.error_message, '') AS example FROM (
                    SELECT type, COALESCE(error_class, '') AS error_class, COUNT(*) AS count,
                        MIN(received_at) AS first_seen, MAX(updated_at) AS last_seen, MAX(id) AS last_id
                    FROM warren_deliveries WHERE \(condition) GROUP BY type, COALESCE(error_class, '')
                ) AS grouped JOIN warren_deliveries AS latest ON latest.id = grouped.last_id
                ORDER BY count DESC, grouped.type, grouped.error_class LIMIT 500
                """,
                arguments: arguments
            ).map { row in
                DeadLetterGroup(
                    type: try row["type"],
                    errorClass: try row["error_class"],
                    count: try row["count"],
                    firstSeen: try row["first_seen"],
                    lastSeen: try row["last_seen"],
                    example: try row["example"]
                )
            }
        }
    }

    /// Sends a dead letter back into the machine, under the same row, with a generation more: deduplication cannot
    /// swallow it.
    ///
    /// It is due at once.
    ///
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, "retry", actor: actor, reason: reason) { life, now throws(DeliveryLife.WrongState) in
            try life.retry(now: now)
        }
    }

    /// Decides that a dead letter is not to be processed; later deliveries of its subject go on.
    ///
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, "discard", actor: actor, reason: reason) { life, _ throws(DeliveryLife.WrongState) in
            try life.discard()
        }
    }

    /// Takes a discard back.
    ///
    /// What was edited stays discarded, since its successor stands for it.
    ///
    /// - Throws: `DeadLetterError`; `DatabaseError`.
    public func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter {
        try await change(id, "restore", actor: actor, reason: reason) { life, _ throws(DeliveryLife.WrongState) in
            try life.restore()
        }
    }

    /// Who did what, newest first.
    ///
    /// - Throws: `DatabaseError`.
    public func audit(after: Int64?, limit: Int) async throws -> [AuditEntry] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM warren_audit WHERE id < $1 ORDER BY id DESC LIMIT $2",
                after ?? Int64.max,
                max(1, min(500, limit))
            ).map { row in
                AuditEntry(
                    id: try row["id"],
                    at: try row["at"],
                    actor: try row["actor"],
                    action: try row["action"],
                    deliveryID: try row["delivery_id"],
                    reason: try row["reason"]
                )
            }
        }
    }

    private func change(
        _ id: Int64,
        _ action: String,
        actor: String,
        reason: String,
        _ deed: @escaping @Sendable (inout DeliveryLife, Int64) throws(DeliveryLife.WrongState) -> Void
    ) async throws -> DeadLetter {
        let letter = try await database.write { [tables] transaction in
            let row = try transaction.first(
                "SELECT \(DeadLetters.columns) FROM warren_deliveries WHERE id = $1 AND status <> 'processed'",
                id
            )
            guard let row else { throw DeadLetterError.notFound(id) }
            var letter = try DeadLetter(row)
            guard letter.state != .discarded || letter.errorClass != DeadLetters.editedClass else {
                throw DeadLetterError.notEditable(id, "it was edited: \(letter.errorMessage), which stands for it")
            }
            let now = WallClock.milliseconds()
            var life = DeliveryLife(
                state: letter.state,
                generation: letter.generation,
                attempts: letter.attemptCount,
                dueAt: letter.dueAt
            )
            do throws(DeliveryLife.WrongState) {
                try deed(&life, now)
            } catch {
                throw DeadLetterError.wrongState(id, error.state)
            }
            try transaction.execute(
                """
                UPDATE warren_deliveries
                SET status = $2, generation = $3, attempts = $4, due_at = $5, updated_at = $6, running_since = NULL
                WHERE id = $1
                """,
                id,
                life.state.rawValue,
                life.generation,
                life.attempts,
                life.dueAt,
                now
            )
            try transaction.execute(
                "INSERT INTO warren_audit (at, actor, action, delivery_id, reason) VALUES ($1, $2, $3, $4, $5)",
                now,
                actor,
                action,
                id,
                reason
            )
            if life.state == .discarded, let table = tables[letter.subscriber] {
                let subject = SubjectKey(source: letter.source, subject: letter.subject)
                _ = try table.releaseNext(subject, now: now, in: transaction)
            }
            letter.state = life.state
            letter.generation = life.generation
            letter.attemptCount = life.attempts
            letter.dueAt = life.dueAt
            letter.updatedAt = now
            return letter
        }
        onScheduled.raise()
        return letter
    }

    private static func condition(
        _ filter: DeadLetterFilter,
        after: Int64?
    ) -> (sql: String, arguments: [(any DatabaseConvertible)?]) {
        var terms = ["status <> 'processed'"]
        var arguments: [(any DatabaseConvertible)?] = []
        func placeholder(_ value: any DatabaseConvertible) -> String {
            arguments.append(value)
            return "$\(arguments.count)"
        }
        func oneOf(_ column: String, _ values: [String]) -> String {
            "\(column) IN (\(values.map { placeholder($0) }.joined(separator: ", ")))"
        }
        if !filter.states.isEmpty { terms.append(oneOf("status", filter.states.map(\.rawValue))) }
        if !filter.types.isEmpty { terms.append(oneOf("type", filter.types)) }
        if let errorClass = filter.errorClass { terms.append("error_class = \(placeholder(errorClass))") }
        if let subject = filter.subject { terms.append("subject = \(placeholder(subject))") }
        if let from = filter.from { terms.append("updated_at >= \(placeholder(from))") }
        if let until = filter.until { terms.append("updated_at < \(placeholder(until))") }
        if let text = filter.text {
            let escaped = text.reduce(into: "") { result, character in
                if "\\%_".contains(character) { result.append("\\") }
                result.append(character)
            }
            let pattern = placeholder("%\(escaped)%")
            terms.append("(error_message LIKE \(pattern) ESCAPE '\\' OR event_id LIKE \(pattern) ESCAPE '\\')")
        }
        if let after { terms.append("id < \(placeholder(after))") }
        return (terms.joined(separator: " AND "), arguments)
    }
}

extension DeadLetter {
    /// Reads a row of the listing's columns.
    fileprivate init(_ row: Row) throws {
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
            dueAt: try row["due_at"],
            receivedAt: try row["received_at"],
            updatedAt: try row["updated_at"],
            errorClass: try row["error_class"],
            errorMessage: try row["error_message"]
        )
    }
}
