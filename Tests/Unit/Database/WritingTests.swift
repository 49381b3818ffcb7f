import Foundation
import Telemetry
import TestSupport
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

    @Test("has the file to itself from its first read on: what it read is still so when it writes")
    func exclusive() async throws {
        try await withFolder { folder async throws in
            let path = "\(folder)/test.db"
            let database = try await Database.open("sqlite:\(path)", migrations: [notes], logger: .silent)
            let (hasRead, mayWrite) = (AsyncStream<Void>.makeStream(), Gate())
            async let written: Void = database.write { transaction in
                let row = try #require(try transaction.first("SELECT count(*) AS count FROM notes"))
                let count: Int = try row["count"]
                hasRead.continuation.yield()
                mayWrite.waitOnThread()
                try transaction.execute("INSERT INTO notes (text) VALUES ($1)", "after \(count)")
            }
            for await _ in hasRead.stream { break }
            // Another program, as an operator's shell would be.
            let script = """
                import sqlite3, sys
                connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
                connection.execute("INSERT INTO notes (text) VALUES ('between')")
                """
            let python = URL(fileURLWithPath: "/usr/bin/python3")
            let other = try await ChildProcess.run(python, ["-c", script, path])
            mayWrite.open()
            try await written
            #expect(other.errors.contains("database is locked"), "\(other)")
            #expect(try await database.texts() == ["after 0"])
            await database.close()
        }
    }
}
