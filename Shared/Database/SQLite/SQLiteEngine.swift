import CSQLite
import Glibc
import Synchronization
import Telemetry

/// SQLite behind `Database`: one file, one process, one writer that alone checkpoints, readers on their own threads.
final class SQLiteEngine: Engine {
    /// How an engine is set up; tests change it.
    struct Options: Sendable {
        /// Readers, each with a connection and a thread.
        var readers = 2
        /// What is done when a sync has failed.
        ///
        /// The process ends: the system may have dropped the data that it could not write, so neither the file's content
        /// nor any later success could be believed. What was acknowledged is safe; after the start the log is read anew.
        var giveUp: @Sendable (DatabaseError, Logger) -> Void = { error, logger in
            logger.error("database.sync-failed: the process ends", [LogField("error", error: error)])
            _exit(EX_IOERR)
        }
    }

    private let path: String
    private let logger: Logger
    private let options: Options
    private let writer = GroupCommitter()
    private let readers = ReaderPool()
    private let closing: ClosingDoor

    private init(path: String, logger: Logger, options: Options) {
        self.path = path
        self.logger = logger
        self.options = options
        closing = ClosingDoor(readers: options.readers)
    }

    /// Opens the file, on the writer's thread.
    static func open(
        _ location: SQLiteLocation,
        migrations: [MigrationSet],
        logger: Logger,
        options: Options = Options()
    ) async throws -> SQLiteEngine {
        try await withCheckedThrowingContinuation { continuation in
            do {
                try WorkerThread.start("database-writer") {
                    write(to: location, migrations: migrations, logger: logger, options: options) {
                        continuation.resume(with: $0)
                    }
                }
            } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    /// The writer's thread, from opening to closing.
    private static func write(
        to location: SQLiteLocation,
        migrations: [MigrationSet],
        logger: Logger,
        options: Options,
        opened: (Result<SQLiteEngine, any Error>) -> Void
    ) {
        let engine: SQLiteEngine
        let lock: SQLiteLockFile
        let connection: SQLiteConnection
        do {
            try configureProcess()
            let path = try SQLiteFile.prepare(location.path)
            lock = try SQLiteLockFile(path + ".lock")
            engine = SQLiteEngine(path: path, logger: logger, options: options)
            do {
                connection = try engine.start(migrations, lock: lock)
            } catch {
                engine.beginClosing()
                throw error
            }
        } catch {
            return opened(.failure(error))
        }
        opened(.success(engine))
        engine.writer.run(on: connection)
        engine.closing.waitForReaders()
        engine.finish(connection, lock: lock)
        engine.closing.open()
    }

    /// Opens the writer's connection, brings the schema up to date and starts the readers.
    private func start(_ migrations: [MigrationSet], lock: SQLiteLockFile) throws -> SQLiteConnection {
        let isUnclean = lock.wasLeftOpen || (SQLiteFile.size(path + "-wal") ?? 0) > 0
        let connection = try connect(.writer)
        if isUnclean { try check(connection) }
        for migration in try Migrator(sets: migrations).apply(on: connection) {
            logger.info("migration applied", [LogField("database.migration", migration)])
        }
        for number in 1...options.readers {
            // Opened here, so that a failure is one of `open`; handed over to the only thread that uses it then.
            let reader = Handover(try connect(.reader))
            try WorkerThread.start("database-read-\(number)") { [self] in
                if let connection = reader.take() { readers.run(on: connection) }
                closing.readerEnded()
            }
        }
        logger.info("database opened", [LogField("database.path", path)])
        return connection
    }

    private func connect(_ role: SQLiteConnection.Role) throws -> SQLiteConnection {
        try SQLiteConnection(path: path, role: role, logger: logger) { [options, logger] in options.giveUp($0, logger) }
    }

    /// Looks for damage after an unclean stop.
    private func check(_ connection: SQLiteConnection) throws {
        logger.info("database checked after an unclean stop", [LogField("database.path", path)])
        let finding: String = try connection.own("PRAGMA quick_check(1)").first?[0] ?? "no answer"
        guard finding == "ok" else {
            throw DatabaseError(
                code: .corrupt,
                reason: "\(path) is damaged (\(finding)): restore the last backup, and keep this file for repair"
            )
        }
    }

    private func finish(_ connection: SQLiteConnection, lock: SQLiteLockFile) {
        do {
            try connection.checkpoint(.truncate)
            try lock.markClosed()
            logger.info("database closed", [LogField("database.path", path)])
        } catch {
            // Nothing is lost: what is in the log is applied at the next start, which will check the file.
            logger.warning("database closed without its checkpoint", [LogField("error", error: error)])
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

    // MARK: Engine

    func enqueueWrite(_ job: any Job) -> Bool { writer.enqueue(job) }

    func enqueueRead(_ job: any Job) -> Bool { readers.enqueue(job) }

    func backUp(to path: String) async throws {
        throw DatabaseError(code: .other, reason: "not yet")
    }

    func beginClosing() {
        readers.close()
        writer.close()
    }

    func waitUntilClosed() async {
        await closing.wait()
    }

    var statistics: Database.Statistics { writer.statistics }
}
