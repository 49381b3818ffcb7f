import Glibc

/// What the engine asks of the file system.
enum SQLiteFile {
    /// The real path of a file that may not be there yet; makes the folders that are missing.
    ///
    /// Symbolic links are followed, so that two names of one database are one path - and one lock.
    static func prepare(_ path: String) throws(DatabaseError) -> String {
        if let existing = realPath(path) { return existing }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        try makeFolder(folder)
        guard let real = realPath(folder) else { throw error("cannot find the folder \(folder)") }
        return real == "/" ? "/" + name : real + "/" + name
    }

    /// Makes sure that a file is there and takes writes; what is in it concerns nobody but this process's user.
    static func create(_ path: String) throws(DatabaseError) {
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw error("cannot write to \(path)") }
        _ = close(descriptor)
    }

    /// The size of a file in bytes, or nil when there is none.
    static func size(_ path: String) -> Int? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Int(status.st_size)
    }

    /// Makes what was renamed in a folder durable.
    static func synchronizeFolder(of path: String) throws(DatabaseError) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw error("cannot open the folder \(folder)") }
        defer { _ = close(descriptor) }
        guard fsync(descriptor) == 0 else { throw error("cannot make the folder \(folder) durable") }
    }

    /// The error of the system call that has just failed.
    static func error(_ what: String) -> DatabaseError {
        let number = errno
        let code: DatabaseError.Code =
            switch number {
            case EROFS, EACCES, EPERM: .readOnly
            case ENOSPC, EDQUOT: .full
            case EIO: .ioFailed
            default: .cannotOpen
            }
        let reason = unsafe strerror(number).map { unsafe String(cString: $0) } ?? "error \(number)"
        let mend = code == .readOnly ? "; give this process write permission on the file and its folder" : ""
        return DatabaseError(code: code, reason: "\(what): \(reason)\(mend)")
    }

    private static func makeFolder(_ folder: String) throws(DatabaseError) {
        if size(folder) != nil { return }
        if let slash = folder.lastIndex(of: "/"), slash != folder.startIndex {
            try makeFolder(String(folder[..<slash]))
        }
        guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else {
            throw error("cannot make the folder \(folder)")
        }
    }

    private static func realPath(_ path: String) -> String? {
        guard let real = unsafe realpath(path, nil) else { return nil }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }
}
