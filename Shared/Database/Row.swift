/// One row of a result: a value that outlives the transaction which read it.
public struct Row: Sendable {
    /// The names, shared by all rows of a result.
    private let columns: Columns
    /// The values, in the order of the columns.
    public let values: [DatabaseValue]

    init(columns: Columns, values: [DatabaseValue]) {
        self.columns = columns
        self.values = values
    }

    /// The names of the columns, in order.
    public var columnNames: [String] { columns.names }

    /// The value of the column of that name (the first, where several have it): `let id: String = try row["id"]`.
    ///
    /// - Throws: `DatabaseError` with code `.conversion` that names the column when it is missing, has another type or
    ///   does not fit; the value itself is not in the error.
    public subscript<Value: DatabaseConvertible>(column: String) -> Value {
        get throws {
            guard let position = columns.position(of: column) else {
                throw DatabaseError(code: .conversion, reason: "the result has no column \"\(column)\"")
            }
            return try self[position]
        }
    }

    /// The value at that position, from 0.
    ///
    /// - Throws: `DatabaseError` with code `.conversion`, as with a name.
    @inlinable public subscript<Value: DatabaseConvertible>(position: Int) -> Value {
        get throws {
            guard position >= 0, position < values.count, let value = Value(databaseValue: values[position]) else {
                throw misfit(position, Value.self)
            }
            return value
        }
    }

    /// Why the column cannot be had as that type.
    @usableFromInline
    func misfit(_ position: Int, _ type: Any.Type) -> DatabaseError {
        guard values.indices.contains(position) else {
            return DatabaseError(code: .conversion, reason: "the result has no column at position \(position)")
        }
        return DatabaseError(
            code: .conversion,
            reason: "column \"\(columns.names[position])\" holds \(values[position].kind) that does not fit \(type)"
        )
    }

    /// The names of a result's columns.
    final class Columns: Sendable {
        let names: [String]

        init(_ names: [String]) {
            self.names = names
        }

        /// Results are narrow: going through the names is quicker than hashing one.
        func position(of name: String) -> Int? {
            names.firstIndex(of: name)
        }
    }
}
