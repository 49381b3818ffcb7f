/// The statements that a connection has prepared, by their text; the longest unused one makes room.
struct SQLiteStatementCache {
    /// More than the statements that a service has.
    static let capacity = 128

    private var statements: [String: SQLiteStatement] = [:]
    private var uses: UInt64 = 0

    /// How many there are.
    var count: Int { statements.count }

    /// The statement with that text, prepared now if it is not there.
    mutating func statement(_ sql: String, on database: OpaquePointer) throws -> SQLiteStatement {
        uses += 1
        if let statement = statements[sql] {
            statement.lastUse = uses
            return statement
        }
        let statement = unsafe try SQLiteStatement(sql, on: database)
        statement.lastUse = uses
        if statements.count >= Self.capacity, let oldest = statements.values.min(by: { $0.lastUse < $1.lastUse }) {
            statements[oldest.sql] = nil
        }
        statements[sql] = statement
        return statement
    }

    /// Finalizes all.
    mutating func removeAll() {
        statements.removeAll()
    }
}
