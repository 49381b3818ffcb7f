import Testing

@testable import Database

@Suite("A statement", .timeLimit(.minutes(5)))
struct StatementTests {
    @Test("brings every value back as it was")
    func roundTrip() async throws {
        try await withDatabase { database async throws in
            let texts = [
                "", "a", "nul \0 in the middle", "\0", "ü 🐇 \u{10FFFF}", String(repeating: "x", count: 100_000),
            ]
            let blobs: [[UInt8]] = [[], [0], Array(0...255), [UInt8](repeating: 9, count: 3_000_000)]
            let integers: [Int64] = [0, -1, .min, .max]
            let reals = [0, -0.5, .infinity, -.infinity, Double.leastNonzeroMagnitude, .greatestFiniteMagnitude]
            let values: [DatabaseValue] =
                [.null] + texts.map { .text($0) } + blobs.map { .blob($0) } + integers.map { .integer($0) }
                + reals.map { .real($0) }
            try await database.write { transaction in
                try transaction.execute("CREATE TABLE anything (id INTEGER PRIMARY KEY, value)")
                for (number, value) in values.enumerated() {
                    try transaction.execute("INSERT INTO anything VALUES ($1, $2)", number, value)
                }
            }
            let stored = try await database.read {
                try $0.query("SELECT value FROM anything ORDER BY id").map { try $0["value"] as DatabaseValue }
            }
            #expect(stored.count == values.count)
            for (stored, value) in zip(stored, values) { #expect(stored == value) }
        }
    }

    @Test("converts to the types that are asked for, exactly or not at all")
    func conversions() async throws {
        try await withDatabase { database async throws in
            let row = try #require(
                try await database.read {
                    try $0.first("SELECT 1 AS one, 2 AS two, 1.5 AS real, 'x' AS text, x'01' AS blob, NULL AS missing")
                }
            )
            #expect(try row.value("one", as: Bool.self) == true)
            #expect(try row.value("one", as: Int.self) == 1)
            #expect(try row.value("two", as: Double.self) == 2)
            #expect(try row.value("real", as: Double.self) == 1.5)
            #expect(try row.value("text", as: String.self) == "x")
            #expect(try row.value("blob", as: [UInt8].self) == [1])
            #expect(try row.value("missing", as: String?.self) == nil)
            #expect(try row.value("text", as: String?.self) == "x")
            let second: Int64 = try row[1]
            #expect(second == 2)
            #expect(row.columnNames == ["one", "two", "real", "text", "blob", "missing"])
            let refusals: [(String, () throws -> Void)] = [
                ("two", { _ = try row["two"] as Bool }),
                ("real", { _ = try row["real"] as Int }),
                ("one", { _ = try row["one"] as String }),
                ("text", { _ = try row["text"] as Int }),
                ("text", { _ = try row["text"] as [UInt8] }),
                ("missing", { _ = try row["missing"] as Int }),
                ("absent", { _ = try row["absent"] as Int }),
                ("6", { _ = try row[6] as Int }),
                ("-1", { _ = try row[-1] as Int }),
            ]
            for (name, refusal) in refusals {
                let error = await databaseError(refusal)
                #expect(error?.code == .conversion)
                #expect(error?.reason.contains(name) == true)
            }
        }
    }

    @Test("refuses a text that is no UTF-8 and a number that is none, instead of changing them")
    func noSilentChange() async throws {
        try await withDatabase { database async throws in
            let text = await databaseError {
                try await database.read { _ = try $0.query("SELECT CAST(x'ff61' AS TEXT)") }
            }
            #expect(text?.code == .conversion)
            let number = await databaseError {
                try await database.write { _ = try $0.execute("INSERT INTO notes (text) VALUES ($1)", Double.nan) }
            }
            #expect(number?.code == .conversion)
        }
    }

    @Test("takes a placeholder several times and in any order")
    func placeholders() async throws {
        try await withDatabase { database async throws in
            let row = try await database.read {
                try $0.first("SELECT $2 || $1 || $2 AS text, $3 AS number", "b", "a", Int?.none)
            }
            #expect(try row?.value("text", as: String.self) == "aba")
            #expect(try row?.value("number", as: DatabaseValue.self) == .null)
            let many = (1...12).map { "$\($0)" }.joined(separator: ", ")
            let twelfth = try await database.read {
                try $0.first("SELECT \(many)", arguments: (1...12).map { $0 })?[11] as Int?
            }
            #expect(twelfth == 12)
        }
    }

    @Test(
        "is refused as misuse when it does not fit its arguments or is not one statement",
        arguments: [
            "SELECT 1", "SELECT $1, $2", "SELECT ?", "SELECT :name", "SELECT $2", "", "  ", "-- nothing",
            "SELECT $1; SELECT 2", "SELECT $1 FROM", "SELECT $1\0", "SELECT \"text\", $1", "SELECT $1 FROM absent",
        ]
    )
    func misuse(sql: String) async throws {
        try await withDatabase { database async throws in
            let error = await databaseError { try await database.read { _ = try $0.query(sql, 1) } }
            #expect(error?.code == .misuse)
        }
    }

    @Test("may end in a semicolon and a comment")
    func trailing() async throws {
        try await withDatabase { database async throws in
            let one = try await database.read { try $0.first("SELECT $1; -- that is all\n ; ", 1)?[0] as Int? }
            #expect(one == 1)
        }
    }

    @Test(
        "cannot end the transaction that it shares, nor change the settings that promises rest on",
        arguments: [
            "COMMIT", "ROLLBACK", "BEGIN", "SAVEPOINT step", "RELEASE step", "ROLLBACK TO step",
            "PRAGMA synchronous = OFF", "PRAGMA journal_mode = DELETE", "ATTACH 'x' AS y", "VACUUM",
        ]
    )
    func forbidden(sql: String) async throws {
        try await withDatabase { database async throws in
            let error = await databaseError {
                try await database.write { transaction in
                    try transaction.execute("INSERT INTO notes (text) VALUES ('x')")
                    try transaction.execute(sql)
                }
            }
            #expect(error != nil)
            #expect(try await database.texts().isEmpty)
            try await database.add("y")
            #expect(try await database.texts() == ["y"])
        }
    }

    @Test("tells how many rows it changed, and gives the rows of RETURNING")
    func changes() async throws {
        try await withDatabase { database async throws in
            let statements = [
                ("INSERT INTO notes (text) VALUES ('a'), ('b'), ('c')", 3),
                ("CREATE TABLE other (i)", 0),
                ("UPDATE notes SET text = text || 'x' WHERE id > 1", 2),
                ("SELECT * FROM notes", 0),
                ("INSERT INTO notes (id) VALUES (1) ON CONFLICT DO NOTHING", 0),
                ("INSERT INTO notes (text) VALUES ('d'), ('e') RETURNING id", 2),
                ("DELETE FROM notes WHERE id <= 3", 3),
            ]
            for (sql, expected) in statements {
                let changed = try await database.write { try $0.execute(sql) }
                #expect(changed == expected, "\(sql)")
            }
            let insert = "INSERT INTO notes (text) VALUES ('f'), ('g') RETURNING id"
            let first: Int? = try await database.write { try $0.first(insert)?["id"] }
            #expect(first == 6)
            // The statement has run to its end, though only its first row was asked for.
            #expect(try await database.texts() == ["d", "e", "f", "g"])
        }
    }

    @Test("says which kind of constraint it violated, and shows names but no values")
    func constraints() async throws {
        try await withDatabase { database async throws in
            try await database.write { transaction in
                try transaction.execute(
                    """
                    CREATE TABLE strict_ones (
                        a TEXT NOT NULL CHECK (length(a) < 10), b INTEGER PRIMARY KEY, c INTEGER REFERENCES notes(id),
                        d TEXT, e TEXT, UNIQUE (d, e)
                    ) STRICT
                    """
                )
                try transaction.execute("INSERT INTO strict_ones VALUES ('secret-1', 1, NULL, 'secret-2', 'secret-3')")
            }
            let insert = "INSERT INTO strict_ones VALUES ($1, $2, $3, $4, $5)"
            let cases: [([(any DatabaseConvertible)?], Bool)] = [
                (["secret", 1, nil, nil, nil], true),
                (["secret", 2, nil, "secret-2", "secret-3"], true),
                ([nil, 3, nil, nil, nil], false),
                (["secret-secret", 4, nil, nil, nil], false),
                (["secret", 5, 77_777, nil, nil], false),
                (["secret", 6, "secret", nil, nil], false),
            ]
            for (arguments, isUnique) in cases {
                let error = await databaseError {
                    try await database.write { _ = try $0.execute(insert, arguments: arguments) }
                }
                #expect(error?.code == .constraint(unique: isUnique))
                #expect(error?.isTransient == false)
                #expect(error?.description.contains("secret") == false)
                #expect(error?.description.contains("77777") == false)
                #expect(error?.description.contains("strict_ones") == true)
            }
            let path = await databaseError {
                try await database.read { _ = try $0.query("SELECT json_extract('{}', $1)", "secret") }
            }
            #expect(path != nil)
            #expect(path?.description.contains("secret") == false)
        }
    }

    @Test("notices that its columns have changed since it was prepared")
    func changedColumns() async throws {
        try await withDatabase { database async throws in
            let all = "SELECT * FROM notes"
            try await database.add("x")
            for _ in 0..<3 {
                #expect(try await database.read { try $0.query(all) }.first?.columnNames == ["id", "text"])
            }
            try await database.write { try $0.execute("ALTER TABLE notes RENAME COLUMN text TO words") }
            for _ in 0..<3 {
                #expect(try await database.read { try $0.query(all) }.first?.columnNames == ["id", "words"])
            }
        }
    }

    @Test("is kept prepared, up to a bound")
    func cache() async throws {
        try await withDatabase { database async throws in
            let counts = try await database.write { transaction -> [Int] in
                let connection = try sqlite(of: transaction)
                for _ in 0..<10 { _ = try transaction.query("SELECT 1") }
                let few = connection.preparedStatements
                for number in 0..<300 { _ = try transaction.query("SELECT \(number)") }
                return [few, connection.preparedStatements]
            }
            #expect(counts[0] < 20)
            #expect(counts[1] == 128)
        }
    }
}
