import Telemetry
import Testing

@testable import Database

/// One write must not hold all others for ever without anybody knowing.
@Suite("A write that takes too long", .timeLimit(.minutes(5)))
struct WriteDeadlineTests {
    private static let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
    private static let long = "what the database's writer does takes long, and other writes wait"

    @Test(
        "is given up while it runs SQL, undone, and the writer serves the next one",
        arguments: [
            "\(endless) SELECT count(*) FROM n",
            "INSERT INTO notes (text) \(endless) SELECT i FROM n WHERE i < 0",
        ]
    )
    func endlessStatement(statement: String) async throws {
        try await withImpatientDatabase { database, _ async throws in
            let error = await databaseError {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO notes (text) VALUES ('undone')")
                    _ = try transaction.query(statement)
                }
            }
            #expect(error?.code == .timedOut)
            #expect(error?.isTransient == true)
            try await database.add("next")
            #expect(try await database.texts() == ["next"])
        }
    }

    @Test("is given up between statements, too, and catching the error does not help it")
    func manyStatements() async throws {
        try await withImpatientDatabase { database, _ async throws in
            let error = await databaseError {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO notes (text) VALUES ('undone')")
                    while true { _ = try transaction.query("\(Self.endless) SELECT i FROM n LIMIT 5000") }
                }
            }
            #expect(error?.code == .timedOut)
            let stubborn = await databaseError {
                try await database.write { transaction in
                    _ = try? transaction.query("\(Self.endless) SELECT count(*) FROM n")
                    try transaction.execute("INSERT INTO notes (text) VALUES ('undone')")
                }
            }
            #expect(stubborn?.code == .timedOut)
            #expect(try await database.texts().isEmpty)
        }
    }

    @Test(
        "fails alone, whether it was reading or writing",
        arguments: [
            "\(endless) SELECT count(*) FROM n",
            "INSERT INTO notes (text) \(endless) SELECT i FROM n WHERE i < 0",
        ]
    )
    func neighbours(statement: String) async throws {
        try await withImpatientDatabase { database, _ async throws in
            let gate = await database.holdWriter()
            let outcomes = Outcomes(5)
            for number in 0..<5 {
                database.submit({ transaction in
                    try transaction.execute("INSERT INTO notes (text) VALUES ($1)", "\(number)")
                    if number == 2 { _ = try transaction.query(statement) }
                    return number
                }) { outcomes.take(number, $0) }
            }
            gate.open()
            #expect(await outcomes.wait().map(\.code) == [nil, nil, .timedOut, nil, nil])
            #expect(try await database.texts() == ["0", "1", "3", "4"])
        }
    }

    @Test("is named in the log and in the figures where it blocks in Swift code, until it ends")
    func blockingClosure() async throws {
        try await withImpatientDatabase { database, log async throws in
            try await database.add("before")
            let waiting = Gate()
            async let seen = database.write { _ in
                waiting.waitOnThread()
                // Nothing of what is asked for here needs the writer.
                let isReported = log.wait(for: Self.long, upTo: .seconds(60))
                return isReported ? database.statistics : nil
            }
            async let behind: Void = database.add("behind")
            waiting.open()
            let statistics = try #require(try await seen)
            #expect(statistics.presentWriteSeconds >= 0.05)
            #expect(statistics.waitingWrites <= 1)
            try await behind
            let isOver = try await database.read(deadline: .seconds(60)) { _ in
                log.wait(for: "the database's writer goes on", upTo: .seconds(60))
            }
            #expect(isOver)
            #expect(log.messages.filter { $0 == "the database's writer goes on" }.count == 1)
        }
    }

    @Test("does not lie in what came before: each closure has its own time, and idleness is not reported")
    func idleness() async throws {
        try await withImpatientDatabase { database, log async throws in
            for _ in 0..<3 { try await database.add("\(database.statistics.commits)") }
            // Long enough for the watch to fall asleep and be woken again.
            let isReported = try await database.read(deadline: .seconds(60)) { _ in
                log.wait(for: Self.long, upTo: .milliseconds(300))
            }
            #expect(!isReported)
            #expect(database.statistics.presentWriteSeconds == 0)
            let error = await databaseError {
                try await database.write { _ in
                    guard log.wait(for: Self.long, upTo: .seconds(60)) else { return }
                    throw DatabaseError(code: .other, reason: "reported")
                }
            }
            #expect(error?.reason == "reported")
        }
    }

    @Test("may be a migration: what happens before the database is open is not limited")
    func migration() async throws {
        let slow = MigrationSet(
            "slow",
            [
                MigrationSet.Migration(
                    "count",
                    "CREATE TABLE counted AS \(Self.endless) SELECT i FROM n LIMIT 1000000"
                )
            ]
        )
        try await withImpatientDatabase(limit: .milliseconds(1), migrations: [notes, slow]) {
            database,
            _ async throws in
            let count: Int = try await database.read { try $0.first("SELECT count(*) FROM counted")?[0] ?? 0 }
            #expect(count == 1_000_000)
        }
    }

    /// A database whose writes have little time, with its log.
    private func withImpatientDatabase(
        limit: Duration = .milliseconds(100),
        migrations: [MigrationSet] = [notes],
        _ body: (Database, RecordingSink) async throws -> Void
    ) async throws {
        try await withFolder { folder async throws in
            let log = RecordingSink()
            var options = SQLiteEngine.Options()
            options.writeDeadline = limit
            options.watchInterval = .milliseconds(20)
            let database = Database(
                engine: try await SQLiteEngine.open(
                    SQLiteLocation("sqlite:\(folder)/test.db"),
                    migrations: migrations,
                    logger: Logger("test", level: .info, sink: log),
                    options: options
                )
            )
            do {
                try await body(database, log)
                await database.close()
            } catch {
                await database.close()
                throw error
            }
        }
    }
}
