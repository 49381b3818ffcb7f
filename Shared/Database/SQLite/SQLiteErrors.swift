import CSQLite

extension DatabaseError {
    /// An error that SQLite reported.
    ///
    /// - Parameters:
    ///   - status: the extended result code.
    ///   - message: SQLite's own words, where they cannot hold values.
    ///   - sql: the statement.
    init(sqlite status: Int32, message: String? = nil, sql: String? = nil) {
        var reason = unsafe message ?? sqlite3_errstr(status).map { unsafe String(cString: $0) } ?? "unknown error"
        reason += " (SQLite \(status))"
        if let sql { reason += " in: \(sql)" }
        self.init(code: Self.code(forSQLite: status), reason: reason)
    }

    private static func code(forSQLite status: Int32) -> Code {
        switch status & 0xff {
        case SQLITE_BUSY, SQLITE_LOCKED: .busy
        case SQLITE_FULL: .full
        case SQLITE_READONLY: .readOnly
        case SQLITE_IOERR: .ioFailed
        case SQLITE_CORRUPT, SQLITE_NOTADB: .corrupt
        case SQLITE_CANTOPEN, SQLITE_PERM: .cannotOpen
        case SQLITE_MISUSE, SQLITE_RANGE, SQLITE_AUTH, SQLITE_TOOBIG: .misuse
        case SQLITE_MISMATCH: .conversion
        case SQLITE_INTERRUPT: .timedOut
        case SQLITE_CONSTRAINT:
            .constraint(unique: [SQLiteCode.unique, SQLiteCode.primaryKey, SQLiteCode.rowID].contains(status))
        default: .other
        }
    }
}

/// Extended result codes, whose C macros are computed and so not imported.
enum SQLiteCode {
    static let primaryKey = SQLITE_CONSTRAINT | 6 << 8
    static let unique = SQLITE_CONSTRAINT | 8 << 8
    static let rowID = SQLITE_CONSTRAINT | 10 << 8
    static let constraintInFunction = SQLITE_CONSTRAINT | 4 << 8
    static let constraintInVirtualTable = SQLITE_CONSTRAINT | 9 << 8
    static let fileSyncFailed = SQLITE_IOERR | 4 << 8
    static let folderSyncFailed = SQLITE_IOERR | 5 << 8

    /// Whether SQLite's message for a code holds names of the schema only.
    ///
    /// Others may quote values: a search term,
    /// a JSON path, a text that is no number.
    static func hasPlainMessage(_ status: Int32) -> Bool {
        status & 0xff == SQLITE_CONSTRAINT && status != constraintInFunction && status != constraintInVirtualTable
    }

    /// Whether the system could not make written data durable.
    ///
    /// It may have dropped the data and report success next
    /// time, so nothing that follows could be believed.
    static func isFailedSync(_ status: Int32) -> Bool {
        status == fileSyncFailed || status == folderSyncFailed
    }
}
