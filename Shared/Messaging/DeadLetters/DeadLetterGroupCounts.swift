internal import Database

/// How many dead and discarded deliveries there are of each type and error class.
///
/// Kept in step by the transactions that move a delivery into one of these states or out of it, because counting a
/// million rows takes longer than an operator waits. The way of a delivery that succeeds does not touch it.
enum DeadLetterGroupCounts {
    /// The states that are counted.
    static func counts(_ state: DeliveryState) -> Bool {
        state == .dead || state == .discarded
    }

    /// A delivery came to be in this state, or several of one kind.
    static func add(
        _ count: Int = 1,
        to state: DeliveryState,
        type: String,
        errorClass: String?,
        now: Int64,
        in transaction: Transaction
    ) throws {
        guard counts(state) else { return }
        try transaction.execute(
            """
            INSERT INTO warren_dead_letter_groups (status, type, error_class, count, last_seen)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (status, type, error_class) DO UPDATE SET
                count = warren_dead_letter_groups.count + excluded.count,
                last_seen = CASE WHEN excluded.last_seen > warren_dead_letter_groups.last_seen
                    THEN excluded.last_seen ELSE warren_dead_letter_groups.last_seen END
            """,
            state.rawValue,
            type,
            errorClass ?? "",
            count,
            now
        )
    }

    /// A delivery left this state, or several of one kind.
    static func remove(
        _ count: Int = 1,
        from state: DeliveryState,
        type: String,
        errorClass: String?,
        in transaction: Transaction
    ) throws {
        guard counts(state) else { return }
        let rest = try transaction.first(
            """
            UPDATE warren_dead_letter_groups SET count = count - $4
            WHERE status = $1 AND type = $2 AND error_class = $3 RETURNING count
            """,
            state.rawValue,
            type,
            errorClass ?? "",
            count
        )
        guard let rest, try rest[0] <= 0 else { return }
        try transaction.execute(
            "DELETE FROM warren_dead_letter_groups WHERE status = $1 AND type = $2 AND error_class = $3",
            state.rawValue,
            type,
            errorClass ?? ""
        )
    }

    /// The kinds that there are of what a filter asks for; nil when they are more than `most`.
    static func kinds(
        of state: DeliveryState,
        in filter: DeadLetterFilter,
        most: Int,
        in transaction: Transaction
    ) throws -> [(type: String, errorClass: String)]? {
        var condition = SearchCondition()
        condition.add("status = ?", [state.rawValue])
        condition.add(kindsOf: filter)
        let rows = try transaction.query(
            "SELECT type, error_class FROM warren_dead_letter_groups WHERE \(condition.sql) LIMIT \(most + 1)",
            arguments: condition.arguments
        )
        guard rows.count <= most else { return nil }
        return try rows.map { (try $0[0], try $0[1]) }
    }

    /// What several transitions of one transaction change, brought together.
    struct Changes {
        private struct Kind: Hashable {
            var state: DeliveryState
            var type: String
            var errorClass: String
        }

        private var differences: [Kind: Int] = [:]

        /// A delivery goes from one state to another.
        mutating func move(type: String, errorClass: String, from: DeliveryState, to: DeliveryState) {
            differences[Kind(state: from, type: type, errorClass: errorClass), default: 0] -= 1
            differences[Kind(state: to, type: type, errorClass: errorClass), default: 0] += 1
        }

        /// Writes them down.
        func apply(now: Int64, in transaction: Transaction) throws {
            for (kind, difference) in differences {
                if difference > 0 {
                    try add(
                        difference,
                        to: kind.state,
                        type: kind.type,
                        errorClass: kind.errorClass,
                        now: now,
                        in: transaction
                    )
                } else if difference < 0 {
                    try remove(
                        -difference,
                        from: kind.state,
                        type: kind.type,
                        errorClass: kind.errorClass,
                        in: transaction
                    )
                }
            }
        }
    }
}

extension SearchCondition {
    /// The types and the error class of a filter, on a table of kinds.
    mutating func add(kindsOf filter: DeadLetterFilter) {
        if !filter.types.isEmpty {
            add("type IN (\(filter.types.map { _ in "?" }.joined(separator: ", ")))", filter.types)
        }
        if let errorClass = filter.errorClass { add("error_class = ?", [errorClass]) }
    }
}
