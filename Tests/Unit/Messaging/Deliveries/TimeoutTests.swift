import AMQP
import Database
import Events
import Testing

@testable import Messaging

@Suite("Timeouts are deliveries to oneself", .timeLimit(.minutes(5)))
struct TimeoutTests {
    private static let soon: Int64 = 0
    private static let far = Int64.max / 2

    @Test func `a timeout reaches the normal handler once it is due`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            try await bench.events.write {
                try $0.schedule(Happened(subject: "a", number: 1), at: Self.far, key: "far")
            }
            try await bench.events.write {
                try $0.schedule(Happened(subject: "a", number: 2), at: Self.soon, key: "now")
            }
            try await bench.settle { lives in lives.map(\.status) == ["scheduled", "processed"] }
            #expect(try await bench.effects() == [2])
            #expect(try await bench.positions().isEmpty)
        }
    }

    @Test func `scheduling wakes the scheduler at the time`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            let running = Task { await bench.scheduler.run() }
            defer { running.cancel() }
            let due = WallClock.milliseconds() + 60
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 1), at: due, key: "soon") }
            try await eventually { try await bench.effects() == [1] }
            #expect(WallClock.milliseconds() >= due)
        }
    }

    @Test func `it commits with the transaction or not at all`() async throws {
        try await withBench { bench async throws in
            await #expect(throws: NeverHappened.self) {
                try await bench.events.write { transaction in
                    try transaction.schedule(Happened(subject: "a", number: 1), at: Self.far, key: "k")
                    throw NeverHappened()
                }
            }
            #expect(try await bench.lives().isEmpty)
        }
    }

    @Test func `one key has one row: scheduling again moves it`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            for number in 1...3 {
                try await bench.events.write {
                    try $0.schedule(Happened(subject: "a", number: number), at: Self.far, key: "k")
                }
            }
            #expect(try await bench.lives().map(\.status) == ["scheduled"])
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 4), at: Self.soon, key: "k") }
            try await bench.settle { $0.map(\.status) == ["processed"] }
            #expect(try await bench.effects() == [4])
        }
    }

    @Test func `it can be cancelled until it is handled, and not after`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 1), at: Self.far, key: "k") }
            #expect(try await bench.events.write { try $0.cancelScheduled(key: "k") })
            #expect(try await bench.lives().isEmpty)
            #expect(try await bench.events.write { try $0.cancelScheduled(key: "k") } == false)
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 2), at: Self.soon, key: "k") }
            try await bench.settle { $0.map(\.status) == ["processed"] }
            #expect(try await bench.events.write { try $0.cancelScheduled(key: "k") } == false)
            #expect(try await bench.effects() == [2])
        }
    }

    @Test func `cancelled while its handler is at work, the handler's effect is not done`() async throws {
        try await withBench { bench async throws in
            let started = Signal()
            let cancelled = Signal()
            bench.subscriber.on(Happened.self) { _, delivery in
                started.raise()
                await cancelled.wait(until: .now + .seconds(60))
                try await delivery.commit { try $0.execute("INSERT INTO effects (number) VALUES (1)") }
            }
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 1), at: Self.soon, key: "k") }
            let running = Task { await bench.scheduler.run() }
            await started.wait(until: .now + .seconds(60))
            #expect(try await bench.events.write { try $0.cancelScheduled(key: "k") })
            cancelled.raise()
            running.cancel()
            await running.value
            await bench.scheduler.drained()
            #expect(try await bench.effects().isEmpty)
            #expect(try await bench.lives().isEmpty)
        }
    }

    @Test func `one that waits holds no other delivery of its subject`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 1), at: Self.far, key: "k") }
            // The service hears its own event about the same subject.
            try await bench.append(5, to: "a")
            for envelope in try await bench.eventLog.page(EventLogQuery(after: 4)).envelopes {
                let publication = Publication(try Envelope(decoding: envelope), body: envelope)
                await bench.receive(bench.message(publication.message))
            }
            #expect(try await bench.effects() == [5])
        }
    }

    @Test func `its handler may schedule the next under the same key`() async throws {
        try await withBench { bench async throws in
            bench.subscriber.on(Happened.self) { event, delivery in
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                    let next = Happened(subject: "a", number: event.number + 1)
                    if event.number < 3 { try transaction.schedule(next, at: Self.soon, key: "tick") }
                }
            }
            try await bench.events.write { try $0.schedule(Happened(subject: "a", number: 1), at: 0, key: "tick") }
            try await bench.settle { $0.count == 3 && $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [1, 2, 3])
        }
    }
}
