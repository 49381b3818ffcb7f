internal import Database

/// The terms of a WHERE clause, with their arguments.
struct SearchCondition {
    private(set) var sql = ""
    private(set) var arguments: [(any DatabaseConvertible)?] = []

    /// Adds a term with a `?` for each value.
    mutating func add(_ term: String, _ values: [any DatabaseConvertible] = []) {
        if !sql.isEmpty { sql += " AND " }
        var rest = values[...]
        for character in term {
            if character == "?", let value = rest.popFirst() {
                arguments.append(value)
                sql += "$\(arguments.count)"
            } else {
                sql.append(character)
            }
        }
    }

    /// The statement that these terms are part of.
    func completed(_ statement: (String) -> String) -> SearchCondition {
        var result = self
        result.sql = statement(sql)
        return result
    }
}

/// One range of one index, and what has to be compared row by row in it.
struct DeadLetterWalk {
    /// What the index answers.
    var range: SearchCondition
    /// What is left.
    var rest: DeadLetterFilter
    /// Compared too: rows that have not changed since.
    var unchangedSince: Int64?
    /// Between which moments the index of changes is followed.
    var times: (from: Int64?, until: Int64?) = (nil, nil)
    /// How the moment of the last change is written: not as the bare column where its index must not be followed.
    var time = "updated_at"

    /// Whether every row of the range is one of the result.
    var isExact: Bool {
        rest.types.isEmpty && rest.errorClass == nil && rest.subject == nil && rest.from == nil && rest.until == nil
            && rest.text == nil && unchangedSince == nil
    }

    /// The range and what is compared.
    ///
    /// Compared columns stand inside expressions, so that no index is chosen for them.
    var condition: SearchCondition {
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

extension DeadLetterSearch {
    /// The walks that answer the filter, one for each state at least.
    func walks(in transaction: Transaction) throws -> [DeadLetterWalk] {
        let states = filter.states.isEmpty ? DeliveryState.allCases : filter.states
        return try DeliveryState.allCases.filter { $0 != .processed && states.contains($0) }.flatMap { state in
            try walks(of: state, in: transaction)
        }
    }

    private func walks(of state: DeliveryState, in transaction: Transaction) throws -> [DeadLetterWalk] {
        var walk = DeadLetterWalk(range: SearchCondition(), rest: filter, unchangedSince: unchangedSince)
        // Written out: an index that holds some states only is chosen by what the statement says.
        walk.range.add("status = '\(state.rawValue)' AND status <> 'processed'")
        if let lastID { walk.range.add("id <= ?", [lastID]) }
        if let subject = filter.subject, try order != .lastChangedFirst || isShort(subject, state, in: transaction) {
            walk.range.add("subject = ?", [subject])
            walk.rest.subject = nil
            if order == .lastChangedFirst { walk.time = "(updated_at + 0)" }
            return [walk]
        }
        if order == .lastChangedFirst {
            // The bounds of the index, for which a place or a floor in between is taken instead: of two bounds of one
            // column the engine follows one and compares the other, row by row.
            walk.times = (filter.from, filter.until)
            (walk.rest.from, walk.rest.until) = (nil, nil)
            return [walk]
        }
        guard DeadLetterGroupCounts.counts(state), !filter.types.isEmpty || filter.errorClass != nil,
            let kinds = try kinds(of: state, in: transaction)
        else { return [walk] }
        (walk.rest.types, walk.rest.errorClass) = ([], nil)
        return kinds.flatMap { kind in
            // A row without an error has the kind of the empty class.
            (kind.errorClass.isEmpty ? ["error_class = ''", "error_class IS NULL"] : ["error_class = ?"]).map { term in
                var one = walk
                one.range.add("type = ?", [kind.type])
                one.range.add(term, [kind.errorClass])
                return one
            }
        }
    }

    /// Whether the deliveries of a subject can be sorted, in place of following an index.
    private func isShort(_ subject: String, _ state: DeliveryState, in transaction: Transaction) throws -> Bool {
        try transaction.first(
            """
            SELECT 1 FROM warren_deliveries
            WHERE subject = $1 AND status = '\(state.rawValue)' AND status <> 'processed'
            LIMIT 1 OFFSET \(DeadLetterSearch.comparedRows)
            """,
            subject
        ) == nil
    }

    /// The kinds that there are of what the filter asks for; nil when they are too many.
    private func kinds(
        of state: DeliveryState,
        in transaction: Transaction
    ) throws -> [(type: String, errorClass: String)]? {
        var condition = SearchCondition()
        condition.add("status = ?", [state.rawValue])
        condition.add(kindsOf: filter)
        let rows = try transaction.query(
            """
            SELECT type, error_class FROM warren_dead_letter_groups
            WHERE \(condition.sql) LIMIT \(DeadLetterSearch.mergedKinds + 1)
            """,
            arguments: condition.arguments
        )
        guard rows.count <= DeadLetterSearch.mergedKinds else { return nil }
        return try rows.map { (try $0[0], try $0[1]) }
    }

    // MARK: Statements

    /// The place up to which rows are compared; nil when that is all of them.
    ///
    /// - Parameter isCounting: whether every row costs something, and not only those that are compared in vain.
    func floor(
        of walk: DeadLetterWalk,
        after: Key?,
        compared: Int,
        isCounting: Bool = false,
        in transaction: Transaction
    ) throws -> Key? {
        // What is sorted is looked through whole: it is short.
        guard isCounting || !walk.isExact && walk.time == "updated_at" else { return nil }
        var condition = walk.range
        place(after, in: &condition, of: walk)
        stop(at: nil, in: &condition, of: walk)
        return try transaction.first(
            """
            SELECT \(walk.time), id FROM warren_deliveries
            WHERE \(condition.sql) ORDER BY \(direction(of: walk)) LIMIT 1 OFFSET \(max(500, compared) - 1)
            """,
            arguments: condition.arguments
        ).map { Key(time: order == .lastChangedFirst ? try $0[0] : 0, id: try $0[1]) }
    }

    /// The rows of a walk between two places, the second one included.
    func hits(
        of walk: DeadLetterWalk,
        after: Key?,
        floor: Key?,
        limit: Int,
        in transaction: Transaction
    ) throws -> [Hit] {
        let statement = statement(for: walk, after: after, floor: floor, limit: limit)
        return try transaction.query(statement.sql, arguments: statement.arguments).map { row in
            let id: Int64 = try row[0]
            let updatedAt: Int64 = try row[2]
            let key = Key(time: order == .lastChangedFirst ? updatedAt : 0, id: id)
            return Hit(key: key, id: id, generation: try row[1], updatedAt: updatedAt)
        }
    }

    /// The statement that finds the rows of a walk.
    func statement(for walk: DeadLetterWalk, after: Key?, floor: Key?, limit: Int) -> SearchCondition {
        var condition = walk.condition
        place(after, in: &condition, of: walk)
        stop(at: floor, in: &condition, of: walk)
        return condition.completed {
            """
            SELECT id, generation, updated_at FROM warren_deliveries
            WHERE \($0) ORDER BY \(direction(of: walk)) LIMIT \(limit)
            """
        }
    }

    private func direction(of walk: DeadLetterWalk) -> String {
        switch order {
        case .newestFirst: "id DESC"
        case .oldestFirst: "id"
        case .lastChangedFirst: "\(walk.time) DESC, id DESC"
        }
    }

    func place(_ key: Key?, in condition: inout SearchCondition, of walk: DeadLetterWalk) {
        let until = walk.times.until
        // A place that a client made up may lie before the first one.
        guard let key, order != .lastChangedFirst || key.time < until ?? .max else {
            if let until { condition.add("updated_at < ?", [until]) }
            return
        }
        switch order {
        case .newestFirst: condition.add("id < ?", [key.id])
        case .oldestFirst: condition.add("id > ?", [key.id])
        case .lastChangedFirst: condition.add("(\(walk.time), id) < (?, ?)", [key.time, key.id])
        }
    }

    func stop(at key: Key?, in condition: inout SearchCondition, of walk: DeadLetterWalk) {
        guard let key else {
            if let from = walk.times.from { condition.add("updated_at >= ?", [from]) }
            return
        }
        switch order {
        case .newestFirst: condition.add("id >= ?", [key.id])
        case .oldestFirst: condition.add("id <= ?", [key.id])
        case .lastChangedFirst: condition.add("(\(walk.time), id) >= (?, ?)", [key.time, key.id])
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
