import CSQLite
import Glibc

/// A prepared statement: belongs to its connection's thread, is finalized when it is released.
@safe final class SQLiteStatement {
    let sql: String
    /// Whether it cannot change the database.
    let isReadOnly: Bool
    /// Whether it does the same again in the same place: it asks neither for a random number nor for the time.
    let isRepeatable: Bool
    /// When it was last taken out of the cache.
    var lastUse: UInt64 = 0

    private let handle: OpaquePointer
    /// SQLite's indices of `$1`…, in order.
    private let placeholders: [Int32]
    /// Where the texts and blobs lie that are bound.
    private let scratch: SQLiteScratch
    private var columns: Row.Columns?
    /// How often SQLite had prepared it anew (after a change of the schema) when `columns` was read.
    private var preparations: Int32 = 0

    /// Prepares the single statement in `sql`.
    ///
    /// - Parameter scratch: shared by the statements of a connection, of which one runs at a time.
    init(_ sql: String, on database: OpaquePointer, scratch: SQLiteScratch) throws(DatabaseError) {
        try Self.refuseNUL(sql)
        let (handle, rest) = unsafe try Self.prepare(Array(sql.utf8)[...], sql: sql, on: database)
        guard let handle = unsafe handle else {
            throw DatabaseError(code: .misuse, reason: "there is no statement in: \(sql)")
        }
        do throws(DatabaseError) {
            guard unsafe try Self.isBlank(rest, sql: sql, on: database) else {
                throw DatabaseError(code: .misuse, reason: "one statement at a time, there are several in: \(sql)")
            }
            unsafe placeholders = try Self.placeholders(of: handle, sql: sql)
            unsafe isReadOnly = sqlite3_stmt_readonly(handle) != 0
            isRepeatable = isReadOnly ? true : unsafe try !Self.mayDiffer(sql, on: database)
        } catch {
            unsafe sqlite3_finalize(handle)
            throw error
        }
        self.sql = sql
        self.scratch = scratch
        unsafe self.handle = handle
    }

    deinit {
        unsafe sqlite3_finalize(handle)
    }

    /// Runs every statement of a text, one after the other; none may have placeholders.
    ///
    /// - Throws: `DatabaseError`, or `SQLiteFailure` when a statement failed while it ran.
    static func runAll(_ sql: String, on database: OpaquePointer) throws {
        try refuseNUL(sql)
        var rest = Array(sql.utf8)[...]
        while !rest.isEmpty {
            let (handle, next) = unsafe try prepare(rest, sql: sql, on: database)
            rest = next
            guard let handle = unsafe handle else { continue }
            defer { unsafe sqlite3_finalize(handle) }
            guard unsafe sqlite3_bind_parameter_count(handle) == 0 else {
                throw DatabaseError(code: .misuse, reason: "a placeholder in a text without arguments: \(sql)")
            }
            var status = unsafe sqlite3_step(handle)
            while status == SQLITE_ROW { status = unsafe sqlite3_step(handle) }
            guard status == SQLITE_DONE else {
                throw unsafe failure(status, sql: sql, on: database)
            }
        }
    }

    /// Binds the arguments, runs the statement, gives at most `limit` rows, up to the first that is not wanted, and leaves the
    /// statement fit for reuse.
    ///
    /// - Throws: `DatabaseError`, or `SQLiteFailure` when the statement failed while it ran.
    func run(
        _ arguments: [DatabaseValue],
        limit: Int,
        while isWanted: (Row) throws -> Bool = { _ in true },
        on database: OpaquePointer
    ) throws -> [Row] {
        guard arguments.count == placeholders.count else {
            throw DatabaseError(
                code: .misuse,
                reason: "\(arguments.count) arguments for \(placeholders.count) placeholders in: \(sql)"
            )
        }
        guard !arguments.isEmpty else {
            defer { unsafe sqlite3_reset(handle) }
            return unsafe try step(limit: limit, while: isWanted, on: database)
        }
        // What is bound is referred to, in the scratch memory, and must not be when that is written again.
        defer {
            unsafe sqlite3_reset(handle)
            unsafe sqlite3_clear_bindings(handle)
            scratch.reset(capacity: 0)
        }
        try bind(arguments)
        return unsafe try step(limit: limit, while: isWanted, on: database)
    }

    private func bind(_ arguments: [DatabaseValue]) throws {
        var size = 0
        for argument in arguments {
            switch argument {
            case .text(let text): size += text.utf8.count
            case .blob(let blob): size += blob.count
            default: break
            }
        }
        scratch.reset(capacity: size)
        for (position, argument) in arguments.enumerated() {
            let index = placeholders[position]
            let status: Int32
            switch argument {
            case .null:
                status = unsafe sqlite3_bind_null(handle, index)
            case .integer(let integer):
                status = unsafe sqlite3_bind_int64(handle, index, integer)
            case .real(let real):
                guard !real.isNaN else {
                    throw DatabaseError(code: .conversion, reason: "argument $\(position + 1) is no number in: \(sql)")
                }
                status = unsafe sqlite3_bind_double(handle, index, real)
            case .text(let text):
                let bytes = unsafe scratch.append(text)
                status = unsafe csqlite_bind_text(handle, index, bytes.baseAddress, UInt64(bytes.count))
            case .blob(let blob):
                let bytes = unsafe scratch.append(blob)
                status = unsafe csqlite_bind_blob(handle, index, bytes.baseAddress, UInt64(bytes.count))
            }
            guard status == SQLITE_OK else { throw DatabaseError(sqlite: status, sql: sql) }
        }
    }

    private func step(
        limit: Int,
        while isWanted: (Row) throws -> Bool,
        on database: OpaquePointer
    ) throws -> [Row] {
        var rows: [Row] = []
        var isOver = limit <= 0
        while true {
            switch unsafe sqlite3_step(handle) {
            case SQLITE_ROW:
                if !isOver {
                    let row = try row()
                    isOver = try !isWanted(row)
                    if !isOver { rows.append(row) }
                    if rows.count >= limit { isOver = true }
                }
                // A statement that writes has to run to its end; of a query nothing more is wanted.
                if isOver && isReadOnly { return rows }
            case SQLITE_DONE:
                return rows
            case let status:
                throw unsafe Self.failure(status, sql: sql, on: database)
            }
        }
    }

    private func row() throws -> Row {
        let count = unsafe sqlite3_column_count(handle)
        var values: [DatabaseValue] = []
        values.reserveCapacity(Int(count))
        for column in 0..<count { values.append(try value(at: column)) }
        return Row(columns: currentColumns(count), values: values)
    }

    private func currentColumns(_ count: Int32) -> Row.Columns {
        let preparations = unsafe sqlite3_stmt_status(handle, SQLITE_STMTSTATUS_REPREPARE, 0)
        if let columns, preparations == self.preparations { return columns }
        let names = (0..<count).map { column in
            unsafe sqlite3_column_name(handle, column).map { unsafe String(cString: $0) } ?? ""
        }
        let columns = Row.Columns(names)
        self.columns = columns
        self.preparations = preparations
        return columns
    }

    private func value(at column: Int32) throws -> DatabaseValue {
        switch unsafe sqlite3_column_type(handle, column) {
        case SQLITE_INTEGER:
            return .integer(unsafe sqlite3_column_int64(handle, column))
        case SQLITE_FLOAT:
            return .real(unsafe sqlite3_column_double(handle, column))
        case SQLITE_TEXT:
            let bytes = unsafe UnsafeBufferPointer(
                start: sqlite3_column_text(handle, column),
                count: Int(sqlite3_column_bytes(handle, column))
            )
            // What is repaired differs. `String(validating:)` is not specialized for this and costs ten times as much.
            var text = unsafe String(decoding: bytes, as: UTF8.self)
            guard text.utf8.count == bytes.count, text.withUTF8({ unsafe Self.areEqual($0, bytes) }) else {
                throw DatabaseError(
                    code: .conversion,
                    reason: "column \(column) holds text that is no UTF-8 in: \(sql)"
                )
            }
            return .text(text)
        case SQLITE_BLOB:
            let start = unsafe sqlite3_column_blob(handle, column)
            let count = Int(unsafe sqlite3_column_bytes(handle, column))
            return .blob(unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count)))
        default:
            return .null
        }
    }

    private static func areEqual(_ left: UnsafeBufferPointer<UInt8>, _ right: UnsafeBufferPointer<UInt8>) -> Bool {
        guard let start = left.baseAddress, let other = right.baseAddress else { return true }
        return unsafe memcmp(start, other, left.count) == 0
    }

    /// Prepares the first statement of `text`; gives its handle (nil for a comment or blanks) and the rest of the text.
    private static func prepare(
        _ text: ArraySlice<UInt8>,
        sql: String,
        on database: OpaquePointer
    ) throws(DatabaseError) -> (OpaquePointer?, ArraySlice<UInt8>) {
        guard !text.isEmpty else { return (nil, text) }
        var handle: OpaquePointer?
        var used = text.count
        let status = unsafe text.withUnsafeBytes { bytes -> Int32 in
            let start = unsafe bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
            var tail: UnsafePointer<CChar>?
            let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
            let status = unsafe sqlite3_prepare_v3(database, start, Int32(bytes.count), flags, &handle, &tail)
            if let start = unsafe start, let tail = unsafe tail { used = unsafe tail - start }
            return status
        }
        guard status == SQLITE_OK else {
            // What SQLite says about preparing quotes the statement and nothing else.
            let message = unsafe sqlite3_errmsg(database).map { unsafe String(cString: $0) }
            let extended = unsafe sqlite3_extended_errcode(database)
            var error = DatabaseError(sqlite: extended, message: message, sql: sql)
            // A statement that SQLite cannot read is the program's fault.
            if error.code == .other && status == SQLITE_ERROR {
                error = DatabaseError(code: .misuse, reason: error.reason)
            }
            throw error
        }
        return unsafe (handle, text.dropFirst(used))
    }

    private static func isBlank(
        _ text: ArraySlice<UInt8>,
        sql: String,
        on database: OpaquePointer
    ) throws(DatabaseError) -> Bool {
        var rest = text
        while !rest.isEmpty {
            let (handle, next) = unsafe try prepare(rest, sql: sql, on: database)
            if let handle = unsafe handle {
                unsafe sqlite3_finalize(handle)
                return false
            }
            rest = next
        }
        return true
    }

    /// The indices of `$1`…`$n`, each of which has to be there.
    private static func placeholders(of handle: OpaquePointer, sql: String) throws(DatabaseError) -> [Int32] {
        let count = unsafe sqlite3_bind_parameter_count(handle)
        var indices: [Int32] = []
        for number in 0..<count {
            let index = unsafe sqlite3_bind_parameter_index(handle, "$\(number + 1)")
            guard index > 0 else {
                throw DatabaseError(code: .misuse, reason: "placeholders must be $1 to $\(count) in: \(sql)")
            }
            indices.append(index)
        }
        return indices
    }

    /// Whether it calls a function whose result differs from call to call, be it in a default value or a trigger.
    ///
    /// SQLite shows the calls in the program that it has made of the statement ("The SQLite Bytecode Engine").
    private static func mayDiffer(_ sql: String, on database: OpaquePointer) throws(DatabaseError) -> Bool {
        let explanation = unsafe try prepare(Array("EXPLAIN \(sql)".utf8)[...], sql: sql, on: database).0
        guard let explanation = unsafe explanation else { return true }
        defer { unsafe sqlite3_finalize(explanation) }
        while unsafe sqlite3_step(explanation) == SQLITE_ROW {
            // The fourth operand of a call is the function with the number of its arguments, `random(0)`.
            guard let operand = unsafe sqlite3_column_text(explanation, 5) else { continue }
            let name = unsafe String(cString: operand).prefix { $0 != "(" }
            if Self.changing.contains(String(name)) { return true }
        }
        return false
    }

    /// SQLite, "Built-In Scalar SQL Functions" and "Date And Time Functions": those that are not deterministic.
    private static let changing: Set<String> = [
        "random", "randomblob", "changes", "total_changes", "last_insert_rowid", "current_date", "current_time",
        "current_timestamp", "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff",
    ]

    /// SQLite would take the text up to there for the whole.
    private static func refuseNUL(_ sql: String) throws(DatabaseError) {
        guard !sql.utf8.contains(0) else {
            throw DatabaseError(code: .misuse, reason: "a statement holds a NUL character")
        }
    }

    private static func failure(_ status: Int32, sql: String, on database: OpaquePointer) -> SQLiteFailure {
        let extended = unsafe sqlite3_extended_errcode(database)
        let status = extended == SQLITE_OK ? status : extended
        let plain = SQLiteCode.hasPlainMessage(status)
        let message = plain ? unsafe sqlite3_errmsg(database).map { unsafe String(cString: $0) } : nil
        return SQLiteFailure(status: status, error: DatabaseError(sqlite: status, message: message, sql: sql))
    }
}

/// A statement that failed while it ran: SQLite's status beside the error that callers get.
struct SQLiteFailure: Error {
    let status: Int32
    let error: DatabaseError
}
