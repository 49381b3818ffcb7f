import Database
import Events
import Testing

@testable import Messaging

@Suite("What came lately is known without the database")
struct RecentEventsTests {
    private func key(_ number: Int, source: String = "/s") -> DeliveryKey {
        DeliveryKey(source: source, eventID: String(String(1_000_000 + number).dropFirst()))
    }

    private func complete(_ seen: SeenEvents, with highest: String?) async throws {
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
                try seen.complete([DeliveryKey(source: "/s", eventID: "")], of: "tested", in: transaction)
            }
        }
    }

    @Test("nothing is new before the table has been asked")
    func incomplete() {
        let seen = SeenEvents()
        #expect(!seen.take(key(1)))
        #expect(!seen.take(key(2)))
    }

    @Test("what the table had at the start, and what is below it, is not new")
    func atTheStart() async throws {
        let seen = SeenEvents()
        #expect(!seen.take(key(10)))
        try await complete(seen, with: key(100).eventID)
        #expect(!seen.take(key(99)))
        #expect(!seen.take(key(100)))
        #expect(seen.take(key(101)))
    }

    @Test("events that grow, nearly in their order, are new; a copy never is, however late it comes")
    func nearlyInOrder() async throws {
        var dice = SystemRandomNumberGenerator()
        let seen = SeenEvents()
        #expect(!seen.take(key(0)))
        try await complete(seen, with: nil)
        var came: Set<Int> = [0]
        var waiting = Array(1...20_000)
        var isNew = 0
        while !waiting.isEmpty {
            // Up to a thousand places out of order, and now and then a copy of anything that has come.
            let number = waiting.remove(at: Int.random(in: 0..<min(1_000, waiting.count), using: &dice))
            isNew += seen.take(key(number)) ? 1 : 0
            came.insert(number)
            if Int.random(in: 0..<4, using: &dice) == 0, let copy = came.randomElement(using: &dice) {
                #expect(!seen.take(key(copy)))
            }
        }
        // The last stragglers lie below the floor: those are looked up.
        #expect(isNew > 15_000)
    }

    @Test("sources are apart, and of too many nothing is known")
    func sources() async throws {
        let seen = SeenEvents()
        #expect(!seen.take(key(5)))
        try await complete(seen, with: nil)
        #expect(seen.take(key(6)))
        #expect(!seen.take(key(6, source: "/other")))
        for number in 0..<1_000 { #expect(!seen.take(key(1, source: "/\(number)"))) }
        #expect(!seen.take(key(2, source: "/999")))
        #expect(seen.take(key(7)))
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
            #expect(bench.table.isClear(Self.key("b")))
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

    @Test("with a thousand waiting the others are known to be clear, and one that has gone through is again")
    func many() async throws {
        try await withBench { bench in
            try await bench.fill(1_000, "scheduled", ofEach: 3)
            #expect(try await !ask(bench, "a", times: 20))
            #expect(bench.table.isClear(Self.key("a")))
            for subject in [1, 500, 1_000] { #expect(!bench.table.isClear(Self.key("\(subject)"))) }
            try await bench.database.write { transaction in
                try transaction.execute("UPDATE warren_deliveries SET status = 'processed' WHERE subject = '500'")
            }
            #expect(try await !ask(bench, "500"))
            #expect(bench.table.isClear(Self.key("500")))
            #expect(!bench.table.isClear(Self.key("501")))
        }
    }

    @Test("beyond what is kept nothing is known, and the answers are the database's")
    func tooMany() async throws {
        try await withBench { bench in
            let table = DeliveryTable(
                subscriber: "tested",
                ordering: .perSubject,
                afterDeadLetter: .hold,
                waiting: WaitingSubjects(most: 100)
            )
            func isBlocked(_ subject: String) async throws -> Bool {
                try await bench.database.write { transaction in
                    try table.isBlocked(Self.key(subject), in: transaction)
                }
            }
            try await bench.fill(101, "dead")
            for _ in 0..<20 { #expect(try await isBlocked("7")) }
            for _ in 0..<20 { #expect(try await !isBlocked("a")) }
            #expect(!table.isClear(Self.key("a")))
            try await bench.database.write { transaction in
                try transaction.execute("UPDATE warren_deliveries SET status = 'processed' WHERE subject = '7'")
            }
            // It is read again when as much has been asked as that costs.
            for _ in 0..<200 where !table.isClear(Self.key("a")) { #expect(try await !isBlocked("a")) }
            #expect(table.isClear(Self.key("a")))
            #expect(!table.isClear(Self.key("8")))
        }
    }

    @Test("timeouts stand each for itself, however many there are")
    func timeouts() async throws {
        try await withBench { bench in
            try await bench.events.write { transaction in
                for number in 1...300 {
                    try transaction.schedule(Happened(subject: "\(number)", number: 1), at: .max / 2, key: "\(number)")
                }
            }
            try await bench.fill(1, "dead", source: "/z")
            #expect(try await !ask(bench, "a", times: 2))
            #expect(bench.table.isClear(Self.key("a")))
            #expect(!bench.table.isClear(SubjectKey(source: "/z", subject: "1")))
        }
    }
}

@Suite("What the forwarder need not read back")
struct FreshEventsTests {
    private func event(_ position: Int64, bytes: Int = 0) -> StoredEvent {
        StoredEvent(
            position: position,
            id: "id-\(position)",
            type: "t",
            subject: SubjectKey(source: "/s", subject: "\(position)"),
            sequence: 1,
            time: 0,
            stored: [UInt8](repeating: 0, count: bytes),
            isBlocked: false
        )
    }

    private func positions(_ fresh: OutboxTail, after position: Int64 = 0, upTo limit: Int = 100) -> [Int64]? {
        fresh.take(after: position, upTo: limit) { _ in true }?.map(\.position)
    }

    @Test("nothing before the store has been read to its end")
    func beforeReading() {
        let fresh = OutboxTail()
        fresh.add([event(1)])
        #expect(positions(fresh) == nil)
        fresh.beginReading()
        fresh.add([event(9)])
        fresh.endReading(isEnd: false)
        fresh.add([event(10)])
        #expect(positions(fresh) == nil)
    }

    @Test("what was committed while the store was read, and the reading did not find, and all that follows")
    func whileReading() {
        let fresh = OutboxTail()
        fresh.beginReading()
        fresh.add([event(4), event(5)])
        fresh.add([event(6)])
        fresh.endReading(isEnd: true)
        #expect(positions(fresh, after: 5) == [6])
        #expect(positions(fresh, after: 6) == [])
        fresh.add([event(7), event(8)])
        fresh.add([event(9)])
        #expect(positions(fresh, after: 6, upTo: 2) == [7, 8])
        #expect(positions(fresh, after: 8) == [9])
    }

    @Test("nothing twice: a commit that the reading has seen may be heard of after it")
    func heardLate() {
        let fresh = OutboxTail()
        fresh.beginReading()
        fresh.endReading(isEnd: true)
        fresh.add([event(4), event(5)])
        fresh.add([event(6)])
        #expect(positions(fresh, after: 5) == [6])
    }

    @Test(
        "nothing once more has gathered than it holds, until the store has been read again",
        arguments: [true, false]
    )
    func tooMuch(isLarge: Bool) {
        let fresh = OutboxTail()
        fresh.beginReading()
        fresh.endReading(isEnd: true)
        if isLarge {
            for position in 1...5 { fresh.add([event(Int64(position), bytes: 1 << 20)]) }
        } else {
            fresh.add((1...2_049).map { event($0) })
        }
        #expect(positions(fresh) == nil)
        fresh.add([event(3_000)])
        #expect(positions(fresh) == nil)
        fresh.beginReading()
        fresh.endReading(isEnd: true)
        fresh.add([event(3_001)])
        #expect(positions(fresh, after: 3_000) == [3_001])
    }

    @Test("nothing where an event needs a look into the database")
    func unusable() {
        let fresh = OutboxTail()
        fresh.beginReading()
        fresh.endReading(isEnd: true)
        fresh.add([event(1), event(2)])
        #expect(fresh.take(after: 0, upTo: 100) { $0.position != 2 } == nil)
        #expect(positions(fresh) == nil)
    }
}
