/// What a read or write closure works with.
///
/// Valid only inside the closure: used later, its functions throw `.misuse`. Not `Sendable`: it stays on the thread of
/// its connection.
///
/// Inside a group of writes a transaction is a savepoint, which callers need not know: a throw out of the closure undoes
/// what the closure did, and nothing else. A statement that fails should end the closure; to meet an expected conflict
/// write `ON CONFLICT`, because other engines than SQLite give the transaction up with the first failed statement.
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
    public func execute(_ sql: String, _ arguments: (any DatabaseConvertible)?...) throws -> Int {
        try execute(sql, arguments: arguments)
    }

    /// Runs a query (or a statement with `RETURNING`) and gives its rows.
    ///
    /// - Throws: `DatabaseError`, as `execute` does.
    public func query(_ sql: String, _ arguments: (any DatabaseConvertible)?...) throws -> [Row] {
        try query(sql, arguments: arguments)
    }

    /// Runs a query (or a statement with `RETURNING`) and gives its first row, or nil.
    ///
    /// - Throws: `DatabaseError`, as `execute` does.
    public func first(_ sql: String, _ arguments: (any DatabaseConvertible)?...) throws -> Row? {
        try first(sql, arguments: arguments)
    }

    /// `execute` with arguments that were collected at run time.
    @discardableResult
    public func execute(_ sql: String, arguments: [(any DatabaseConvertible)?]) throws -> Int {
        try usable().execute(sql, arguments)
    }

    /// `query` with arguments that were collected at run time.
    public func query(_ sql: String, arguments: [(any DatabaseConvertible)?]) throws -> [Row] {
        try usable().query(sql, arguments, limit: .max)
    }

    /// `first` with arguments that were collected at run time.
    public func first(_ sql: String, arguments: [(any DatabaseConvertible)?]) throws -> Row? {
        try usable().query(sql, arguments, limit: 1).first
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
