import Testing

@testable import Database

@Suite("Writes that come together", .timeLimit(.minutes(5)))
struct GroupCommitTests {
    /// Submits closures while the writer is held, so that they are one group, and gives their results.
    private func together(
        _ database: Database,
        _ bodies: [@Sendable (Transaction) throws -> Int]
    ) async -> [Result<Int, any Error>] {
        let gate = await database.holdWriter()
        let outcomes = Outcomes(bodies.count)
        for (number, body) in bodies.enumerated() {
            database.submit(body) { outcomes.take(number, $0) }
        }
        gate.open()
        return await outcomes.wait()
    }

    private struct Refusal: Error {}

    private static func insert(_ text: String) -> @Sendable (Transaction) throws -> Int {
        { try $0.execute("INSERT INTO notes (text) VALUES ($1)", text) }
    }

    @Test("share one transaction")
    func oneTransaction() async throws {
        try await withDatabase { database async throws in
            let before = database.statistics
            let results = await together(database, (0..<100).map { Self.insert("note \($0)") })
            #expect(results.allSatisfy { (try? $0.get()) == 1 })
            let after = database.statistics
            // The closure that held the writer was a group of its own.
            #expect(after.commits - before.commits == 2)
            #expect(after.closures - before.closures == 101)
            #expect(after.largestGroup == 100)
            #expect(try await database.texts() == (0..<100).map { "note \($0)" })
        }
    }

    @Test("are cut into groups of at most 256")
    func largestGroup() async throws {
        try await withDatabase { database async throws in
            _ = await together(database, (0..<600).map { Self.insert("note \($0)") })
            #expect(database.statistics.largestGroup == 256)
            #expect(database.statistics.commits == 4)
            #expect(try await database.texts().count == 600)
        }
    }

    @Test("fail alone: a closure that throws undoes its own effects and nobody else's")
    func throwingAlone() async throws {
        try await withDatabase { database async throws in
            let results = await together(
                database,
                [
                    Self.insert("first"),
                    { transaction in
                        try transaction.execute("INSERT INTO notes (text) VALUES ('undone')")
                        throw Refusal()
                    },
                    Self.insert("first"),
                    Self.insert("last"),
                ]
            )
            #expect((try? results[0].get()) == 1)
            #expect(throws: Refusal.self) { try results[1].get() }
            #expect(results[2].code == .constraint(unique: true))
            #expect((try? results[3].get()) == 1)
            #expect(try await database.texts() == ["first", "last"])
            #expect(database.statistics.failedClosures == 2)
        }
    }

    @Test("see what those before them in the group have written")
    func visibility() async throws {
        try await withDatabase { database async throws in
            let results = await together(
                database,
                [
                    Self.insert("one"),
                    { Int(try $0.query("SELECT 1 FROM notes").count) },
                ]
            )
            #expect((try? results[1].get()) == 1)
        }
    }

    @Test("run their after-commit actions in order, after the commit and before their callers hear of it")
    func afterCommit() async throws {
        try await withDatabase { database async throws in
            let notebook = Notebook()
            let results = await together(
                database,
                (1...3).map { number in
                    { transaction in
                        transaction.afterCommit { notebook.note("action \(number)") }
                        if number == 2 { throw Refusal() }
                        return try transaction.execute("INSERT INTO notes (id) VALUES ($1)", number)
                    }
                }
            )
            #expect(results.count == 3)
            #expect(notebook.all == ["action 1", "action 3"])
        }
    }

    @Test("never run after-commit actions of a transaction that was rolled back")
    func noActionAfterRollback() async throws {
        try await withDatabase { database async throws in
            let notebook = Notebook()
            for isAlone in [true, false] {
                let action: @Sendable (Transaction) throws -> Int = { transaction in
                    transaction.afterCommit { notebook.note("called") }
                    try failCommit(of: transaction)
                    return 0
                }
                let results = await together(database, isAlone ? [action] : [Self.insert("x"), action])
                #expect(results.allSatisfy { $0.code == .ioFailed })
            }
            let thrown = await together(
                database,
                [
                    { transaction in
                        transaction.afterCommit { notebook.note("called") }
                        throw Refusal()
                    }
                ]
            )
            #expect(throws: Refusal.self) { try thrown[0].get() }
            #expect(notebook.all.isEmpty)
        }
    }

    @Test("all hear of a commit that failed, and none has had an effect")
    func failedCommit() async throws {
        try await withDatabase { database async throws in
            let results = await together(
                database,
                [
                    Self.insert("a"),
                    { transaction in
                        try failCommit(of: transaction)
                        return 1
                    },
                    { _ in throw Refusal() },
                    Self.insert("b"),
                ]
            )
            #expect([results[0], results[1], results[3]].allSatisfy { $0.code == .ioFailed })
            #expect(throws: Refusal.self) { try results[2].get() }
            #expect(try await database.texts().isEmpty)
            // And the writer goes on.
            try await database.add("c")
            #expect(try await database.texts() == ["c"])
        }
    }

    @Test("are not harmed by one that would make the commit fail: its deferred foreign key is looked at before")
    func deferredForeignKey() async throws {
        try await withDatabase { database async throws in
            try await database.write { transaction in
                try transaction.execute(
                    "CREATE TABLE children (note INTEGER REFERENCES notes(id) DEFERRABLE INITIALLY DEFERRED)"
                )
            }
            let results = await together(
                database,
                [
                    Self.insert("kept"),
                    { try $0.execute("INSERT INTO children VALUES (999)") },
                    Self.insert("kept too"),
                ]
            )
            #expect(results[1].code == .constraint(unique: false))
            #expect(try await database.texts() == ["kept", "kept too"])
        }
    }

    @Test("survive one that ends the transaction under their feet: those before it are told, those after it run")
    func lostTransaction() async throws {
        try await withDatabase { database async throws in
            try await database.add("there")
            let notebook = Notebook()
            let results = await together(
                database,
                [
                    { transaction in
                        transaction.afterCommit { notebook.note("before") }
                        return try transaction.execute("INSERT INTO notes (text) VALUES ('before')")
                    },
                    { transaction in
                        // ROLLBACK as conflict resolution ends the whole transaction. The closure hides that, and what
                        // it goes on to write must not be committed by itself.
                        _ = try? transaction.execute("INSERT OR ROLLBACK INTO notes (text) VALUES ('there')")
                        _ = try? transaction.execute("INSERT INTO notes (text) VALUES ('outside')")
                        return 1
                    },
                    { transaction in
                        transaction.afterCommit { notebook.note("after") }
                        return try transaction.execute("INSERT INTO notes (text) VALUES ('after')")
                    },
                ]
            )
            #expect(results[0].code == .busy)
            #expect(results[1].code == .constraint(unique: true))
            #expect((try? results[2].get()) == 1)
            #expect(try await database.texts() == ["there", "after"])
            #expect(notebook.all == ["after"])
        }
    }

    @Test("survive a full disk: the writes that found no room fail, later ones work when there is room again")
    func fullDisk() async throws {
        try await withDatabase { database async throws in
            try await database.write { transaction in
                try transaction.execute("CREATE TABLE blobs (data BLOB)")
            }
            let pages: Int = try await database.write { try sqlite(of: $0).own("PRAGMA page_count")[0][0] }
            try await database.write { _ = try sqlite(of: $0).own("PRAGMA max_page_count = \(pages + 20)") }
            let large = [UInt8](repeating: 7, count: 200_000)
            let fill: @Sendable (Transaction) throws -> Int = {
                try $0.execute("INSERT INTO blobs VALUES ($1)", large)
            }
            // The second one swallows the error: it is failed all the same when its transaction is gone.
            let results = await together(
                database,
                [Self.insert("a"), fill, { transaction in (try? fill(transaction)) ?? 1 }, Self.insert("b")]
            )
            #expect(results[1].code == .full)
            // Whoever was told of success is there, whoever was told of failure is not.
            let told = zip(["a", "", "", "b"], results).filter { !$0.0.isEmpty && $0.1.code == nil }.map(\.0)
            #expect(try await database.texts() == told)
            #expect(told.contains("b"))

            let alone = await together(database, [fill])
            #expect(alone[0].code == .full)
            try await database.write { _ = try sqlite(of: $0).own("PRAGMA max_page_count = 1000000") }
            let after = await together(database, [fill])
            #expect(after[0].code == nil)
            #expect(try await database.read { try $0.query("SELECT 1 FROM blobs").count } == 1)
        }
    }

    @Test("survive a time in which the file takes no writes")
    func readOnlyForATime() async throws {
        try await withDatabase { database async throws in
            let writer = try await database.write { Borrowed(try sqlite(of: $0)) }
            try writer.connection.own("PRAGMA query_only = ON")
            let outcomes = Outcomes(2)
            for number in 0..<2 { database.submit(Self.insert("a")) { outcomes.take(number, $0) } }
            #expect(await outcomes.wait().allSatisfy { $0.code == .readOnly })
            #expect((await databaseError { try await database.add("b") })?.isTransient == true)
            #expect(try await database.texts().isEmpty)
            try writer.connection.own("PRAGMA query_only = OFF")
            try await database.add("c")
            #expect(try await database.texts() == ["c"])
        }
    }
}

/// The SQLite connection under a transaction.
func sqlite(of transaction: Transaction) throws -> SQLiteConnection {
    try #require(try transaction.usable() as? SQLiteConnection)
}

/// Lets the commit that follows fail once, as if SQLite had reported an I/O error.
func failCommit(of transaction: Transaction) throws {
    let connection = try sqlite(of: transaction)
    connection.beforeCommit = { [unowned connection] in
        connection.beforeCommit = nil
        throw SQLiteFailure(status: 10, error: DatabaseError(code: .ioFailed, reason: "planted"))
    }
}

/// The writer's connection outside the writer.
///
/// Unchecked: the test uses it only while nothing is queued, and so the writer's thread does not.
final class Borrowed: @unchecked Sendable {
    let connection: SQLiteConnection

    init(_ connection: SQLiteConnection) {
        self.connection = connection
    }
}
