import Database
import Events
import Testing

@testable import Messaging

@Suite("What came lately is known without the database")
struct RecentEventsTests {
    private func key(_ number: Int, source: String = "/s") -> DeliveryKey {
        DeliveryKey(source: source, eventID: String(String(1_000_000 + number).dropFirst()))
    }

    private func complete(_ recent: RecentEvents, with highest: String?) async throws {
        try await withBench { bench in
            try await bench.database.write { transaction in
                if let highest {
                    let record = DeliveryRecord(
                        key: DeliveryKey(source: "/s", eventID: highest),
                        type: "t",
                        subjectKey: SubjectKey(source: "/s", subject: "a"),
                        receivedAt: 0,
                        body: [],
                        properties: StoredProperties(json: "{}")
                    )
                    _ = try bench.table.insertReceipt(record, now: 0, in: transaction)
                }
                try recent.complete([DeliveryKey(source: "/s", eventID: "")], of: "tested", in: transaction)
            }
        }
    }

    @Test("nothing is new before the table has been asked")
    func incomplete() {
        let recent = RecentEvents()
        #expect(!recent.take(key(1)))
        #expect(!recent.take(key(2)))
    }

    @Test("what the table had at the start, and what is below it, is not new")
    func atTheStart() async throws {
        let recent = RecentEvents()
        #expect(!recent.take(key(10)))
        try await complete(recent, with: key(100).eventID)
        #expect(!recent.take(key(99)))
        #expect(!recent.take(key(100)))
        #expect(recent.take(key(101)))
    }

    @Test("events that grow, nearly in their order, are new; a copy never is, however late it comes")
    func nearlyInOrder() async throws {
        var dice = SystemRandomNumberGenerator()
        let recent = RecentEvents()
        #expect(!recent.take(key(0)))
        try await complete(recent, with: nil)
        var came: Set<Int> = [0]
        var waiting = Array(1...20_000)
        var isNew = 0
        while !waiting.isEmpty {
            // Up to a thousand places out of order, and now and then a copy of anything that has come.
            let number = waiting.remove(at: Int.random(in: 0..<min(1_000, waiting.count), using: &dice))
            isNew += recent.take(key(number)) ? 1 : 0
            came.insert(number)
            if Int.random(in: 0..<4, using: &dice) == 0, let copy = came.randomElement(using: &dice) {
                #expect(!recent.take(key(copy)))
            }
        }
        // The last stragglers lie below the floor: those are looked up.
        #expect(isNew > 15_000)
    }

    @Test("sources are apart, and of too many nothing is known")
    func sources() async throws {
        let recent = RecentEvents()
        #expect(!recent.take(key(5)))
        try await complete(recent, with: nil)
        #expect(recent.take(key(6)))
        #expect(!recent.take(key(6, source: "/other")))
        for number in 0..<1_000 { #expect(!recent.take(key(1, source: "/\(number)"))) }
        #expect(!recent.take(key(2, source: "/999")))
        #expect(recent.take(key(7)))
    }
}

@Suite("Which subjects have nothing waiting is known without the database")
struct WaitingSubjectsTests {
    struct Broken: Error {}

    private static func record(_ subject: String, _ id: String) -> DeliveryRecord {
        DeliveryRecord(
            key: DeliveryKey(source: "/s", eventID: id),
            type: "t",
            subjectKey: SubjectKey(source: "/s", subject: subject),
            receivedAt: 0,
            body: [],
            properties: StoredProperties(json: "{}")
        )
    }

    private static func key(_ subject: String) -> SubjectKey { SubjectKey(source: "/s", subject: subject) }

    /// Lets a delivery of the subject wait.
    private func wait(_ bench: Bench, _ subject: String) async throws {
        try await bench.database.write { transaction in
            let life = DeliveryLife(state: .scheduled, dueAt: .max / 2)
            _ = try bench.table.insert(Self.record(subject, subject), life: life, now: 0, in: transaction)
        }
    }

    /// Asks the writer; often enough that the list is read.
    private func ask(_ bench: Bench, _ subject: String, times: Int = 1) async throws -> Bool {
        var isBlocked = false
        for _ in 0..<times {
            isBlocked = try await bench.database.write { transaction in
                try bench.table.isBlocked(Self.key(subject), in: transaction)
            }
        }
        return isBlocked
    }

    @Test("first nothing is known, then what the table says, until something begins to wait")
    func learns() async throws {
        try await withBench { bench in
            #expect(!bench.table.isClear(Self.key("a")))
            #expect(try await !ask(bench, "a"))
            #expect(bench.table.isClear(Self.key("a")))
            try await wait(bench, "a")
            #expect(!bench.table.isClear(Self.key("a")))
            #expect(!bench.table.isClear(Self.key("b")))
            #expect(try await ask(bench, "a", times: 10))
            #expect(try await !ask(bench, "b"))
            #expect(!bench.table.isClear(Self.key("a")))
            #expect(bench.table.isClear(Self.key("b")))
        }
    }

    @Test("what a transaction saw that was rolled back does not count")
    func rolledBack() async throws {
        try await withBench { bench in
            try await wait(bench, "a")
            await #expect(throws: Broken.self) {
                try await bench.database.write { transaction in
                    try transaction.execute("UPDATE warren_deliveries SET status = 'processed'")
                    for _ in 0..<10 { #expect(try !bench.table.isBlocked(Self.key("a"), in: transaction)) }
                    throw Broken()
                }
            }
            #expect(!bench.table.isClear(Self.key("a")))
            #expect(try await ask(bench, "a"))
        }
    }

    @Test("one that begins to wait in the group that is being written is seen by those after it")
    func withinAGroup() async throws {
        try await withBench { bench in
            #expect(try await !ask(bench, "a"))
            try await bench.database.write { transaction in
                let life = DeliveryLife(state: .dead)
                _ = try bench.table.insert(Self.record("a", "1"), life: life, now: 0, in: transaction)
                #expect(try bench.table.isBlocked(Self.key("a"), in: transaction))
                #expect(try !bench.table.isBlocked(Self.key("b"), in: transaction))
            }
        }
    }

    @Test("with very many waiting nothing is known, and the answers are the database's")
    func tooMany() async throws {
        try await withBench { bench in
            for number in 0..<101 { try await wait(bench, "\(number)") }
            #expect(try await ask(bench, "7", times: 10))
            #expect(try await !ask(bench, "a", times: 10))
            #expect(!bench.table.isClear(Self.key("a")))
        }
    }
}
