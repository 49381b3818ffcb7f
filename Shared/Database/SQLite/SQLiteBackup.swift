import CSQLite
import Glibc

/// One copy of a database into a new file.
struct SQLiteBackup {
    /// Where the copy goes.
    let path: String
    /// Pages between two looks at whether to go on.
    private static let step: Int32 = 1_024

    /// Makes the copy from one snapshot, which writers do not wait for.
    ///
    /// It is written beside its name and renamed when it is complete and durable.
    ///
    /// - Parameters:
    ///   - source: a connection that nobody else uses meanwhile.
    ///   - goesOn: asked between steps; throws to give up.
    func run(from source: SQLiteConnection, while goesOn: () throws -> Void) throws {
        guard SQLiteFile.size(path) == nil else {
            throw DatabaseError(code: .cannotOpen, reason: "\(path) exists already: name a new file for the backup")
        }
        let partial = path + ".partial"
        _ = unsafe unlink(partial)
        do {
            try SQLiteFile.create(partial)
            try copy(from: source, to: partial, while: goesOn)
            guard unsafe rename(partial, path) == 0 else { throw SQLiteFile.error("cannot rename \(partial)") }
            try SQLiteFile.synchronizeFolder(of: path)
        } catch {
            _ = unsafe unlink(partial)
            throw error
        }
    }

    private func copy(from source: SQLiteConnection, to file: String, while goesOn: () throws -> Void) throws {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX
        let status = unsafe sqlite3_open_v2(file, &opened, flags, nil)
        guard let target = unsafe opened, status == SQLITE_OK else {
            unsafe sqlite3_close_v2(opened)
            throw DatabaseError(sqlite: status, sql: "backup")
        }
        defer { unsafe sqlite3_close_v2(target) }
        // One transaction around all steps: without it a commit between two of them would start the copy anew.
        try source.own("BEGIN")
        defer { source.rollBack() }
        try source.own("SELECT count(*) FROM sqlite_schema")
        guard let backup = unsafe source.beginCopy(to: target) else {
            throw DatabaseError(sqlite: unsafe sqlite3_extended_errcode(target), sql: "backup")
        }
        var copied = SQLITE_OK
        do {
            while copied == SQLITE_OK {
                try goesOn()
                copied = unsafe sqlite3_backup_step(backup, Self.step)
            }
        } catch {
            unsafe sqlite3_backup_finish(backup)
            throw error
        }
        let finished = unsafe sqlite3_backup_finish(backup)
        guard copied == SQLITE_DONE, finished == SQLITE_OK else {
            throw DatabaseError(sqlite: copied == SQLITE_DONE ? finished : copied, sql: "backup")
        }
    }
}
