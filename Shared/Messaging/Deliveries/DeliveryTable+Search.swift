internal import Database

/// What a search for dead letters reads.
extension DeliveryTable {
    /// Whether the deliveries of a subject can be sorted, in place of following an index.
    static func isShort(_ subject: String, _ state: DeliveryState, in transaction: Transaction) throws -> Bool {
        try transaction.first(
            """
            SELECT 1 FROM warren_deliveries
            WHERE subject = $1 AND status = '\(state.rawValue)' AND status <> 'processed'
            LIMIT 1 OFFSET \(DeadLetterSearch.comparedRows)
            """,
            subject
        ) == nil
    }

    /// One range of one index, and what has to be compared row by row in it.
    struct Walk {
        let order: DeadLetterSearch.Order
        /// What the index answers.
        private var range = SearchCondition()
        /// What is left.
        private var rest: DeadLetterFilter
        /// Compared too: rows that have not changed since.
        private let unchangedSince: Int64?
        /// Between which moments the index of changes is followed.
        private var times: (from: Int64?, until: Int64?) = (nil, nil)
        /// How the moment of the last change is written: not as the bare column where its index must not be followed.
        private var time = "updated_at"

        /// The deliveries of a state, by the index that the order goes by.
        ///
        /// - Parameters:
        ///   - filter: what is compared row by row, as far as nothing follows an index for it.
        ///   - lastID: rows up to this id only.
        ///   - unchangedSince: rows that have not changed since this moment only.
        init(
            of state: DeliveryState,
            _ filter: DeadLetterFilter,
            order: DeadLetterSearch.Order,
            lastID: Int64?,
            unchangedSince: Int64?
        ) {
            self.order = order
            self.unchangedSince = unchangedSince
            rest = filter
            // Written out: an index that holds some states only is chosen by what the statement says.
            range.add("status = '\(state.rawValue)' AND status <> 'processed'")
            if let lastID { range.add("id <= ?", [lastID]) }
        }

        /// Follows the index of subjects.
        mutating func follow(subject: String) {
            range.add("subject = ?", [subject])
            rest.subject = nil
            if order == .lastChangedFirst { time = "(updated_at + 0)" }
        }

        /// Follows the index of changes.
        mutating func followChanges() {
            // The bounds of the index, for which a place or a floor in between is taken instead: of two bounds of one
            // column the engine follows one and compares the other, row by row.
            times = (rest.from, rest.until)
            (rest.from, rest.until) = (nil, nil)
        }

        /// Follows the index of kinds: the walks for one of them.
        func following(type: String, errorClass: String) -> [Walk] {
            // A row without an error has the kind of the empty class.
            (errorClass.isEmpty ? ["error_class = ''", "error_class IS NULL"] : ["error_class = ?"]).map { term in
                var one = self
                (one.rest.types, one.rest.errorClass) = ([], nil)
                one.range.add("type = ?", [type])
                one.range.add(term, [errorClass])
                return one
            }
        }

        /// Whether every row of the range is one of the result.
        private var isExact: Bool {
            rest.types.isEmpty && rest.errorClass == nil && rest.subject == nil && rest.from == nil && rest.until == nil
                && rest.text == nil && unchangedSince == nil
        }

        /// The range and what is compared.
        ///
        /// Compared columns stand inside expressions, so that no index is chosen for them.
        private var condition: SearchCondition {
            var condition = range
            if !rest.types.isEmpty {
                let terms = rest.types.map { _ in "COALESCE(type, '') = ?" }.joined(separator: " OR ")
                condition.add("(\(terms))", rest.types)
            }
            if let errorClass = rest.errorClass { condition.add("COALESCE(error_class, '') = ?", [errorClass]) }
            if let subject = rest.subject { condition.add("COALESCE(subject, '') = ?", [subject]) }
            if let from = rest.from { condition.add("updated_at + 0 >= ?", [from]) }
            if let until = rest.until { condition.add("updated_at + 0 < ?", [until]) }
            if let unchangedSince { condition.add("updated_at + 0 <= ?", [unchangedSince]) }
            if let text = rest.text {
                let escaped = text.reduce(into: "") { result, character in
                    if "\\%_".contains(character) { result.append("\\") }
                    result.append(character)
                }
                let pattern = "%\(escaped)%"
                condition.add("(error_message LIKE ? ESCAPE '\\' OR event_id LIKE ? ESCAPE '\\')", [pattern, pattern])
            }
            return condition
        }
    }
}

// MARK: Statements

extension DeliveryTable.Walk {
    /// The place up to which rows are compared; nil when that is all of them.
    ///
    /// - Parameter isCounting: whether every row costs something, and not only those that are compared in vain.
    func floor(
        after: DeadLetterSearch.Key?,
        compared: Int,
        isCounting: Bool = false,
        in transaction: Transaction
    ) throws -> DeadLetterSearch.Key? {
        // What is sorted is looked through whole: it is short.
        guard isCounting || !isExact && time == "updated_at" else { return nil }
        let condition = bounded(range, after: after, floor: nil)
        return try transaction.first(
            """
            SELECT \(time), id FROM warren_deliveries
            WHERE \(condition.sql) ORDER BY \(direction) LIMIT 1 OFFSET \(max(500, compared) - 1)
            """,
            arguments: condition.arguments
        ).map { DeadLetterSearch.Key(time: order == .lastChangedFirst ? try $0[0] : 0, id: try $0[1]) }
    }

    /// The rows between two places, the second one included.
    func hits(
        after: DeadLetterSearch.Key?,
        floor: DeadLetterSearch.Key?,
        limit: Int,
        in transaction: Transaction
    ) throws -> [DeadLetterSearch.Hit] {
        let statement = statement(after: after, floor: floor, limit: limit)
        return try transaction.query(statement.sql, arguments: statement.arguments).map { row in
            let id: Int64 = try row[0]
            let updatedAt: Int64 = try row[2]
            let key = DeadLetterSearch.Key(time: order == .lastChangedFirst ? updatedAt : 0, id: id)
            return DeadLetterSearch.Hit(key: key, id: id, generation: try row[1], updatedAt: updatedAt)
        }
    }

    /// The statement that finds the rows between two places.
    func statement(after: DeadLetterSearch.Key?, floor: DeadLetterSearch.Key?, limit: Int) -> SearchCondition {
        bounded(condition, after: after, floor: floor).completed {
            """
            SELECT id, generation, updated_at FROM warren_deliveries
            WHERE \($0) ORDER BY \(direction) LIMIT \(limit)
            """
        }
    }

    /// The newest rows by kind, and whether that is all of them.
    ///
    /// - Parameter count: how many rows are counted at most.
    func counted(rows count: Int, in transaction: Transaction) throws -> (rows: [Row], isComplete: Bool) {
        let floor = try floor(after: nil, compared: count, isCounting: true, in: transaction)
        let condition = bounded(condition, after: nil, floor: floor)
        let rows = try transaction.query(
            """
            SELECT type, COALESCE(error_class, '') AS error_class, COUNT(*) AS count, MIN(received_at) AS first_seen,
                MAX(updated_at) AS last_seen, MAX(id) AS latest
            FROM warren_deliveries WHERE \(condition.sql) GROUP BY type, COALESCE(error_class, '')
            """,
            arguments: condition.arguments
        )
        return (rows, floor == nil)
    }

    private var direction: String {
        switch order {
        case .newestFirst: "id DESC"
        case .oldestFirst: "id"
        case .lastChangedFirst: "\(time) DESC, id DESC"
        }
    }

    /// The terms with those for where to begin and where to end.
    private func bounded(
        _ terms: SearchCondition,
        after: DeadLetterSearch.Key?,
        floor: DeadLetterSearch.Key?
    ) -> SearchCondition {
        var condition = terms
        place(after, in: &condition)
        stop(at: floor, in: &condition)
        return condition
    }

    private func place(_ key: DeadLetterSearch.Key?, in condition: inout SearchCondition) {
        let until = times.until
        // A place that a client made up may lie before the first one.
        guard let key, order != .lastChangedFirst || key.time < until ?? .max else {
            if let until { condition.add("updated_at < ?", [until]) }
            return
        }
        switch order {
        case .newestFirst: condition.add("id < ?", [key.id])
        case .oldestFirst: condition.add("id > ?", [key.id])
        case .lastChangedFirst: condition.add("(\(time), id) < (?, ?)", [key.time, key.id])
        }
    }

    private func stop(at key: DeadLetterSearch.Key?, in condition: inout SearchCondition) {
        guard let key else {
            if let from = times.from { condition.add("updated_at >= ?", [from]) }
            return
        }
        switch order {
        case .newestFirst: condition.add("id >= ?", [key.id])
        case .oldestFirst: condition.add("id <= ?", [key.id])
        case .lastChangedFirst: condition.add("(\(time), id) >= (?, ?)", [key.time, key.id])
        }
    }
}
