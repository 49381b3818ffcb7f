import Database
import Events
import Telemetry
import Testing

@testable import Messaging

extension Bench {
    /// Removes what is older than this, seen from a time that much later than now.
    func retain(
        events: Duration? = .seconds(3600),
        deliveries: Duration? = .seconds(3600),
        later: Duration
    ) async throws -> Retention.Removed {
        let retention = Retention(database: database, events: events, deliveries: deliveries, logger: .silent)
        return try await retention.pass(now: WallClock.milliseconds() + Int64(later / .milliseconds(1)))
    }

    /// Says what the forwarder has forwarded.
    func forwarded(through position: Int64) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                "INSERT INTO warren_offsets (name, position, updated_at) VALUES ('forwarder', $1, 0)",
                position
            )
        }
    }

    func positions() async throws -> [Int64] {
        try await database.read { transaction in
            try transaction.query("SELECT position FROM warren_events ORDER BY position").map { try $0[0] }
        }
    }
}

@Suite("Retention removes what nobody can need", .timeLimit(.minutes(5)))
struct RetentionTests {
    @Test func `old events go, the last of each subject too, and its sequence goes on`() async throws {
        try await withBench { bench async throws in
            try await bench.append(3, to: "a")
            try await bench.append(2, to: "b")
            try await bench.forwarded(through: 5)
            #expect(try await bench.retain(later: .seconds(1800)).events == 0)
            #expect(try await bench.retain(later: .seconds(7200)).events == 5)
            #expect(try await bench.positions().isEmpty)
            #expect(try await bench.eventLog.head() == 5)
            #expect(try await bench.eventLog.page(EventLogQuery(after: 5)).envelopes.isEmpty)
            try await bench.append(2, to: "a")
            let sequences: [Int64] = try await bench.database.read { transaction in
                try transaction.query(
                    "SELECT sequence FROM warren_events WHERE subject = 'a' ORDER BY position"
                ).map { try $0[0] }
            }
            #expect(sequences == [4, 5])
        }
    }

    @Test func `nothing goes that is not forwarded`() async throws {
        try await withBench { bench async throws in
            try await bench.append(4, to: "a")
            #expect(try await bench.retain(later: .seconds(7200)).events == 0)
            try await bench.forwarded(through: 2)
            #expect(try await bench.retain(later: .seconds(7200)).events == 2)
            #expect(try await bench.positions() == [3, 4])
        }
    }

    @Test func `a reader behind the retention is told so and never meets a gap`() async throws {
        try await withBench { bench async throws in
            try await bench.append(4, to: "a")
            try await bench.forwarded(through: 3)
            _ = try await bench.retain(later: .seconds(7200))
            await #expect(throws: EventLogError.gone(through: 3)) {
                try await bench.eventLog.page(EventLogQuery(after: 2))
            }
            #expect(try await bench.eventLog.page(EventLogQuery(after: 3)).envelopes.count == 1)
        }
    }

    @Test func `more than one slice goes in one pass`() async throws {
        try await withBench { bench async throws in
            let count = Retention.slice * 2 + 10
            try await bench.events.write { transaction in
                for number in 1...count { try transaction.append(Happened(subject: "a", number: number)) }
            }
            try await bench.forwarded(through: Int64(count))
            #expect(try await bench.retain(later: .seconds(7200)).events == count)
        }
    }

    @Test func `receipts go, and what may still be handled never does`() async throws {
        try await withBench(policy: RetryPolicy(attempts: 1, base: .zero, factor: 1, cap: .zero)) { bench in
            bench.subscriber.on(Happened.self) { event, _ in
                if event.number < 0 { throw NeverHappened() }
            }
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1)),
                try bench.message(Happened(subject: "b", number: -1)),
                try bench.message(Happened(subject: "c", number: 2)),
                try bench.message(Happened(subject: "d", number: -1))
            )
            await bench.receive(try bench.message(Happened(subject: "b", number: 3)))
            let dead = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
            let discarded = try #require(dead.first { $0.subject == "d" }).id
            _ = try await bench.deadLetters.discard(discarded, actor: "test", reason: "test")
            #expect(try await bench.retain(later: .seconds(1800)).deliveries == 0)
            #expect(try await bench.retain(later: .seconds(7200)).deliveries == 2)
            #expect(try await bench.lives().map(\.status).sorted() == ["dead", "discarded", "held"])
        }
    }

    @Test func `what was removed and what is left is told for the metrics`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            try await bench.append(3, to: "a")
            try await bench.forwarded(through: 2)
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            let hour = Duration.seconds(3600)
            let retention = Retention(database: bench.database, events: hour, deliveries: hour, logger: .silent)
            let now = WallClock.milliseconds()
            let before = try await retention.status(now: now + 60_000)
            #expect(before.removedEvents == 0 && before.removedReceipts == 0 && before.goneThrough == 0)
            #expect(before.lastPass == nil)
            #expect(try #require(before.oldestEventAge) >= 60)
            for _ in 1...2 { _ = try await retention.pass(now: now + 7_200_000) }
            let after = try await retention.status(now: now)
            #expect(after.removedEvents == 2 && after.removedReceipts == 1 && after.goneThrough == 2)
            #expect(after.failures == 0)
            // A reader cannot ask for the first two: the third is the oldest.
            _ = try await bench.retain(later: .seconds(7200))
            #expect(try await bench.eventLog.page(EventLogQuery(after: after.goneThrough)).envelopes.count == 1)
            #expect(after.oldestEventAge != nil)
        }
    }

    @Test func `a pass that fails is counted, and the next one too`() async throws {
        try await withBench { bench async throws in
            let hour = Duration.seconds(3600)
            let retention = Retention(
                database: bench.database,
                events: hour,
                deliveries: hour,
                logger: .silent,
                interval: .milliseconds(1)
            )
            let running = Task { await retention.run() }
            try await eventually { retention.record.value.lastPass != nil }
            #expect(retention.record.value.failures == 0)
            try await bench.database.write { _ = try $0.execute("ALTER TABLE warren_events RENAME TO hidden") }
            try await eventually { retention.record.value.failures > 1 }
            try await bench.database.write { _ = try $0.execute("ALTER TABLE hidden RENAME TO warren_events") }
            running.cancel()
            await running.value
        }
    }

    @Test func `for ever is for ever`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            try await bench.append(2, to: "a")
            try await bench.forwarded(through: 2)
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            let removed = try await bench.retain(events: nil, deliveries: nil, later: .seconds(1_000_000_000))
            #expect(removed == Retention.Removed())
        }
    }
}
