import Synchronization
import Telemetry
import Testing

@testable import Database

@Suite("A write that is undone among others", .timeLimit(.minutes(5)))
struct UndoTests {
    private struct Refusal: Error {}

    private static let tables = MigrationSet(
        "undo",
        [
            .init(
                "tables",
                """
                CREATE TABLE entries (id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, value INTEGER NOT NULL);
                CREATE TABLE stamps (id INTEGER PRIMARY KEY, at INTEGER NOT NULL DEFAULT (unixepoch() * 1000),
                    dice INTEGER NOT NULL DEFAULT (random()));
                CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL);
                CREATE TRIGGER entries_logged AFTER INSERT ON entries BEGIN
                    INSERT INTO log (what) VALUES ('insert ' || new.key);
                END;
                """
            )
        ]
    )

    /// What one closure does, chosen before it runs.
    private struct Plan: Sendable {
        enum Deed: Sendable {
            case set(key: String, value: Int)
            case double(above: Int)
            case remove(key: String)
            case stamp
            case conflict
        }

        var deeds: [Deed]
        var isRefused: Bool

        static func random() -> Plan {
            let deeds = (0..<Int.random(in: 0...4)).map { _ -> Deed in
                let key = "key \(Int.random(in: 0..<12))"
                return switch Int.random(in: 0..<20) {
                case 0..<10: .set(key: key, value: .random(in: 0..<1_000))
                case 10..<14: .double(above: .random(in: 0..<1_000))
                case 14..<18: .remove(key: key)
                case 18: .conflict
                default: .stamp
                }
            }
            return Plan(deeds: deeds, isRefused: Int.random(in: 0..<6) == 0)
        }
    }

    /// Carries a plan out, and gives all that it saw.
    private static func run(_ plan: Plan, in transaction: Transaction) throws -> [String] {
        var seen: [String] = []
        for deed in plan.deeds {
            switch deed {
            case .set(let key, let value):
                let rows = try transaction.query(
                    """
                    INSERT INTO entries (key, value) VALUES ($1, $2)
                    ON CONFLICT (key) DO UPDATE SET value = value + excluded.value RETURNING id, value
                    """,
                    key,
                    value
                )
                seen.append("\(key): \(rows.map(\.values))")
            case .double(let value):
                let count = try transaction.execute(
                    "UPDATE entries SET value = value * 2 % 977 WHERE value > $1",
                    value
                )
                seen.append("doubled \(count)")
            case .remove(let key):
                seen.append("removed \(try transaction.execute("DELETE FROM entries WHERE key = $1", key))")
            case .stamp:
                let row = try transaction.first("INSERT INTO stamps DEFAULT VALUES RETURNING id, at, dice")
                let (id, at, dice): (Int, Int64, Int64) = (try row?[0] ?? 0, try row?[1] ?? 0, try row?[2] ?? 0)
                seen.append("stamp \(id) \(at) \(dice)")
            case .conflict:
                // Met and passed over, which SQLite allows: the statement alone has no effect.
                try transaction.execute(
                    "INSERT INTO entries (key, value) VALUES ('only', 1) ON CONFLICT (key) DO NOTHING"
                )
                _ = try? transaction.execute("INSERT INTO entries (key, value) VALUES ('only', 2)")
            }
        }
        let row = try transaction.first("SELECT COUNT(*), COALESCE(SUM(value * id), 0) FROM entries")
        seen.append("\(row?.values ?? [])")
        if plan.isRefused { throw Refusal() }
        return seen
    }

    private static func content(_ database: Database) async throws -> [String] {
        try await database.read { transaction in
            try ["entries", "stamps", "log", "sqlite_sequence"].flatMap { table in
                try transaction.query("SELECT * FROM \(table) ORDER BY 1").map { "\(table) \($0.values)" }
            }
        }
    }

    @Test("leaves what the others did and saw, as if it had never been there", arguments: 0..<40)
    func asIfNever(round: Int) async throws {
        try await withFolder { folder async throws in
            let together = try await Database.open("sqlite:\(folder)/a.db", migrations: [Self.tables], logger: .silent)
            let alone = try await Database.open("sqlite:\(folder)/b.db", migrations: [Self.tables], logger: .silent)
            for _ in 0..<3 {
                let plans = (0..<Int.random(in: 2..<40)).map { _ in Plan.random() }
                let gate = await together.holdWriter()
                let seen = Mutex<[Int: [String]]>([:])
                let runs = Mutex<[Int: Int]>([:])
                await withTaskGroup { group in
                    let finished = Outcomes(plans.count)
                    for (number, plan) in plans.enumerated() {
                        together.submit { transaction -> Int in
                            runs.withLock { $0[number, default: 0] += 1 }
                            let result = try Self.run(plan, in: transaction)
                            seen.withLock { $0[number] = result }
                            return 0
                        } completion: {
                            finished.take(number, $0)
                        }
                    }
                    gate.open()
                    group.addTask { _ = await finished.wait() }
                }
                #expect(runs.withLock { $0.values.allSatisfy { $0 == 1 } && $0.count == plans.count })
                // The same, one by one and without those that were undone, finds and leaves the same - but for the
                // stamps, which are what they were when they were made.
                for (number, plan) in plans.enumerated() where !plan.isRefused {
                    let result = try await alone.write { try Self.run(plan, in: $0) }
                    let expected = result.filter { !$0.hasPrefix("stamp") }
                    #expect(seen.withLock { $0[number]?.filter { !$0.hasPrefix("stamp") } } == expected)
                }
                let left = try await Self.content(together).filter { !$0.hasPrefix("stamps") }
                #expect(left == (try await Self.content(alone).filter { !$0.hasPrefix("stamps") }))
                let stamps = try await together.read { transaction in
                    try transaction.query("SELECT id, at, dice FROM stamps ORDER BY id").map { row -> String in
                        let (id, at, dice): (Int, Int64, Int64) = (try row[0], try row[1], try row[2])
                        return "stamp \(id) \(at) \(dice)"
                    }
                }
                let known = Set(stamps)
                let reported = seen.withLock { $0.values.flatMap { $0 }.filter { $0.hasPrefix("stamp") } }
                #expect(reported.allSatisfy { known.contains($0) })
            }
            await together.close()
            await alone.close()
        }
    }

    @Test("steps are told apart by what undoes them: repeating, or a savepoint where repeating would differ")
    func kinds() async throws {
        try await withFolder { folder async throws in
            let database = try await Database.open("sqlite:\(folder)/a.db", migrations: [Self.tables], logger: .silent)
            _ = try await database.write { transaction in
                try transaction.execute("INSERT INTO entries (key, value) VALUES ('a', 1)")
            }
            await database.close()
            let connection = try SQLiteConnection(path: "\(folder)/a.db", role: .writer, logger: .silent) { _ in }
            let isRepeatable = { (sql: String) in try connection.isRepeatable(sql) }
            #expect(try isRepeatable("INSERT INTO entries (key, value) VALUES ($1, $2)"))
            #expect(try isRepeatable("UPDATE entries SET value = value + 1, key = upper(key)"))
            #expect(try isRepeatable("SELECT random()"))
            #expect(try !isRepeatable("UPDATE entries SET value = random()"))
            #expect(try !isRepeatable("UPDATE entries SET value = unixepoch()"))
            #expect(try !isRepeatable("INSERT INTO log (what) VALUES (CURRENT_TIMESTAMP)"))
            #expect(try !isRepeatable("INSERT INTO stamps DEFAULT VALUES"))
        }
    }
}
