import Telemetry
import Testing

@testable import Database

@Suite("Migrations", .timeLimit(.minutes(5)))
struct MigrationTests {
    private let one = MigrationSet.Migration("one", "CREATE TABLE one (i INTEGER); INSERT INTO one VALUES (1);")
    private let two = MigrationSet.Migration("two", "CREATE TABLE two (i INTEGER)")
    private let three = MigrationSet.Migration("three", "CREATE TABLE three (i INTEGER)")

    /// Opens, and gives the names of the tables and the number of rows in `one`.
    private func open(_ folder: String, _ sets: [MigrationSet]) async throws -> [String] {
        let database = try await Database.open("sqlite:\(folder)/test.db", migrations: sets, logger: .silent)
        let names = try await database.read { transaction in
            try transaction.query("SELECT name FROM warren_migrations ORDER BY applied_at, set_name, position")
                .map { try $0["name"] as String }
        }
        await database.close()
        return names
    }

    private func refusal(_ folder: String, _ sets: [MigrationSet]) async -> DatabaseError? {
        await databaseError { _ = try await open(folder, sets) }
    }

    @Test("are applied once each, in order, new ones when they come")
    func once() async throws {
        try await withFolder { folder async throws in
            #expect(try await open(folder, [MigrationSet("a", [one])]) == ["one"])
            #expect(try await open(folder, [MigrationSet("a", [one])]) == ["one"])
            #expect(try await open(folder, [MigrationSet("a", [one, two])]) == ["one", "two"])
            let both = [MigrationSet("a", [one, two]), MigrationSet("b", [three])]
            #expect(try await open(folder, both) == ["one", "two", "three"])
        }
    }

    @Test("are refused when they contradict what has been applied")
    func contradictions() async throws {
        try await withFolder { folder async throws in
            _ = try await open(folder, [MigrationSet("a", [one, two])])
            let edited = MigrationSet.Migration("one", one.sql + " ")
            let cases: [([MigrationSet.Migration], String)] = [
                ([edited, two], "edited"),
                ([one], "not in this program"),
                ([], "not in this program"),
                ([two, one], "order"),
                ([three, one, two], "order"),
                ([one, three], "order"),
            ]
            for (migrations, word) in cases {
                let error = await refusal(folder, [MigrationSet("a", migrations)])
                #expect(error?.code == .migration)
                #expect(error?.reason.contains(word) == true)
                #expect(error?.reason.contains("\"a\"") == true)
            }
            // A set that is refused keeps the others from being applied as well.
            let mixed = [MigrationSet("b", [three]), MigrationSet("a", [edited])]
            #expect(await refusal(folder, mixed)?.code == .migration)
            #expect(try await open(folder, [MigrationSet("a", [one, two])]) == ["one", "two"])
        }
    }

    @Test("are refused when there are two of a name")
    func duplicates() async throws {
        try await withFolder { folder async throws in
            #expect(await refusal(folder, [MigrationSet("a", [one, one])])?.code == .migration)
            #expect(await refusal(folder, [MigrationSet("a", [one]), MigrationSet("a", [two])])?.code == .migration)
        }
    }

    @Test("leave nothing behind when one fails in the middle; those before it stay")
    func failure() async throws {
        try await withFolder { folder async throws in
            let bad = MigrationSet.Migration("bad", "CREATE TABLE half (i INTEGER); INSERT INTO absent VALUES (1)")
            let error = await refusal(folder, [MigrationSet("a", [one, bad])])
            #expect(error?.reason.contains("\"bad\"") == true)
            #expect(try await open(folder, [MigrationSet("a", [one, two])]) == ["one", "two"])
            let mended = MigrationSet.Migration("half", "CREATE TABLE half (i INTEGER)")
            #expect(try await open(folder, [MigrationSet("a", [one, two, mended])]) == ["one", "two", "half"])
        }
    }

    @Test(
        "cannot commit by themselves",
        arguments: ["COMMIT", "CREATE TABLE t (i); COMMIT; BEGIN", "PRAGMA user_version = 3"]
    )
    func forbidden(sql: String) async throws {
        try await withFolder { folder async throws in
            #expect(await refusal(folder, [MigrationSet("a", [MigrationSet.Migration("bad", sql)])])?.code == .misuse)
        }
    }

    @Test("have the checksum that FNV-1a of 128 bits has elsewhere")
    func checksum() {
        // Published test values: the empty text and "foobar".
        #expect(MigrationSet.Migration("x", "").checksum == "6c62272e07bb014262b821756295c58d")
        #expect(MigrationSet.Migration("x", "foobar").checksum == "343e1662793c64bf6f0d3597ba446f18")
    }
}
