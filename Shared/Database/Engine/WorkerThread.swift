import CSQLite
import Glibc

/// A thread of the database's own.
///
/// A connection blocks in system calls (a commit waits for the disk), so it runs neither on Swift's cooperative threads,
/// of which there are as few as cores, nor on a pool that others share.
enum WorkerThread {
    /// Starts a thread that runs `body` and ends with it.
    ///
    /// - Parameter name: at most 15 bytes, for debuggers and `top -H`.
    /// - Throws: `DatabaseError` when the system gives no thread.
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(DatabaseError) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let status = unsafe pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                // A thread without a name works as well; there is nothing to do about a failure.
                _ = unsafe csqlite_name_thread(start.name)
                start.body()
                return nil
            },
            start.toOpaque()
        )
        guard status == 0 else {
            unsafe start.release()
            throw DatabaseError(code: .cannotOpen, reason: "cannot start a thread (error \(status))")
        }
        pthread_detach(thread)
    }

    /// What the new thread is given.
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
}
