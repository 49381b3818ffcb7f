import Testing

@testable import Database

@Suite("A read", .timeLimit(.minutes(5)))
struct ReadingTests {
    @Test("sees one snapshot, whatever is committed meanwhile")
    func snapshot() async throws {
        try await withDatabase { database async throws in
            try await database.add("one")
            let began = Gate()
            let goOn = Gate()
            async let counts = database.read { transaction in
                let before = try transaction.query("SELECT id FROM notes").count
                began.open()
                goOn.waitOnThread()
                return [before, try transaction.query("SELECT id FROM notes").count]
            }
            await began.wait()
            try await database.add("two")
            goOn.open()
            #expect(try await counts == [1, 1])
            #expect(try await database.texts() == ["one", "two"])
        }
    }

    @Test("ends with the first row that is not wanted, and reads nothing behind it")
    func wanted() async throws {
        try await withDatabase { database async throws in
            for text in ["one", "two", "three"] { try await database.add(text) }
            let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i > $1"
            let found: [[Int]] = try await database.read { transaction in
                try [0, 10].map { least in
                    try transaction.query(endless, least) { row in try row[0] < 13 }.map { try $0[0] }
                }
            }
            #expect(found == [Array(1...12), [11, 12]])
            let none = try await database.read { try $0.query("SELECT id FROM notes") { _ in false }.count }
            #expect(none == 0)
            // A statement that writes runs to its end.
            let returned: [Int] = try await database.write { transaction in
                try transaction.query("DELETE FROM notes RETURNING id") { row in try row[0] < 2 }.map { try $0[0] }
            }
            #expect(returned == [1])
            #expect(try await database.texts().isEmpty)
        }
    }

    @Test("is given up at its deadline, and the reader serves the next one")
    func deadline() async throws {
        try await withDatabase { database async throws in
            let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
            // Both readers are hit, so that a reader that stays behind is noticed.
            for _ in 0..<3 {
                let error = await databaseError {
                    _ = try await database.read(deadline: .milliseconds(50)) { try $0.query(endless) }
                }
                #expect(error?.code == .timedOut)
            }
            let late = await databaseError {
                try await database.read(deadline: .zero) { _ = try $0.query("SELECT 1") }
            }
            #expect(late?.code == .timedOut)
            #expect(try await database.texts().isEmpty)
        }
    }

    @Test(
        "cannot write",
        arguments: ["INSERT INTO notes (text) VALUES ('x')", "CREATE TABLE t (i)", "DELETE FROM notes"]
    )
    func writing(statement: String) async throws {
        try await withDatabase { database async throws in
            let error = await databaseError { _ = try await database.read { try $0.execute(statement) } }
            #expect(error?.code == .misuse)
        }
    }

    @Test("on the reserved reader does not wait for others that keep all shared readers busy")
    func reserved() async throws {
        try await withDatabase { database async throws in
            try await database.add("one")
            let notebook = Notebook()
            let gates = (0..<2).map { _ in (began: Gate(), goOn: Gate()) }
            let slow = gates.map { gate in
                Task {
                    try await database.read { _ in
                        gate.began.open()
                        gate.goOn.waitOnThread()
                        notebook.note("slow")
                    }
                }
            }
            for gate in gates { await gate.began.wait() }
            let count: Int = try await database.read(on: .reserved) { transaction in
                notebook.note("reserved")
                return try transaction.first("SELECT COUNT(*) FROM notes")?[0] ?? 0
            }
            #expect(count == 1)
            #expect(notebook.all == ["reserved"])
            for gate in gates { gate.goOn.open() }
            for read in slow { try await read.value }
        }
    }

    @Test("goes on while the writer is busy, and beside another read")
    func concurrency() async throws {
        try await withDatabase { database async throws in
            let writer = await database.holdWriter()
            let gate = Gate()
            let began = Gate()
            async let slow = database.read { _ in
                began.open()
                gate.waitOnThread()
                return 1
            }
            await began.wait()
            #expect(try await database.texts().isEmpty)
            gate.open()
            #expect(try await slow == 1)
            writer.open()
        }
    }

    @Test("calls its after-commit actions when it has ended well, and not when it threw")
    func afterCommit() async throws {
        try await withDatabase { database async throws in
            let notebook = Notebook()
            try await database.read { $0.afterCommit { notebook.note("called") } }
            _ = await databaseError {
                try await database.read { transaction in
                    transaction.afterCommit { notebook.note("not called") }
                    throw DatabaseError(code: .other, reason: "planted")
                }
            }
            #expect(notebook.all == ["called"])
        }
    }
}
