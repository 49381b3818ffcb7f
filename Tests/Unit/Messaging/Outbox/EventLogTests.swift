import Database
import Events
import Testing

@testable import Messaging

extension Bench {
    /// The event store of this bench, for reading.
    var eventLog: EventLog { EventLog(database: database, bell: events.bell) }

    /// Appends events 1 to `count` of a subject, each in a transaction of its own.
    func append(_ count: Int, to subject: String) async throws {
        for number in 1...count {
            try await events.write { try $0.append(Happened(subject: subject, number: number)) }
        }
    }
}

extension EventLogQuery {
    init(after: Int64, limit: Int = 100, types: [String] = [], subject: String? = nil, source: String? = nil) {
        self.init()
        (self.after, self.limit, self.types) = (after, limit, types)
        (self.subject, self.source) = (subject, source)
    }
}

@Suite("The event log gives the stored events out", .timeLimit(.minutes(5)))
struct EventLogTests {
    @Test func `pages follow one another and hold the stored bytes`() async throws {
        try await withBench { bench async throws in
            try await bench.append(5, to: "a")
            let stored: [[UInt8]] = try await bench.database.read { transaction in
                try transaction.query("SELECT envelope FROM warren_events ORDER BY position").map { try $0[0] }
            }
            let first = try await bench.eventLog.page(EventLogQuery(after: 0, limit: 3))
            #expect(first == EventLogPage(envelopes: Array(stored[0..<3]), next: 3, head: 5))
            let second = try await bench.eventLog.page(EventLogQuery(after: first.next, limit: 3))
            #expect(second == EventLogPage(envelopes: Array(stored[3...]), next: 5, head: 5))
            let end = try await bench.eventLog.page(EventLogQuery(after: second.next, limit: 3))
            #expect(end == EventLogPage(envelopes: [], next: 5, head: 5))
        }
    }

    @Test func `filters hold together, and what they pass over is not looked at again`() async throws {
        try await withBench { bench async throws in
            try await bench.append(2, to: "a")
            try await bench.append(3, to: "b")
            try await bench.events.write { try $0.append(Unheard(subject: "b")) }
            func next(_ query: EventLogQuery) async throws -> (count: Int, next: Int64) {
                let page = try await bench.eventLog.page(query)
                return (page.envelopes.count, page.next)
            }
            #expect(try await next(EventLogQuery(after: 0, subject: "a")) == (2, 6))
            #expect(try await next(EventLogQuery(after: 0, types: [Unheard.type.rawValue])) == (1, 6))
            #expect(try await next(EventLogQuery(after: 0, types: [Happened.type.rawValue], subject: "b")) == (3, 6))
            #expect(try await next(EventLogQuery(after: 0, limit: 2, subject: "b")) == (2, 4))
            #expect(try await next(EventLogQuery(after: 0, source: "/elsewhere")) == (0, 6))
        }
    }

    @Test func `what is rare is found behind much else, in one page or in pages that end early`() async throws {
        try await withBench { bench async throws in
            let source = "/elsewhere"
            let count = EventLog.scan * 2 + 10
            // Rows as an append makes them, but for their envelopes: what is looked for are two among twenty thousand.
            try await bench.database.write { transaction in
                try transaction.execute(
                    """
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
                    INSERT INTO warren_events (id, source, type, subject, sequence, time, envelope)
                    SELECT 'id-' || i, CASE WHEN i % 2 = 0 THEN '/even' ELSE '/odd' END,
                        CASE WHEN i = 5 OR i = $1 THEN 'rare' ELSE 'usual' END, 'subject-' || (i % 7), i, 0,
                        CAST('{"n":' || i || '}' AS BLOB)
                    FROM n
                    """,
                    count
                )
            }
            let head = Int64(count)
            let rare = [5, count].map { Array(#"{"n":\#($0)}"#.utf8) }
            func log(_ patience: Duration) -> EventLog {
                EventLog(database: bench.database, bell: bench.events.bell, patience: patience)
            }
            let query = EventLogQuery(after: 0, types: ["rare"])
            #expect(
                try await log(.seconds(600)).page(query) == EventLogPage(envelopes: rare, next: head, head: head)
            )
            var pages: [EventLogPage] = []
            repeat {
                pages.append(try await log(.zero).page(EventLogQuery(after: pages.last?.next ?? 0, types: ["rare"])))
            } while pages[pages.count - 1].next < head
            #expect(pages.map(\.next) == [Int64(EventLog.scan), Int64(EventLog.scan * 2), head])
            #expect(pages.flatMap(\.envelopes) == rare)
            // One that is full says where the last of it is, so that the next page begins behind it.
            let first = try await log(.seconds(600)).page(EventLogQuery(after: 0, limit: 1, types: ["rare"]))
            #expect(first == EventLogPage(envelopes: [rare[0]], next: 5, head: head))
            // Waiting does not end at the first read either.
            let waited = try await log(.zero).page(EventLogQuery(after: 5, types: ["rare"]), wait: .seconds(600))
            #expect(waited == EventLogPage(envelopes: [rare[1]], next: head, head: head))

            // A subject is found by its index, under every source, in the order of positions.
            let subject = try await log(.zero).page(EventLogQuery(after: 0, limit: 1000, subject: "subject-3"))
            let positions = Array(stride(from: 3, through: count, by: 7).prefix(1000))
            #expect(subject.envelopes == positions.map { Array(#"{"n":\#($0)}"#.utf8) })
            #expect(subject.next == Int64(positions.last ?? 0))
            let odd = try await log(.zero).page(EventLogQuery(after: 3, limit: 2, subject: "subject-3", source: "/odd"))
            #expect(odd.envelopes == [17, 31].map { Array(#"{"n":\#($0)}"#.utf8) })
            let nowhere = try await log(.zero).page(EventLogQuery(after: 0, source: source))
            #expect(nowhere == EventLogPage(envelopes: [], next: head, head: head))
            let none = try await log(.zero).page(EventLogQuery(after: 0, types: ["rare"], subject: "subject-1"))
            #expect(none == EventLogPage(envelopes: [], next: head, head: head))

            let types = try await log(.zero).types()
            #expect(types.map(\.type) == ["rare", "usual"])
            #expect(types.map(\.count) == [2, count - 2])
        }
    }

    @Test func `a page ends before it gets too large`() async throws {
        try await withBench { bench async throws in
            let filling = String(repeating: "x", count: 900_000)
            for _ in 1...6 {
                try await bench.events.write { try $0.append(Filled(subject: "a", filling: filling)) }
            }
            let page = try await bench.eventLog.page(EventLogQuery(after: 0))
            #expect(page.envelopes.count == 4)
            #expect(page.next == 4)
        }
    }

    @Test func `a waiting reader is woken by the commit`() async throws {
        try await withBench { bench async throws in
            let log = bench.eventLog
            let waiting = Task { try await log.page(EventLogQuery(after: 0), wait: .seconds(600)) }
            try await eventually { bench.events.bell.waiterCount == 1 }
            let start = ContinuousClock.now
            try await bench.append(1, to: "a")
            #expect(try await waiting.value.envelopes.count == 1)
            #expect(ContinuousClock.now - start < .seconds(200))
        }
    }

    @Test func `a waiting reader sleeps on when the commit brings nothing for it`() async throws {
        try await withBench { bench async throws in
            let log = bench.eventLog
            let waiting = Task { try await log.page(EventLogQuery(after: 0, subject: "b"), wait: .seconds(30)) }
            try await eventually { bench.events.bell.waiterCount == 1 }
            try await bench.append(3, to: "a")
            try await bench.append(1, to: "b")
            let page = try await waiting.value
            #expect(page.envelopes.count == 1)
            #expect(page.next == 4)
        }
    }

    @Test func `a rolled-back transaction shows no event`() async throws {
        try await withBench { bench async throws in
            await #expect(throws: NeverHappened.self) {
                try await bench.events.write { transaction in
                    try transaction.append(Happened(subject: "a", number: 1))
                    throw NeverHappened()
                }
            }
            #expect(try await bench.eventLog.page(EventLogQuery(after: 0)).envelopes.isEmpty)
        }
    }

    @Test func `waiting ends when the time is up, at a stop, and with its task`() async throws {
        try await withBench { bench async throws in
            let log = bench.eventLog
            #expect(try await log.page(EventLogQuery(after: 0), wait: .milliseconds(20)).envelopes.isEmpty)
            let cancelled = Task { try await log.page(EventLogQuery(after: 0), wait: .seconds(30)) }
            try await eventually { bench.events.bell.waiterCount == 1 }
            cancelled.cancel()
            #expect(try await cancelled.value.envelopes.isEmpty)
            let stopped = Task { try await log.page(EventLogQuery(after: 0), wait: .seconds(30)) }
            try await eventually { bench.events.bell.waiterCount == 1 }
            log.stopWaiting()
            #expect(try await stopped.value.envelopes.isEmpty)
            #expect(try await log.page(EventLogQuery(after: 0), wait: .seconds(30)).envelopes.isEmpty)
        }
    }

    @Test func `only so many may wait`() async throws {
        let bell = CommitSignal(maximumWaiters: 1)
        let heard = bell.rings
        let waiting = Task { await bell.wait(since: heard, until: .now + .seconds(30)) }
        try await eventually { bell.waiterCount == 1 }
        #expect(await bell.wait(since: heard, until: .now + .seconds(30)) == .refused)
        bell.ring()
        #expect(await waiting.value == .ended)
        #expect(await bell.wait(since: heard, until: .now + .seconds(30)) == .ended)
    }

    @Test func `a position behind the last event is refused`() async throws {
        try await withBench { bench async throws in
            try await bench.append(2, to: "a")
            await #expect(throws: EventLogError.ahead(head: 2)) {
                try await bench.eventLog.page(EventLogQuery(after: 3))
            }
        }
    }
}

/// A large event.
struct Filled: Event {
    static let type: EventType = "dev.warren.test.filled"
    var subject: String
    var filling: String
}
