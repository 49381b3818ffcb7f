/// One connection to a database engine: what is asked of SQLite, and of any engine that stands beside it.
///
/// A connection belongs to one thread. The statements below speak SQL that the engines have in common; everything that
/// they do differently (transactions, errors, files) is behind this protocol and `Engine`.
protocol EngineConnection: AnyObject {
    /// Runs one statement with `$1`… placeholders; gives the number of rows changed.
    func execute(_ sql: String, _ arguments: [DatabaseValue]) throws -> Int
    /// Runs one `INSERT` of one row and gives the value that the engine chose for its key column.
    func insert(_ sql: String, key: String, _ arguments: [DatabaseValue]) throws -> Int64
    /// Runs one statement and gives at most `limit` of its rows, up to the first that is not wanted. A statement that writes runs to
    /// its end all the same; of a query nothing more is read.
    func query(
        _ sql: String,
        _ arguments: [DatabaseValue],
        limit: Int,
        while isWanted: (Row) throws -> Bool
    ) throws -> [Row]
    /// Runs all statements of a text without arguments, for migrations.
    func executeScript(_ sql: String) throws

    /// Begins a transaction that may write.
    func beginWrite() throws
    /// Begins a transaction that reads one snapshot, and gives up at the deadline.
    func beginRead(until deadline: ContinuousClock.Instant) throws
    /// Makes the transaction durable. After a throw it has to be rolled back.
    func commit() throws
    /// Undoes whatever is open; nothing when nothing is.
    func rollBack()

    /// Begins a step that can be undone alone.
    func beginStep() throws
    /// Throws when the step left something behind that the commit would refuse.
    func checkStep() throws
    /// Keeps what was done since `beginStep`.
    func keepStep() throws
    /// Undoes what was done since `beginStep`. After a throw the whole transaction is lost.
    func undoStep() throws
    /// Whether the transaction is still there. Some errors end it in the middle.
    var isTransactionOpen: Bool { get }

    /// Bytes that are committed and wait to be moved to their place; 0 where an engine has no such log.
    var logBytes: Int { get }

    /// Called on the connection's thread when a group is done and its callers have been resumed: time for upkeep.
    func maintain()
}

extension EngineConnection {
    /// Runs one statement and gives at most `limit` of its rows.
    func query(_ sql: String, _ arguments: [DatabaseValue], limit: Int) throws -> [Row] {
        try query(sql, arguments, limit: limit) { _ in true }
    }
}
