import CSQLite
import Telemetry

/// One connection to a SQLite file, used by one thread at a time.
@safe final class SQLiteConnection: EngineConnection {
    /// What a connection is for.
    enum Role {
        /// Writes and checkpoints.
        case writer
        /// Reads only.
        case reader
    }

    /// Ends the process, where nothing may be promised any more.
    private let giveUp: @Sendable (DatabaseError) -> Void
    /// For tests: called before each COMMIT; what it throws is taken for what SQLite reported.
    var beforeCommit: (() throws -> Void)?
    /// The write-ahead log, seen from its only checkpointer.
    private var log = SQLiteLogGauge()

    private let handle: OpaquePointer
    private let role: Role
    private let logger: Logger
    private var statements: SQLiteStatementCache
    /// Apart from those of callers, who must not find a COMMIT that has been let through once.
    private var ownStatements: SQLiteStatementCache
    /// Set where this class itself speaks: it may begin and end transactions, callers may not.
    private var isTrusted = false
    /// How long the SQL of one step of a write may take; nil where there is no limit, as for migrations.
    var stepLimit: Duration?
    /// The opening that this connection is part of; what runs is given up with it.
    var opening: SQLiteOpening? {
        didSet {
            unsafe oldValue?.interrupts(nil)
            unsafe opening?.interrupts(handle)
        }
    }
    /// When the read, or the step of a write, that is running has to be given up.
    private var deadline: ContinuousClock.Instant?
    /// The error that ended the current transaction in the middle.
    private var loss: DatabaseError?
    private var isInTransaction = false
    /// How the steps of the current transaction are undone.
    private var steps = SQLiteSteps()

    /// Opens the file and makes the connection's settings.
    ///
    /// - Parameter giveUp: called with the reason when a sync has failed; it does not return, except in tests.
    init(path: String, role: Role, logger: Logger, giveUp: @escaping @Sendable (DatabaseError) -> Void) throws {
        let scratch = SQLiteScratch()
        statements = SQLiteStatementCache(scratch: scratch)
        ownStatements = SQLiteStatementCache(scratch: scratch)
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (role == .writer ? SQLITE_OPEN_CREATE : 0)
        let status = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard let handle = unsafe opened, status == SQLITE_OK else {
            unsafe sqlite3_close_v2(opened)
            throw DatabaseError(sqlite: status, message: "cannot open \(path)")
        }
        unsafe self.handle = handle
        self.role = role
        self.logger = logger
        self.giveUp = giveUp
        unsafe sqlite3_extended_result_codes(handle, 1)
        try configure(path: path)
        observe()
    }

    deinit {
        unsafe opening?.interrupts(nil)
        statements.removeAll()
        ownStatements.removeAll()
        unsafe sqlite3_close_v2(handle)
    }

    // MARK: Statements

    func execute(_ sql: String, _ arguments: [DatabaseValue]) throws -> Int {
        let before = unsafe sqlite3_total_changes64(handle)
        _ = try query(sql, arguments, limit: 0)
        // `sqlite3_changes` still holds an earlier statement's figure where this one changes no rows by its nature.
        guard unsafe sqlite3_total_changes64(handle) != before else { return 0 }
        return Int(unsafe sqlite3_changes64(handle))
    }

    /// The key is the row's id, which SQLite knows without `RETURNING`, for which it would build a table each time.
    func insert(_ sql: String, key: String, _ arguments: [DatabaseValue]) throws -> Int64 {
        _ = try query(sql, arguments, limit: 0)
        return unsafe sqlite3_last_insert_rowid(handle)
    }

    func query(
        _ sql: String,
        _ arguments: [DatabaseValue],
        limit: Int,
        while isWanted: (Row) throws -> Bool
    ) throws -> [Row] {
        try report {
            let statement = unsafe try statements.statement(sql, on: handle)
            guard role == .writer || statement.isReadOnly else {
                throw DatabaseError(code: .misuse, reason: "a read cannot write: \(sql)")
            }
            let rows = unsafe try statement.run(arguments, limit: limit, while: isWanted, on: handle)
            if !statement.isReadOnly { steps.note(statement, arguments) }
            return rows
        }
    }

    func executeScript(_ sql: String) throws {
        try report { unsafe try SQLiteStatement.runAll(sql, on: handle) }
        // What is cached was prepared for the old schema; SQLite would prepare it anew, but its columns may be others.
        statements.removeAll()
    }

    /// Whether a statement does the same again in the same place.
    func isRepeatable(_ sql: String) throws -> Bool {
        unsafe try statements.statement(sql, on: handle).isRepeatable
    }

    /// How many statements of callers are kept prepared.
    var preparedStatements: Int { statements.count }

    /// Runs a statement of this class's own.
    @discardableResult
    func own(_ sql: String) throws -> [Row] {
        isTrusted = true
        defer { isTrusted = false }
        return try report {
            unsafe try ownStatements.statement(sql, on: handle).run([], limit: .max, on: handle)
        }
    }

    /// Runs statements, and turns a failure into what callers get - after a look at what became of the transaction.
    private func report<Result>(_ body: () throws -> Result) throws -> Result {
        if let loss { throw loss }
        if let deadline, deadline <= .now { throw timedOut }
        do {
            return try body()
        } catch let failure as SQLiteFailure {
            var error = failure.error
            if failure.status == SQLITE_INTERRUPT { error = timedOut }
            if SQLiteCode.isFailedSync(failure.status) { giveUp(error) }
            // A full disk and other errors end the whole transaction, not only the statement. Whatever came after
            // would then be committed statement by statement.
            if isInTransaction && !isTransactionOpen { loss = error }
            throw error
        }
    }

    private var timedOut: DatabaseError {
        DatabaseError(
            code: .timedOut,
            reason: "the \(role == .reader ? "read" : "write") took longer than its deadline"
        )
    }

    /// Whether what runs has to be given up; asked by SQLite now and then.
    ///
    /// The time of a write's step begins when this is asked for the first time: no clock is read for one that is short.
    private func isOverdue() -> Bool {
        if let deadline { return deadline <= .now }
        if let stepLimit { deadline = .now + stepLimit }
        return opening?.isCancelled == true
    }

    // MARK: Transactions

    var isTransactionOpen: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    func beginWrite() throws {
        loss = nil
        deadline = nil
        try own("BEGIN IMMEDIATE")
        isInTransaction = true
        steps.beginTransaction()
    }

    func beginRead(until deadline: ContinuousClock.Instant) throws {
        loss = nil
        try own("BEGIN")
        isInTransaction = true
        self.deadline = deadline
    }

    func commit() throws {
        deadline = nil
        try report { try beforeCommit?() }
        try own("COMMIT")
        isInTransaction = false
        steps.endTransaction()
    }

    func rollBack() {
        deadline = nil
        loss = nil
        isInTransaction = false
        steps.endTransaction()
        guard isTransactionOpen else { return }
        // SQLite's ROLLBACK ends the transaction even where it reports an error.
        _ = try? own("ROLLBACK")
    }

    func beginStep() throws {
        deadline = nil
        if steps.begin() == .savepoint { try own("SAVEPOINT step") }
    }

    func checkStep() throws {
        if let loss { throw loss }
        // A deferred foreign key is looked at by COMMIT, which would fail for the whole group.
        var current: Int32 = 0
        var highest: Int32 = 0
        unsafe sqlite3_db_status(handle, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0)
        guard current == 0 else {
            throw DatabaseError(
                code: .constraint(unique: false),
                reason: "a deferred foreign key refers to a row that is not there"
            )
        }
    }

    func keepStep() throws {
        deadline = nil
        if steps.keep() == .savepoint { try own("RELEASE step") }
    }

    func undoStep() throws {
        deadline = nil
        switch steps.undo() {
        case .savepoint:
            try own("ROLLBACK TO step")
            try own("RELEASE step")
        case .replay(let kept):
            // What is repeated has had its time; and a statement that was given up has rolled back by itself.
            let limit = stepLimit.take()
            defer { stepLimit = limit }
            if !isTransactionOpen, loss?.code == .timedOut { loss = nil } else { try own("ROLLBACK") }
            try own("BEGIN IMMEDIATE")
            for statement in kept { _ = try query(statement.sql, statement.arguments, limit: 0) }
        }
    }

    // MARK: Settings

    /// Makes the settings that the promises rest on, and reads each back: SQLite ignores what it cannot do.
    private func configure(path: String) throws {
        unsafe sqlite3_busy_timeout(handle, 5_000)
        let status = unsafe csqlite_configure_connection(handle)
        guard status == SQLITE_OK else { throw DatabaseError(sqlite: status) }
        if unsafe sqlite3_db_readonly(handle, "main") == 1 {
            throw DatabaseError(
                code: .readOnly,
                reason: "\(path) does not take writes: give this process write permission on the file and its folder"
            )
        }
        let settings: [(name: String, value: String, expected: DatabaseValue)] = [
            ("journal_mode", "WAL", .text("wal")),
            ("synchronous", "FULL", .integer(2)),
            ("foreign_keys", "ON", .integer(1)),
            ("busy_timeout", "5000", .integer(5_000)),
            ("trusted_schema", "OFF", .integer(0)),
            ("temp_store", "MEMORY", .integer(2)),
            ("cache_size", "-16384", .integer(-16_384)),
            // The writer checkpoints by itself, between groups; nobody else does.
            ("wal_autocheckpoint", "0", .integer(0)),
            ("query_only", role == .reader ? "ON" : "OFF", .integer(role == .reader ? 1 : 0)),
        ]
        for setting in settings {
            try own("PRAGMA \(setting.name) = \(setting.value)")
            let value = try own("PRAGMA \(setting.name)").first?.values.first ?? .null
            guard value == setting.expected else {
                throw DatabaseError(
                    code: .cannotOpen,
                    reason: "SQLite does not take PRAGMA \(setting.name) = \(setting.value) for \(path); "
                        + "is it on a network file system?"
                )
            }
        }
        // Where SQLite was built without memory mapping there is no answer, which is as good.
        let mapped = try own("PRAGMA mmap_size = 0").first?.values.first ?? .integer(0)
        guard mapped == .integer(0) else {
            throw DatabaseError(code: .cannotOpen, reason: "SQLite does not turn memory mapping off for \(path)")
        }
    }

    /// Lets SQLite ask this object.
    ///
    /// The calls come on this connection's thread only, inside its own calls, and so as long as this object lives.
    private func observe() {
        let this = unsafe Unmanaged.passUnretained(self).toOpaque()
        unsafe sqlite3_set_authorizer(
            handle,
            { this, action, first, _, _, _ in
                guard let this = unsafe this else { return SQLITE_DENY }
                let connection = unsafe Unmanaged<SQLiteConnection>.fromOpaque(this).takeUnretainedValue()
                return connection.mayPrepare(action, unsafe first.map { unsafe String(cString: $0) })
                    ? SQLITE_OK : SQLITE_DENY
            },
            this
        )
        // A writer's statements are short: it is enough to look after some milliseconds of work.
        unsafe sqlite3_progress_handler(
            handle,
            role == .reader ? 1_000 : 100_000,
            { this in
                guard let this = unsafe this else { return 1 }
                return unsafe Unmanaged<SQLiteConnection>.fromOpaque(this).takeUnretainedValue().isOverdue() ? 1 : 0
            },
            this
        )
        if role == .writer {
            unsafe sqlite3_wal_hook(
                handle,
                { this, _, _, pages in
                    guard let this = unsafe this else { return SQLITE_OK }
                    let connection = unsafe Unmanaged<SQLiteConnection>.fromOpaque(this).takeUnretainedValue()
                    connection.log.grew(to: Int(pages))
                    return SQLITE_OK
                },
                this
            )
        }
    }

    /// Transactions belong to the writer, and settings to this class: a closure that ends the one or turns the other
    /// would break the promise to its neighbours.
    private func mayPrepare(_ action: Int32, _ first: String?) -> Bool {
        guard !isTrusted else { return true }
        switch action {
        case SQLITE_TRANSACTION, SQLITE_SAVEPOINT, SQLITE_ATTACH, SQLITE_DETACH: return false
        // Full-text search asks for this one itself.
        case SQLITE_PRAGMA: return first == "data_version"
        default: return true
        }
    }

    /// Begins to copy this database into another; nil when SQLite refuses, with the reason in the other connection.
    func beginCopy(to target: OpaquePointer) -> OpaquePointer? {
        unsafe sqlite3_backup_init(target, "main", handle, "main")
    }

    // MARK: Upkeep

    var logBytes: Int { log.bytes }

    /// Checkpoints when the log has grown enough.
    ///
    /// After the callers have been resumed: no commit waits for a checkpoint but the next one.
    func maintain() {
        guard let mode = log.nextCheckpoint() else { return }
        do {
            try checkpoint(mode)
        } catch {
            // The log keeps what the file does not take, so nothing is lost; it is tried again when the log has grown.
            logger.warning("database log not checkpointed", [LogField("error", error: error)])
        }
    }

    /// Moves what is in the log into the database file.
    func checkpoint(_ mode: SQLiteLogGauge.Checkpoint) throws {
        // Readers that are in the way are waited for, but no longer than a second: writers wait with this thread.
        if mode != .passive { unsafe sqlite3_busy_timeout(handle, 1_000) }
        defer { if mode != .passive { unsafe sqlite3_busy_timeout(handle, 5_000) } }
        let status = unsafe sqlite3_wal_checkpoint_v2(handle, "main", mode.sqliteMode, nil, nil)
        guard status != SQLITE_OK else { return }
        let error = DatabaseError(sqlite: status, sql: "checkpoint")
        if SQLiteCode.isFailedSync(status) { giveUp(error) }
        if error.code != .busy { throw error }
    }
}
