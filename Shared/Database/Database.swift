public import Telemetry

/// A database with one writer that commits groups, and readers beside it.
///
/// Thread-safe. Nothing of it runs on Swift's cooperative threads except the few lines that queue a closure.
///
/// Today's engine is SQLite; what is above this module knows only this interface and SQL that engines have in common.
public final class Database: Sendable {
    /// How long a read may take unless its caller says otherwise.
    public static let readDeadline: Duration = .seconds(10)
    /// How long the SQL of one write may take, and after which anything else that holds the writer is reported.
    public static let writeDeadline: Duration = .seconds(10)

    let engine: any Engine

    init(engine: any Engine) {
        self.engine = engine
    }

    deinit {
        // Dropped without `close`: the threads end after what was queued, and the file is left in order.
        engine.beginClosing()
    }

    /// What the opening of a database is at.
    public enum OpeningStep: Sendable, Equatable {
        /// It takes the lock and opens the file.
        case opening
        /// It looks for damage after an unclean stop.
        case checking
        /// It applies the migration of that name, `set/name`.
        case migrating(String)
    }

    /// Opens the database, creates it if missing, applies migrations and starts the writer and the readers.
    ///
    /// After an unclean stop the database is checked for damage first, which takes time in proportion to its size. Where the
    /// task is cancelled meanwhile, a check or a migration is given up, and its transaction undone.
    ///
    /// - Parameters:
    ///   - url: `sqlite:relative.db`, `sqlite:/absolute.db` or `sqlite:///absolute.db`; the path is taken literally.
    ///     Folders that are missing are made.
    ///   - migrations: the sets of schema changes, applied in this order.
    ///   - logger: what happens to the database is written here.
    ///   - onStep: called as each step begins, on a thread of the database's; it must not block.
    /// - Throws: `DatabaseError`: `.invalidURL`; `.cannotOpen` when another process has the database; `.readOnly`;
    ///   `.corrupt`; `.migration` when the sets contradict what has been applied. `CancellationError`.
    public static func open(
        _ url: String,
        migrations: [MigrationSet],
        logger: Logger,
        onStep: @escaping @Sendable (OpeningStep) -> Void = { _ in }
    ) async throws -> Database {
        let logger = logger.labelled("database")
        let opening = SQLiteOpening(onStep: onStep)
        return try await withTaskCancellationHandler {
            Database(
                engine: try await SQLiteEngine.open(
                    SQLiteLocation(url),
                    migrations: migrations,
                    logger: logger,
                    opening: opening
                )
            )
        } onCancel: {
            opening.cancel()
        }
    }

    /// Runs `body` in a transaction shared with whatever else is waiting, in a step of its own; returns after the commit
    /// is durable.
    ///
    /// A throw out of `body` undoes this closure's effects alone and is rethrown. Once called it runs to its end even
    /// when the task is cancelled. `body` runs once at most; it must not block or do I/O of its own: all other writes
    /// wait for it.
    ///
    /// **What ends a write that takes too long.** Its SQL is given up after ``writeDeadline``: the statement that runs
    /// then throws `.timedOut`, and the closure is undone. (Where its group is not undone by repeating - see the engine -
    /// the closures before it fail with it, and may be tried again.) Nothing can end Swift code that blocks or loops
    /// without SQL, a disk that does not answer, or another process's lock: the log names it once it has taken as long as
    /// that, and ``Statistics-swift.struct/presentWriteSeconds`` shows it.
    ///
    /// - Throws: what `body` throws; `.timedOut`; or a `DatabaseError` when the commit fails, and then every closure of the
    ///   group gets it and none has had an effect.
    @discardableResult
    public func write<Result: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            submit(body) { continuation.resume(with: $0) }
        }
    }

    /// The same without a task.
    ///
    /// `completion` is called exactly once: on the writer's thread after the commit (or failure), or on the caller's
    /// thread when the database has been closed. It must not block.
    public func submit<Result: Sendable>(
        _ body: @escaping @Sendable (Transaction) throws -> Result,
        completion: @escaping @Sendable (Swift.Result<Result, any Error>) -> Void
    ) {
        let job = ClosureJob(body: body, completion: completion)
        if !engine.enqueueWrite(job) { job.finish(Self.closed) }
    }

    /// Which readers take a read.
    public enum Readers: Sendable {
        /// Those that everybody shares; reads that take their time keep them busy.
        case shared
        /// One that is kept for reads which take no time and which others wait for, such as those that a delivery begins
        /// with: what somebody browses meanwhile does not hold them up.
        case reserved
    }

    /// Runs `body` on a reader, in one consistent snapshot: it sees every write that returned before it was called.
    ///
    /// - Parameters:
    ///   - readers: who takes it.
    ///   - deadline: how long `body` may take; the statement that is running then is given up.
    ///   - body: reads only; it must not block or do I/O of its own.
    /// - Throws: what `body` throws; `.timedOut` after the deadline; `.misuse` for a statement that writes.
    public func read<Result: Sendable>(
        on readers: Readers = .shared,
        deadline: Duration = Database.readDeadline,
        _ body: @escaping @Sendable (Transaction) throws -> Result
    ) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let job = ClosureJob(deadline: deadline, readers: readers, body: body) { continuation.resume(with: $0) }
            if !engine.enqueueRead(job) { job.finish(Self.closed) }
        }
    }

    /// Copies the database, as it is now, into a new file, while reads and writes go on.
    ///
    /// Folders that are missing are made. The file appears under its name when it is complete and durable; a copy that fails leaves nothing under it.
    ///
    /// - Throws: `DatabaseError` when the file exists already, or cannot be written.
    public func backup(to path: String) async throws {
        try await engine.backUp(to: path)
    }

    /// Finishes what was queued, checkpoints and closes.
    ///
    /// Later calls of the other functions throw `.closed`; this one may be called again, and waits as well.
    public func close() async {
        engine.beginClosing()
        await engine.waitUntilClosed()
    }

    /// The counters, for metrics.
    public var statistics: Statistics { engine.statistics }

    /// Counters for metrics, since the database was opened.
    public struct Statistics: Sendable, Equatable {
        /// Transactions committed.
        public var commits = 0
        /// Closures in them.
        public var closures = 0
        /// Closures that threw or whose commit failed.
        public var failedClosures = 0
        /// The most closures that went through the writer together.
        public var largestGroup = 0
        /// Bytes in the write-ahead log that the next commits append to, or replace once they are in the database file.
        public var walBytes = 0
        /// Writes that wait for the writer now, those that it is busy with not counted.
        public var waitingWrites = 0
        /// How long the writer has been seen at one thing (a closure, a commit, a checkpoint), in seconds.
        ///
        /// 0 when it has nothing to do; a second less than the truth at most. Above ``Database/writeDeadline`` something
        /// holds all writes.
        public var presentWriteSeconds = 0.0

        /// Makes counters that stand at 0.
        public init() {}
    }

    static let closed = DatabaseError(code: .closed, reason: "the database has been closed")
}
