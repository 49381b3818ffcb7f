/// What a read or write closure works with.
///
/// Valid only inside the closure: used later, its functions throw `.misuse`. Not `Sendable`: it stays on the thread of
/// its connection.
///
/// Inside a group of writes a transaction is one step of a larger one, which callers need not know: a throw out of the
/// closure undoes what the closure did, and nothing else. To do so the statements of the closures before it may be run once
/// more; the closures are not. A statement that fails should end the closure; to meet an expected conflict write
/// `ON CONFLICT`, because other engines than SQLite give the transaction up with the first failed statement.
public final class Transaction {
    /// What the layer above attaches for the length of a closure (the messaging layer: where appended events go).
    public var context: (any Sendable)?

    /// nil as soon as the closure has ended.
    private var connection: (any EngineConnection)?
    private var actions: [@Sendable () -> Void] = []

    init(on connection: any EngineConnection) {
        self.connection = connection
    }

    /// Runs one statement and gives the number of rows that it inserted, updated or deleted.
    ///
    /// - Parameters:
    ///   - sql: one statement with `$1`… as placeholders; the same may occur several times.
    ///   - arguments: one value for each placeholder.
    /// - Throws: `DatabaseError`; `.constraint(unique: true)` when a row with the same key is there.
    @discardableResult
    @inlinable public func execute<each Argument: DatabaseConvertible>(
        _ sql: String,
        _ arguments: repeat each Argument
    ) throws -> Int {
        try execute(sql, values: Self.values(repeat each arguments))
    }

    /// Runs an `INSERT` of one row into a table with an integer primary key and gives the key that the database chose.
    ///
    /// - Parameters:
    ///   - sql: the statement, without `RETURNING` and without a conflict clause.
    ///   - key: the column of the key.
    /// - Throws: `DatabaseError`, as `execute` does.
    @inlinable public func insert<each Argument: DatabaseConvertible>(
        _ sql: String,
        key: String,
        _ arguments: repeat each Argument
    ) throws -> Int64 {
        try insert(sql, key: key, values: Self.values(repeat each arguments))
    }

    /// Runs a query (or a statement with `RETURNING`) and gives its rows.
    ///
    /// - Throws: `DatabaseError`, as `execute` does.
    @inlinable public func query<each Argument: DatabaseConvertible>(
        _ sql: String,
        _ arguments: repeat each Argument
    ) throws -> [Row] {
        try query(sql, values: Self.values(repeat each arguments), limit: .max)
    }

    /// Runs a query and gives its rows up to the first that is not wanted, behind which nothing is read: for results that are
    /// bounded by more than the number of their rows.
    ///
    /// - Parameter isWanted: asked for each row, in the order of the result.
    /// - Throws: `DatabaseError`, as `execute` does; what `isWanted` throws.
    @inlinable public func query<each Argument: DatabaseConvertible>(
        _ sql: String,
        _ arguments: repeat each Argument,
        while isWanted: (Row) throws -> Bool
    ) throws -> [Row] {
        try query(sql, values: Self.values(repeat each arguments), while: isWanted)
    }

    /// Runs a query (or a statement with `RETURNING`) and gives its first row, or nil.
    ///
    /// - Throws: `DatabaseError`, as `execute` does.
    @inlinable public func first<each Argument: DatabaseConvertible>(
        _ sql: String,
        _ arguments: repeat each Argument
    ) throws -> Row? {
        try query(sql, values: Self.values(repeat each arguments), limit: 1).first
    }

    /// `execute` with arguments that were collected at run time.
    @discardableResult
    public func execute(_ sql: String, arguments: [(any DatabaseConvertible)?]) throws -> Int {
        try execute(sql, values: arguments.map { $0?.databaseValue ?? .null })
    }

    /// `query` with arguments that were collected at run time.
    public func query(_ sql: String, arguments: [(any DatabaseConvertible)?]) throws -> [Row] {
        try query(sql, values: arguments.map { $0?.databaseValue ?? .null }, limit: .max)
    }

    /// `first` with arguments that were collected at run time.
    public func first(_ sql: String, arguments: [(any DatabaseConvertible)?]) throws -> Row? {
        try query(sql, values: arguments.map { $0?.databaseValue ?? .null }, limit: 1).first
    }

    /// The values of the arguments, made where their types are known: no boxes, and no conversion that is looked up.
    @inlinable static func values<each Argument: DatabaseConvertible>(
        _ arguments: repeat each Argument
    ) -> [DatabaseValue] {
        var values: [DatabaseValue] = []
        values.reserveCapacity(16)
        repeat values.append((each arguments).databaseValue)
        return values
    }

    @usableFromInline
    func execute(_ sql: String, values: [DatabaseValue]) throws -> Int {
        try usable().execute(sql, values)
    }

    @usableFromInline
    func insert(_ sql: String, key: String, values: [DatabaseValue]) throws -> Int64 {
        try usable().insert(sql, key: key, values)
    }

    @usableFromInline
    func query(_ sql: String, values: [DatabaseValue], limit: Int) throws -> [Row] {
        try usable().query(sql, values, limit: limit)
    }

    @usableFromInline
    func query(_ sql: String, values: [DatabaseValue], while isWanted: (Row) throws -> Bool) throws -> [Row] {
        try usable().query(sql, values, limit: .max, while: isWanted)
    }

    /// Registers what is called, on the writer's thread, after the transaction that contains this closure's effects is
    /// durable; never when it is rolled back.
    ///
    /// Actions are called in the order in which they were registered, before the closure's caller is resumed. They must
    /// not block. In a read they are called when the read has ended well. After the closure this does nothing.
    public func afterCommit(_ action: @escaping @Sendable () -> Void) {
        guard connection != nil else { return }
        actions.append(action)
    }

    /// Ends the transaction's use and hands out what is to be called after the commit.
    func finish() -> [@Sendable () -> Void] {
        connection = nil
        context = nil
        defer { actions = [] }
        return actions
    }

    /// The connection, as long as the closure runs.
    func usable() throws -> any EngineConnection {
        guard let connection else {
            throw DatabaseError(code: .misuse, reason: "a transaction was used after its closure had ended")
        }
        return connection
    }
}
