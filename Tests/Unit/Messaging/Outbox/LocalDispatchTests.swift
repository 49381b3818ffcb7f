import Database
import Events
import Synchronization
import Testing

@testable import Messaging

@Suite("Local handlers", .timeLimit(.minutes(5)))
struct LocalDispatchTests {
    @Test func `before the commit they share the transaction`() async throws {
        try await withBench { bench async throws in
            bench.events.on(Happened.self, .beforeCommit) { event, envelope, transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                #expect(envelope.subject == "a")
            }
            try await bench.append(2, to: "a")
            #expect(try await bench.effects() == [1, 2])
        }
    }

    @Test func `after the commit so many wait, and what finds no room is left out`() async throws {
        try await withBench { bench async throws in
            let count = Mutex(0)
            let isHeld = Flag()
            bench.events.on(Unheard.self, .afterCommit) { _, _ in
                if !isHeld.isSet { _ = await isHeld.wait(until: .now + .seconds(120)) }
                count.withLock { $0 += 1 }
            }
            for _ in 0..<12 {
                try await bench.events.write { transaction in
                    for _ in 0..<1000 { try transaction.append(Unheard(subject: "a")) }
                }
            }
            isHeld.set()
            await bench.events.local.drained()
            #expect(count.withLock { $0 } == LocalDispatch.mostWaiting)
        }
    }

    @Test func `a throw before the commit takes the event and the state with it, and no other's`() async throws {
        try await withBench { bench async throws in
            bench.events.on(Happened.self, .beforeCommit) { event, _, _ in
                if event.number == 2 { throw NeverHappened() }
            }
            @Sendable func write(_ number: Int) async throws {
                try await bench.events.write { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", number)
                    try transaction.append(Happened(subject: "a", number: number))
                }
            }
            async let one: Void = write(1)
            async let three: Void = write(3)
            await #expect(throws: NeverHappened.self) { try await write(2) }
            _ = try await (one, three)
            #expect(try await bench.effects().sorted() == [1, 3])
            #expect(try await bench.positions().count == 2)
        }
    }

    @Test func `they see the whole transaction, in the order of events and then of registration`() async throws {
        try await withBench { bench async throws in
            let calls = Mutex<[String]>([])
            bench.events.on(Happened.self, .beforeCommit) { event, _, transaction in
                let count: Int = try transaction.first("SELECT COUNT(*) FROM effects")?[0] ?? 0
                calls.withLock { $0.append("first \(event.number) \(count)") }
            }
            bench.events.on(Happened.self, .beforeCommit) { event, _, _ in
                calls.withLock { $0.append("second \(event.number)") }
            }
            try await bench.events.write { transaction in
                try transaction.append(Happened(subject: "a", number: 1))
                try transaction.append(Happened(subject: "a", number: 2))
                try transaction.execute("INSERT INTO effects (number) VALUES (9)")
            }
            #expect(calls.withLock { $0 } == ["first 1 1", "second 1", "first 2 1", "second 2"])
        }
    }

    @Test func `what they append is caused by the event and handled as well`() async throws {
        try await withBench { bench async throws in
            bench.events.on(Happened.self, .beforeCommit) { event, _, transaction in
                if event.number < 3 { try transaction.append(Happened(subject: "a", number: event.number + 1)) }
            }
            try await bench.append(1, to: "a")
            let envelopes = try await bench.eventLog.page(EventLogQuery(after: 0)).envelopes
                .map { try Envelope(decoding: $0) }
            #expect(envelopes.count == 3)
            #expect(envelopes.map(\.causationID) == [nil] + envelopes.dropLast().map { Optional($0.id) })
        }
    }

    @Test func `handlers that call one another in a circle are stopped`() async throws {
        try await withBench { bench async throws in
            bench.events.on(Happened.self, .beforeCommit) { event, _, transaction in
                try transaction.append(event)
            }
            await #expect(throws: DatabaseError.self) { try await bench.append(1, to: "a") }
            #expect(try await bench.positions().isEmpty)
        }
    }

    @Test func `they hear what a delivery's handler appends`() async throws {
        try await withBench { bench async throws in
            bench.subscriber.on(Happened.self) { event, delivery in
                try await delivery.commit { try $0.append(Unheard(subject: event.subject)) }
            }
            bench.events.on(Unheard.self, .beforeCommit) { _, envelope, transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES (7)")
                #expect(envelope.correlationID == "flow")
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            #expect(try await bench.effects() == [7])
            #expect(try await bench.lives().map(\.status) == ["processed"])
        }
    }

    @Test func `after the commit they run in its order, and only then`() async throws {
        try await withBench { bench async throws in
            let numbers = Mutex<[Int]>([])
            // Weakly: the bench keeps the handler.
            bench.events.on(Happened.self, .afterCommit) { [weak bench] event, _ in
                let isDurable = try await bench?.positions().count ?? 0 >= event.number
                numbers.withLock { $0.append(isDurable ? event.number : -event.number) }
                if event.number == 2 { throw NeverHappened() }
            }
            await #expect(throws: NeverHappened.self) {
                try await bench.events.write { transaction in
                    try transaction.append(Happened(subject: "a", number: 100))
                    throw NeverHappened()
                }
            }
            try await bench.append(4, to: "a")
            await bench.events.local.drained()
            #expect(numbers.withLock { $0 } == [1, 2, 3, 4])
        }
    }
}
