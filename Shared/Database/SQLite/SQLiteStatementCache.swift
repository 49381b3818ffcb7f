/// The statements that a connection has prepared, by their text; the longest unused one makes room.
struct SQLiteStatementCache {
    /// More than the statements that a service has.
    static let capacity = 128

    private var statements: [String: SQLiteStatement] = [:]
    /// The same by where their text lay in memory.
    ///
    /// Statements are literals for the most part, which stay where they are: comparing them costs nothing, and hashing
    /// them anew each time cost more than many a statement itself. Another text may come to lie at the same place, so the
    /// text is compared all the same.
    private var places: [Int: SQLiteStatement] = [:]
    private var uses: UInt64 = 0
    private let scratch: SQLiteScratch

    init(scratch: SQLiteScratch) {
        self.scratch = scratch
    }

    /// How many there are.
    var count: Int { statements.count }

    /// The statement with that text, prepared now if it is not there.
    mutating func statement(_ sql: String, on database: OpaquePointer) throws -> SQLiteStatement {
        uses += 1
        let place = Self.place(of: sql)
        if let place, let statement = places[place], statement.sql == sql {
            statement.lastUse = uses
            return statement
        }
        let statement = unsafe try prepared(sql, on: database)
        statement.lastUse = uses
        if let place {
            if places.count >= Self.capacity { places.removeAll(keepingCapacity: true) }
            places[place] = statement
        }
        return statement
    }

    private mutating func prepared(_ sql: String, on database: OpaquePointer) throws -> SQLiteStatement {
        if let statement = statements[sql] { return statement }
        let statement = unsafe try SQLiteStatement(sql, on: database, scratch: scratch)
        if statements.count >= Self.capacity, let oldest = statements.values.min(by: { $0.lastUse < $1.lastUse }) {
            statements[oldest.sql] = nil
            places.removeAll(keepingCapacity: true)
        }
        statements[sql] = statement
        return statement
    }

    /// Finalizes all.
    mutating func removeAll() {
        statements.removeAll()
        places.removeAll()
    }

    /// Where the text lies; nil for one so short that it lies nowhere for long.
    private static func place(of sql: String) -> Int? {
        guard sql.utf8.count > 15 else { return nil }
        return unsafe sql.utf8.withContiguousStorageIfAvailable { Int(bitPattern: $0.baseAddress) }
    }
}
