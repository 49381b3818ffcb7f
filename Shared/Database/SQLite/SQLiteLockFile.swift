import Glibc
import Synchronization

/// The file `<database>.lock`: one process per database, and a mark of whether the last one ended in order.
///
/// SQLite would let several processes in, but groups, wake-ups and checkpoints count on one. The lock is the system's
/// (`flock`): it ends with the process, however that ends, so a file that is left over locks nobody out.
final class SQLiteLockFile: Sendable {
    /// Whether the database was in use and not closed when the last process ended.
    let wasLeftOpen: Bool

    private let descriptor: Int32
    private let isReleased = Atomic(false)
    private static let closedMark = "closed\n"

    /// Takes the lock.
    ///
    /// - Throws: `.cannotOpen` when somebody else has it; `.readOnly` when the file cannot be made.
    init(_ path: String) throws(DatabaseError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw SQLiteFile.error("cannot open \(path)") }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let isTaken = errno == EWOULDBLOCK
            let holder = Self.text(of: descriptor).split(separator: "\n").first.map { " (\($0))" } ?? ""
            let error = SQLiteFile.error("cannot lock \(path)")
            _ = Glibc.close(descriptor)
            guard isTaken else { throw error }
            throw DatabaseError(
                code: .cannotOpen,
                reason: "the database is in use by another process\(holder), which holds \(path): "
                    + "stop that process, or give this one a database of its own"
            )
        }
        let mark = Self.text(of: descriptor)
        wasLeftOpen = !mark.isEmpty && mark != Self.closedMark
        do {
            try write("process \(getpid())\n")
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
    }

    deinit {
        release()
    }

    /// Lets the next one have the database.
    func release() {
        guard !isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
        _ = Glibc.close(descriptor)
    }

    /// Notes that the database was closed in order.
    func markClosed() throws(DatabaseError) {
        try write(Self.closedMark)
    }

    private func write(_ text: String) throws(DatabaseError) {
        let bytes = Array(text.utf8)
        let written = unsafe bytes.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        guard written == bytes.count, ftruncate(descriptor, off_t(bytes.count)) == 0, fsync(descriptor) == 0 else {
            throw SQLiteFile.error("cannot write the lock file")
        }
    }

    private static func text(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, 0) }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
