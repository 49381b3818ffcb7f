import Telemetry
import Testing

@testable import Database

@Suite("A write", .timeLimit(.minutes(5)))
struct WritingTests {
    @Test("returns what its closure returns, and is there for the next read")
    func writeAndRead() async throws {
        try await withDatabase { database async throws in
            let id: Int = try await database.write { transaction in
                try transaction.execute("INSERT INTO notes (text) VALUES ($1)", "hello")
                return try #require(try transaction.first("SELECT id FROM notes WHERE text = $1", "hello"))["id"]
            }
            #expect(id == 1)
            #expect(try await database.texts() == ["hello"])
        }
    }

    @Test("is there after closing and opening again")
    func reopen() async throws {
        try await withFolder { folder async throws in
            let url = "sqlite:\(folder)/deep/er/test.db"
            let first = try await Database.open(url, migrations: [notes], logger: .silent)
            try await first.add("kept")
            await first.close()
            let second = try await Database.open(url, migrations: [notes], logger: .silent)
            #expect(try await second.texts() == ["kept"])
            await second.close()
        }
    }
}
