import CSQLite
import Glibc
import Synchronization
import Telemetry

/// SQLite behind `Database`: one file, one process, one writer that alone checkpoints, readers on their own threads.
final class SQLiteEngine: Engine {
    /// How an engine is set up; tests change it.
    struct Options: Sendable {
        /// Shared readers, each with a connection and a thread; one that is reserved comes on top.
        var readers = 2
        /// How long the SQL of one write may take, and after which what else holds the writer is reported.
        var writeDeadline = Database.writeDeadline
        /// How often the writer is looked at.
        var watchInterval: Duration = .seconds(1)
        /// What is done when a sync has failed.
        ///
        /// The process ends: the system may have dropped the data that it could not write, so neither the file's content
        /// nor any later success could be believed. What was acknowledged before is safe; the next start reads the log
        /// anew and checks the file.
        var giveUp: @Sendable (DatabaseError, Logger) -> Void = { error, logger in
            logger.error(
                "database cannot be trusted after a failed sync, the process ends",
                [LogField("error", error: error)]
            )
            _exit(EX_IOERR)
        }
    }

    private let path: String
    private let logger: Logger
    private let options: Options
    private let writer: GroupCommitter
    private let watch: WriteWatch
    private let readers = ReaderPool()
    private let reservedReader = ReaderPool()
    let door = ClosingDoor()
    private let isBackingUp = Atomic(false)

    private init(path: String, logger: Logger, options: Options) {
        self.path = path
        self.logger = logger
        self.options = options
        watch = WriteWatch(limit: options.writeDeadline, interval: options.watchInterval)
        writer = GroupCommitter(watch: watch)
    }

    // MARK: Opening

    /// Opens the file, on the writer's thread.
    static func open(
        _ location: SQLiteLocation,
        migrations: [MigrationSet],
        logger: Logger,
        options: Options = Options(),
        opening: SQLiteOpening = SQLiteOpening()
    ) async throws -> SQLiteEngine {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try WorkerThread.start("database-writer") {
                    live(at: location, migrations: migrations, logger: logger, options: options, opening: opening) {
                        continuation.resume(with: $0)
                    }
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// The writer's thread, from opening to closing.
    private static func live(
        at location: SQLiteLocation,
        migrations: [MigrationSet],
        logger: Logger,
        options: Options,
        opening: SQLiteOpening,
        opened: (Result<SQLiteEngine, any Error>) -> Void
    ) {
        do {
            try opening.begin(.opening)
            try configureProcess()
            let path = try SQLiteFile.prepare(location.path)
            let lock = try SQLiteLockFile(path + ".lock")
            let engine = SQLiteEngine(path: path, logger: logger, options: options)
            var connection: SQLiteConnection?
            do {
                connection = try engine.start(migrations, lock: lock, opening: opening)
            } catch {
                // Readers that have started already end, and let go of the file before the lock is let go of.
                engine.beginClosing()
                engine.door.waitForUsers()
                // What was interrupted fails in its own words.
                throw opening.isCancelled ? CancellationError() : error
            }
            opened(.success(engine))
            engine.run(&connection, lock: lock)
        } catch {
            opened(.failure(error))
        }
    }

    /// Opens the writer's connection, brings the schema up to date and starts the readers.
    private func start(
        _ migrations: [MigrationSet],
        lock: SQLiteLockFile,
        opening: SQLiteOpening
    ) throws -> SQLiteConnection {
        let isUnclean = lock.wasLeftOpen || (SQLiteFile.size(path + "-wal") ?? 0) > 0
        try SQLiteFile.create(path)
        let connection = try connect(.writer)
        connection.opening = opening
        if isUnclean {
            try opening.begin(.checking)
            try check(connection)
        }
        let migrator = Migrator(sets: migrations) { try opening.begin(.migrating($0)) }
        for migration in try migrator.apply(on: connection) {
            logger.info("migration applied", [LogField("database.migration", migration)])
        }
        for number in 1...options.readers {
            // Opened here, so that a failure is one of `open`.
            try startUser("database-read-\(number)", on: Handover(try connect(.reader))) { [readers] connection in
                readers.run(on: connection)
            }
        }
        try startUser("database-read-0", on: Handover(try connect(.reader))) { [reservedReader] connection in
            reservedReader.run(on: connection)
        }
        try WorkerThread.start("database-watch") { [watch, writer, logger] in
            watch.run(logger: logger) { writer.waiting }
        }
        connection.opening = nil
        // What took its time until here - a check, a migration - is allowed to.
        connection.stepLimit = options.writeDeadline
        logger.info("database opened", [LogField("database.path", path)])
        return connection
    }

    /// Starts a thread that uses a connection of its own; closing waits for it.
    private func startUser(
        _ name: String,
        on connection: Handover,
        _ body: @escaping @Sendable (SQLiteConnection) -> Void
    ) throws {
        guard door.enter() else { throw Database.closed }
        do {
            try WorkerThread.start(name) { [door] in
                if let connection = connection.take() { body(connection) }
                door.leave()
            }
        } catch {
            door.leave()
            throw error
        }
    }

    private func connect(_ role: SQLiteConnection.Role) throws -> SQLiteConnection {
        try SQLiteConnection(path: path, role: role, logger: logger) { [options, logger] in options.giveUp($0, logger) }
    }

    /// Looks for damage after an unclean stop.
    private func check(_ connection: SQLiteConnection) throws {
        logger.info("database is checked after an unclean stop", [LogField("database.path", path)])
        let finding: String
        do {
            finding = try connection.own("PRAGMA quick_check(1)").first?[0] ?? "no answer"
        } catch let error as DatabaseError where error.code == .corrupt {
            finding = error.reason
        }
        guard finding == "ok" else {
            throw DatabaseError(
                code: .corrupt,
                reason: "\(path) is damaged (\(finding)): restore the last backup, and keep this file for repair"
            )
        }
    }

    /// Once per process, before the first connection.
    private static func configureProcess() throws {
        guard sqlite3_libversion_number() >= 3_040_000, sqlite3_threadsafe() != 0 else {
            throw DatabaseError(code: .cannotOpen, reason: "SQLite 3.40 or later, with threads, is needed")
        }
        _ = processStatus
    }

    /// Refused where the program itself has used SQLite before; it then works as well, only slower.
    private static let processStatus = csqlite_configure_process()

    // MARK: Living and closing

    /// Writes until closed, then closes in order.
    private func run(_ connection: inout SQLiteConnection?, lock: SQLiteLockFile) {
        if let connection { writer.run(on: connection) }
        watch.close()
        door.waitForUsers()
        do {
            try connection?.checkpoint(.truncate)
            connection = nil
            try lock.markClosed()
            logger.info("database closed", [LogField("database.path", path)])
        } catch {
            // Nothing is lost: what is in the log is applied at the next start, which will check the file.
            logger.warning("database closed without its checkpoint", [LogField("error", error: error)])
        }
        connection = nil
        lock.release()
        door.close()
    }

    func beginClosing() {
        door.beginClosing()
        readers.close()
        reservedReader.close()
        writer.close()
    }

    func waitUntilClosed() async {
        await door.waitUntilClosed()
    }

    // MARK: Work

    func enqueueWrite(_ job: any Job) -> Bool { writer.enqueue(job) }

    func enqueueRead(_ job: any Job) -> Bool {
        switch job.readers {
        case .shared: readers.enqueue(job)
        case .reserved: reservedReader.enqueue(job)
        }
    }

    var statistics: Database.Statistics { writer.statistics }

    func backUp(to target: String) async throws {
        guard !isBackingUp.exchange(true, ordering: .acquiringAndReleasing) else {
            throw DatabaseError(code: .busy, reason: "another backup of this database is running")
        }
        defer { isBackingUp.store(false, ordering: .releasing) }
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            do {
                try WorkerThread.start("database-backup") { [self] in
                    continuation.resume(with: Result { try copy(to: target) })
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
        logger.info("database backed up", [LogField("database.backup", target)])
    }

    /// Copies, on the thread of the backup; gives up when the database is closed meanwhile.
    private func copy(to target: String) throws {
        guard door.enter() else { throw Database.closed }
        defer { door.leave() }
        let path = try SQLiteFile.prepare(target)
        try SQLiteBackup(path: path).run(from: connect(.reader)) {
            if door.isClosing { throw Database.closed }
        }
    }
}
