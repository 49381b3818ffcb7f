import Foundation
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Database

@Suite("Opening a database", .timeLimit(.minutes(5)))
struct OpeningTests {
    @Test(
        "takes a path out of the URL, literally",
        arguments: [
            ("sqlite:relative.db", "relative.db"), ("sqlite:a/b c%20.db", "a/b c%20.db"), ("sqlite:/abs.db", "/abs.db"),
            ("sqlite:///abs/x.db", "/abs/x.db"),
        ]
    )
    func location(url: String, path: String) throws {
        #expect(try SQLiteLocation(url).path == path)
    }

    @Test(
        "refuses URLs that name no file of its own, without showing them",
        arguments: [
            "", "sqlite", "sqlite:", "sqlite::memory:", "sqlite:folder/", "sqlite://host/x.db", "sqlite://x.db",
            "sqlite:x.db?mode=ro", "sqlite:x.db#y", "sqlite:a\0b", "file:x.db", "/plain/path.db",
            "postgres://user:password@host/shop",
        ]
    )
    func invalidURL(url: String) async {
        let error = await databaseError { _ = try await Database.open(url, migrations: [], logger: .silent) }
        #expect(error?.code == .invalidURL)
        #expect(error?.description.contains("password") == false)
    }

    @Test("is refused while another process has the database, and says what to do")
    func otherProcess() async throws {
        try await withFolder { folder async throws in
            let path = "\(folder)/test.db"
            let url = "sqlite:\(path)"
            // util-linux's flock, and nothing of this module, in a process of its own.
            let other = try ChildProcess(
                URL(fileURLWithPath: "/usr/bin/flock"),
                arguments: ["--no-fork", "\(path).lock", "sh", "-c", "echo locked; exec sleep 3600"],
                folder: URL(fileURLWithPath: folder)
            )
            try await eventually("the other process has the lock") { other.standardOutput == "locked\n" }

            let error = await databaseError {
                _ = try await Database.open(url, migrations: [], logger: .silent)
            }
            #expect(error?.code == .cannotOpen)
            #expect(error?.reason.contains("stop that process") == true)
            #expect(FileManager.default.fileExists(atPath: path) == false)

            try await other.kill()
            let database = try await Database.open(url, migrations: [], logger: .silent)
            // The same path by another name is the same database.
            try FileManager.default.createSymbolicLink(atPath: "\(folder)/link.db", withDestinationPath: path)
            let second = await databaseError {
                _ = try await Database.open("sqlite:\(folder)/link.db", migrations: [], logger: .silent)
            }
            #expect(second?.code == .cannotOpen)
            #expect(second?.reason.contains("process \(ProcessInfo.processInfo.processIdentifier)") == true)
            await database.close()
            // Closed means free.
            await (try Database.open(url, migrations: [], logger: .silent)).close()
        }
    }

    @Test("works on with what a database held that was dropped without closing it")
    func dropped() async throws {
        try await withFolder { folder async throws in
            let url = "sqlite:\(folder)/test.db"
            var database: Database? = try await Database.open(url, migrations: [notes], logger: .silent)
            let door = try #require((database?.engine as? SQLiteEngine)?.door)
            database?.submit({ try $0.execute("INSERT INTO notes (text) VALUES ('kept')") }) { _ in }
            database = nil
            await door.waitUntilClosed()
            let again = try await Database.open(url, migrations: [notes], logger: .silent)
            #expect(try await again.texts() == ["kept"])
            await again.close()
        }
    }

    @Test("checks the file after an unclean stop, and only then")
    func uncleanStop() async throws {
        try await withFolder { folder async throws in
            let path = "\(folder)/test.db"
            let url = "sqlite:\(path)"
            let log = RecordingSink()
            let logger = Logger("test", level: .info, sink: log)
            func wasChecked() async throws -> Bool {
                log.clear()
                await (try Database.open(url, migrations: [notes], logger: logger)).close()
                return log.messages.contains("database is checked after an unclean stop")
            }
            #expect(try await wasChecked() == false)
            #expect(try await wasChecked() == false)
            // A process that ends in the middle leaves its mark in the lock file …
            try "process 1\n".write(toFile: "\(path).lock", atomically: false, encoding: .utf8)
            #expect(try await wasChecked() == true)
            #expect(try await wasChecked() == false)
            // … or content in the write-ahead log.
            try Data(repeating: 0, count: 64).write(to: URL(fileURLWithPath: "\(path)-wal"))
            #expect(try await wasChecked() == true)
            #expect(try await wasChecked() == false)
        }
    }

    @Test("refuses a damaged file after an unclean stop")
    func damage() async throws {
        try await withFolder { folder async throws in
            let path = "\(folder)/test.db"
            let url = "sqlite:\(path)"
            let database = try await Database.open(url, migrations: [notes], logger: .silent)
            try await database.write { transaction in
                for number in 0..<2_000 {
                    try transaction.execute("INSERT INTO notes (text) VALUES ($1)", "note \(number)")
                }
            }
            await database.close()
            let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
            try file.seek(toOffset: 5 * 4_096)
            try file.write(contentsOf: Data(repeating: 0xff, count: 4_096))
            try file.close()
            try "process 1\n".write(toFile: "\(path).lock", atomically: false, encoding: .utf8)
            let error = await databaseError { _ = try await Database.open(url, migrations: [notes], logger: .silent) }
            #expect(error?.code == .corrupt)
            #expect(error?.reason.contains("backup") == true)
        }
    }

    @Test("refuses a file that is no database")
    func noDatabase() async throws {
        try await withFolder { folder async throws in
            try String(repeating: "no database ", count: 1_000)
                .write(toFile: "\(folder)/test.db", atomically: false, encoding: .utf8)
            let error = await databaseError {
                _ = try await Database.open("sqlite:\(folder)/test.db", migrations: [notes], logger: .silent)
            }
            #expect(error?.code == .corrupt)
        }
    }

    @Test("refuses a file and a folder that it may not write to, and says what to do")
    func readOnly() async {
        // In a process of its own that gives up root's rights, to which permissions mean nothing.
        await #expect(processExitsWith: .success) {
            umask(0)
            let folder = "/tmp/database-read-only-\(getpid())"
            try FileManager.default.createDirectory(atPath: "\(folder)/open", withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let url = "sqlite:\(folder)/open/test.db"
            await (try Database.open(url, migrations: [notes], logger: .silent)).close()
            for file in ["test.db", "test.db.lock"] {
                chmod("\(folder)/open/\(file)", file == "test.db" ? 0o444 : 0o666)
            }
            chmod("\(folder)/open", 0o777)
            chmod(folder, 0o555)
            if geteuid() == 0 { try #require(seteuid(65_534) == 0) }
            for path in ["open/test.db", "new.db", "new/new.db"] {
                let error = await databaseError {
                    _ = try await Database.open("sqlite:\(folder)/\(path)", migrations: [], logger: .silent)
                }
                try #require(error?.code == .readOnly, "\(path): \(String(describing: error))")
                try #require(error?.reason.contains("write permission") == true)
            }
            if getuid() == 0 { try #require(seteuid(0) == 0) }
            chmod(folder, 0o777)
        }
    }

    @Test("makes the settings that the promises rest on, on every connection")
    func settings() async throws {
        try await withDatabase { database async throws in
            let names = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout", "trusted_schema"]
            let read: @Sendable (Transaction) throws -> [DatabaseValue] = { transaction in
                try names.map { try sqlite(of: transaction).own("PRAGMA \($0)")[0].values[0] }
            }
            let expected: [DatabaseValue] = [.text("wal"), .integer(2), .integer(1), .integer(5_000), .integer(0)]
            #expect(try await database.write(read) == expected)
            #expect(try await database.read(read) == expected)
            let mapped = try await database.write { try sqlite(of: $0).own("PRAGMA mmap_size").first?.values[0] }
            #expect(mapped == nil || mapped == .integer(0))
        }
    }

    @Test("keeps what it writes from other users of the machine")
    func permissions() async throws {
        try await withFolder { folder async throws in
            let database = try await Database.open("sqlite:\(folder)/test.db", migrations: [notes], logger: .silent)
            try await database.backup(to: "\(folder)/copy.db")
            for file in ["test.db", "test.db-wal", "test.db.lock", "copy.db"] {
                let attributes = try FileManager.default.attributesOfItem(atPath: "\(folder)/\(file)")
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(file)")
            }
            await database.close()
        }
    }

    /// Counts for ever.
    private static let endless = MigrationSet(
        "endless",
        [
            .init("first", "CREATE TABLE first (n INTEGER)"),
            .init(
                "second",
                """
                CREATE TABLE second AS WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted)
                SELECT count(*) AS n FROM counted
                """
            ),
        ]
    )

    @Test("says what it is at, step by step")
    func steps() async throws {
        try await withFolder { folder async throws in
            let steps = Mutex<[Database.OpeningStep]>([])
            let database = try await Database.open(
                "sqlite:\(folder)/test.db",
                migrations: [notes],
                logger: .silent,
                onStep: { step in steps.withLock { $0.append(step) } }
            )
            await database.close()
            let migrations = notes.migrations.map { Database.OpeningStep.migrating("\(notes.name)/\($0.name)") }
            #expect(steps.withLock { $0 } == [.opening] + migrations)
            // As after a crash.
            try "process 1\n".write(toFile: "\(folder)/test.db.lock", atomically: false, encoding: .utf8)
            steps.withLock { $0 = [] }
            let again = try await Database.open(
                "sqlite:\(folder)/test.db",
                migrations: [notes],
                logger: .silent,
                onStep: { step in steps.withLock { $0.append(step) } }
            )
            await again.close()
            #expect(steps.withLock { $0 } == [.opening, .checking])
        }
    }

    @Test("gives a migration up when it is cancelled, keeps those before it, and lets go of the file")
    func cancelledMigration() async throws {
        try await withFolder { folder async throws in
            let url = "sqlite:\(folder)/test.db"
            let (begun, begins) = AsyncStream.makeStream(of: Database.OpeningStep.self)
            let opening = Task {
                try await Database.open(url, migrations: [Self.endless], logger: .silent) { begins.yield($0) }
            }
            for await step in begun where step == .migrating("endless/second") { break }
            opening.cancel()
            await #expect(throws: CancellationError.self) { _ = try await opening.value }
            let first = MigrationSet("endless", Array(Self.endless.migrations.prefix(1)))
            let steps = Mutex<[Database.OpeningStep]>([])
            let database = try await Database.open(url, migrations: [first], logger: .silent) { step in
                steps.withLock { $0.append(step) }
            }
            #expect(steps.withLock { $0 }.contains { if case .migrating = $0 { true } else { false } } == false)
            let second = try await database.read { try $0.first("SELECT 1 FROM sqlite_schema WHERE name = 'second'") }
            #expect(second == nil)
            await database.close()
        }
    }
}
