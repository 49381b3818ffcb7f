import Foundation
import Telemetry
import Testing

@testable import Database

@Suite("A database's life", .timeLimit(.minutes(5)))
struct LifetimeTests {
    @Test("ends with everything that was queued, in the order in which it was queued")
    func close() async throws {
        try await withFolder { folder async throws in
            let url = "sqlite:\(folder)/test.db"
            let log = RecordingSink()
            let logger = Logger("test", level: .info, sink: log)
            let database = try await Database.open(url, migrations: [notes], logger: logger)
            let gate = await database.holdWriter()
            let outcomes = Outcomes(700)
            for number in 0..<700 {
                database.submit({ try $0.execute("INSERT INTO notes (text) VALUES ($1)", "\(number)") }) {
                    outcomes.take(number, $0)
                }
            }
            let reading = Gate()
            let written = Gate()
            async let closedUnderRead = database.read { _ in
                reading.open()
                written.waitOnThread()
                // Nothing closes under a read, though the writer has the time for it.
                return log.wait(for: "database closed", upTo: .milliseconds(300))
            }
            await reading.wait()
            database.engine.beginClosing()
            #expect(await databaseError { try await database.add("too late") }?.code == .closed)
            gate.open()
            #expect(await outcomes.wait().allSatisfy { (try? $0.get()) == 1 })
            async let closed: Void = database.close()
            written.open()
            #expect(try await closedUnderRead == false)
            await closed
            #expect(log.messages.last == "database closed")
            await database.close()
            // The log is moved into the file: one file is the whole database.
            #expect(FileManager.default.fileExists(atPath: "\(folder)/test.db-wal") == false)

            for error in [
                await databaseError { try await database.add("late") },
                await databaseError { _ = try await database.texts() },
                await databaseError { try await database.backup(to: "\(folder)/late.db") },
            ] {
                #expect(error?.code == .closed)
            }
            let again = try await Database.open(url, migrations: [notes], logger: .silent)
            #expect(try await again.texts() == (0..<700).map { "\($0)" })
            await again.close()
        }
    }

    @Test("a write runs to its end when its task is cancelled")
    func cancellation() async throws {
        try await withDatabase { database async throws in
            let gate = await database.holdWriter()
            let task = Task { try await database.write { try $0.execute("INSERT INTO notes (text) VALUES ('x')") } }
            task.cancel()
            let late = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await database.write { try $0.execute("INSERT INTO notes (text) VALUES ('y')") }
            }
            gate.open()
            #expect(try await task.value == 1)
            #expect(try await late.value == 1)
            #expect(try await database.texts().sorted() == ["x", "y"])
        }
    }

    @Test("a transaction is of no use after its closure")
    func transactionAfterClosure() async throws {
        try await withDatabase { database async throws in
            let kept = Kept()
            let notebook = Notebook()
            try await database.write { transaction in
                transaction.context = 1
                kept.transaction = transaction
            }
            let transaction = try #require(kept.transaction)
            #expect(transaction.context == nil)
            transaction.afterCommit { notebook.note("called") }
            let uses: [() throws -> Void] = [
                { try transaction.execute("INSERT INTO notes (text) VALUES ('x')") },
                { _ = try transaction.query("SELECT 1") },
                { _ = try transaction.first("SELECT 1") },
            ]
            for use in uses { #expect(await databaseError(use)?.code == .misuse) }
            try await database.add("y")
            #expect(try await database.texts() == ["y"])
            #expect(notebook.all.isEmpty)
        }
    }

    @Test("what one closure attaches to its transaction, the next does not see")
    func context() async throws {
        try await withDatabase { database async throws in
            let gate = await database.holdWriter()
            let outcomes = Outcomes(2)
            for number in 0..<2 {
                let body: @Sendable (Transaction) throws -> Int = { transaction in
                    let before = transaction.context as? Int
                    transaction.context = number
                    return before ?? -1
                }
                database.submit(body) { outcomes.take(number, $0) }
            }
            gate.open()
            #expect(await outcomes.wait().map { try? $0.get() } == [-1, -1])
        }
    }

    @Test("a backup is the database of one moment, while writes go on")
    func backup() async throws {
        try await withFolder { folder async throws in
            let database = try await Database.open("sqlite:\(folder)/test.db", migrations: [notes], logger: .silent)
            for number in 0..<20 {
                try await database.write { transaction in
                    for part in 0..<200 {
                        let text = "\(number)-\(part)-" + String(repeating: "x", count: 500)
                        try transaction.execute("INSERT INTO notes (text) VALUES ($1)", text)
                    }
                }
            }
            let isDone = Flag()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    // Pairs: a backup between the two halves of a transaction would hold an odd number.
                    var number = 0
                    repeat {
                        let pair = number
                        try await database.write { transaction in
                            try transaction.execute("INSERT INTO notes (text) VALUES ($1)", "a\(pair)")
                            try transaction.execute("INSERT INTO notes (text) VALUES ($1)", "b\(pair)")
                        }
                        number += 1
                    } while !isDone.isRaised
                }
                group.addTask {
                    for copy in 0..<3 { try await database.backup(to: "\(folder)/copies/\(copy).db") }
                    isDone.raise()
                }
                try await group.waitForAll()
            }
            for copy in 0..<3 {
                let url = "sqlite:\(folder)/copies/\(copy).db"
                let backup = try await Database.open(url, migrations: [notes], logger: .silent)
                let count = try await backup.texts().count
                #expect(count >= 4_000 && count.isMultiple(of: 2))
                await backup.close()
            }
            await database.close()
        }
    }

    @Test("a backup overwrites nothing, and leaves nothing behind when it fails")
    func backupRefused() async throws {
        try await withFolder { folder async throws in
            let database = try await Database.open("sqlite:\(folder)/test.db", migrations: [notes], logger: .silent)
            try await database.add("x")
            #expect(await databaseError { try await database.backup(to: "\(folder)/test.db") }?.code == .cannotOpen)
            try FileManager.default.createDirectory(
                atPath: "\(folder)/b.db.partial/x",
                withIntermediateDirectories: true
            )
            #expect(await databaseError { try await database.backup(to: "\(folder)/b.db") } != nil)
            #expect(FileManager.default.fileExists(atPath: "\(folder)/b.db") == false)
            #expect(try await database.texts() == ["x"])
            await database.close()
        }
    }

    @Test("a failed sync ends the process, because nothing after it could be believed")
    func failedSync() async {
        await #expect(processExitsWith: .exitCode(EX_IOERR)) {
            try await withDatabase { database async throws in
                try await database.write { transaction in
                    try sqlite(of: transaction).beforeCommit = {
                        let error = DatabaseError(sqlite: SQLiteCode.fileSyncFailed)
                        throw SQLiteFailure(status: SQLiteCode.fileSyncFailed, error: error)
                    }
                }
            }
        }
    }

    @Test("the log is checkpointed by the writer when it has grown, and is then begun anew")
    func checkpoint() async throws {
        try await withDatabase { database async throws in
            try await database.write { try $0.execute("CREATE TABLE blobs (data BLOB)") }
            let blob = [UInt8](repeating: 1, count: 1_000_000)
            var largest = 0
            for _ in 0..<40 {
                try await database.write { try $0.execute("INSERT INTO blobs VALUES ($1)", blob) }
                largest = max(largest, database.statistics.walBytes)
            }
            // 40 MB went through a log that was begun anew every 16 MB or so.
            #expect(largest > 10_000_000)
            #expect(largest < 25_000_000)
        }
    }

    @Test("checkpoints come at 4,000 pages, and again as much later; a large log waits for readers")
    func gauge() {
        var gauge = SQLiteLogGauge()
        var checkpoints: [Int: SQLiteLogGauge.Checkpoint] = [:]
        for pages in stride(from: 500, through: 20_000, by: 500) {
            gauge.grew(to: pages)
            checkpoints[pages] = gauge.nextCheckpoint()
        }
        #expect(
            checkpoints == [4_000: .passive, 8_000: .passive, 12_000: .passive, 16_000: .restart, 20_000: .restart]
        )
        gauge.grew(to: 10)
        #expect(gauge.nextCheckpoint() == nil)
        #expect(gauge.bytes == 10 * 4_120)
        gauge.grew(to: 4_010)
        #expect(gauge.nextCheckpoint() == .passive)
    }

    @Test("many writers and readers at once see nothing but whole transactions")
    func crowd() async throws {
        try await withDatabase { database async throws in
            try await database.write { transaction in
                try transaction.execute("CREATE TABLE accounts (id INTEGER PRIMARY KEY, amount INTEGER NOT NULL)")
                for id in 0..<10 { try transaction.execute("INSERT INTO accounts VALUES ($1, 100)", id) }
            }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<20 {
                    group.addTask {
                        for step in 0..<50 {
                            let transfer: @Sendable (Transaction) throws -> Void = { transaction in
                                let update = "UPDATE accounts SET amount = amount + $1 WHERE id = $2"
                                try transaction.execute(update, -5, (writer + step) % 10)
                                try transaction.execute(update, 5, (writer * 7 + step * 3) % 10)
                                if (writer + step).isMultiple(of: 5) { throw CancellationError() }
                            }
                            do { try await database.write(transfer) } catch is CancellationError {}
                        }
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<100 {
                            let sum = try await database.read {
                                try $0.first("SELECT sum(amount) FROM accounts")?[0] as Int?
                            }
                            try #require(sum == 1_000)
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(database.statistics.failedClosures == 200)
            #expect(database.statistics.closures == 801)
        }
    }
}

/// Keeps a transaction longer than it may be kept.
///
/// Unchecked: written by the writer before the test, which has waited for it, reads.
private final class Kept: @unchecked Sendable {
    var transaction: Transaction?
}
