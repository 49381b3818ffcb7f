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
