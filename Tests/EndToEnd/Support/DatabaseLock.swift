import Foundation
import TestSupport

/// Keeps the write lock of a SQLite file from outside, so that a service's next commit has to wait: the one way to
/// stop a process exactly between what it did outside and its commit.
final class DatabaseLock: Sendable {
    private let holder: ChildProcess

    /// Returns once the lock is held.
    init(_ database: URL, folder: TemporaryFolder) async throws {
        let script = """
            import signal, sqlite3, sys
            connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
            connection.execute("BEGIN IMMEDIATE")
            print("locked", flush=True)
            signal.pause()
            """
        let holder = try ChildProcess(
            URL(fileURLWithPath: "/usr/bin/python3"),
            arguments: ["-c", script, database.path],
            folder: folder.url
        )
        self.holder = holder
        try await eventually("the database is locked") { holder.standardOutput.contains("locked") }
    }

    /// Gives the lock back; nothing was written.
    func release() async throws {
        try await holder.kill()
    }
}
