import AMQP
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

@Suite("The event store", .timeLimit(.minutes(5)))
struct EventStoreTests {
    @Test("wakes the forwarder by each commit that brought events, and by no other")
    func wakes() async throws {
        try await withBench { bench in
            let calls = Mutex(0)
            let store = EventStore(database: bench.database, source: "/tested", limits: .standard) { _ in
                calls.withLock { $0 += 1 }
            }
            try await store.write { transaction in
                try transaction.append(Happened(subject: "a", number: 1))
                try transaction.append(Happened(subject: "a", number: 2))
            }
            #expect(calls.withLock { $0 } == 1)
            try await store.write { _ = try $0.execute("INSERT INTO effects (number) VALUES (1)") }
            await #expect(throws: InboxTests.Broken.self) {
                try await store.write { transaction in
                    try transaction.append(Happened(subject: "a", number: 3))
                    throw InboxTests.Broken()
                }
            }
            #expect(calls.withLock { $0 } == 1)
        }
    }

    @Test("numbers the events of each subject without a gap, whoever appends them together and whatever is undone")
    func sequences() async throws {
        try await withBench { bench in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        do {
                            try await bench.events.write { transaction in
                                try transaction.append(Happened(subject: "s\(number % 3)", number: number))
                                if number % 5 == 0 { throw InboxTests.Broken() }
                            }
                        } catch is InboxTests.Broken {}
                    }
                }
                try await group.waitForAll()
            }
            let stored = try await bench.database.read { transaction in
                try transaction.query("SELECT envelope FROM warren_events ORDER BY position").map { row -> [UInt8] in
                    try row[0]
                }
            }
            let envelopes = try stored.map { try Envelope(decoding: $0) }
            #expect(envelopes.count == 160)
            for subject in ["s0", "s1", "s2"] {
                let line = envelopes.filter { $0.subject == subject }.compactMap(\.sequence)
                #expect(line == Array(1...UInt64(line.count)))
            }
        }
    }

    @Test("has no more events under way than the window, and sends the next as they are confirmed")
    func window() async throws {
        try await withBench { bench in
            bench.sink.answer { _ in .keep }
            try await bench.events.write { transaction in
                for number in 0..<50 { try transaction.append(Happened(subject: "s\(number)", number: number)) }
            }
            let forwarding = Task { await bench.forwarder.run() }
            try await eventually { bench.sink.published.count == 16 }
            // A commit wakes it, and it finds its window full.
            try await bench.events.write { try $0.append(Happened(subject: "later", number: 50)) }
            for _ in 0..<20 { _ = try await bench.lives() }
            #expect(bench.sink.published.count == 16)
            bench.sink.answer { _ in .confirm }
            bench.sink.set(.closed(cause: "test"))
            bench.sink.set(.ready)
            try await eventually { Set(bench.sink.published.map(\.message.properties.messageID)).count == 51 }
            forwarding.cancel()
            await forwarding.value
        }
    }

    @Test("and the table of deliveries say what waits, and for how long")
    func backlog() async throws {
        try await withBench { bench in
            let runtime = MessagingRuntime(
                MessagingConfiguration(service: "tested", source: "/tested", brokerURLs: [], topology: Topology([])),
                database: bench.database,
                publisher: bench.sink,
                consumer: FakeSource(),
                brokerDeadLetterConsumer: FakeSource(),
                logger: .silent
            )
            let nothing = try await runtime.backlog()
            #expect(nothing.oldestUnforwardedAge == nil && nothing.oldestScheduledAge == nil)
            let minute: Int64 = 60_000
            for number in 1...3 {
                try await bench.events.write { try $0.append(Happened(subject: "a", number: number)) }
            }
            bench.subscriber.on(Happened.self) { event, _ in
                if event.number == 0 { throw HandlerError.permanent("test.broken", "no") }
                throw HandlerError.deferred(until: WallClock.milliseconds() + minute, "test.locked", "not now")
            }
            for (subject, number) in [("b", 0), ("b", 1), ("c", 2)] {
                await bench.receive(try bench.message(Happened(subject: subject, number: number)))
            }
            try await bench.database.write { transaction in
                // The broker has the first; the second was appended an hour ago, the third an hour and a half.
                try transaction.execute(
                    "INSERT INTO warren_offsets (name, position, updated_at) VALUES ('forwarder', 1, 0)"
                )
                try transaction.execute("UPDATE warren_events SET time = time - $1 * position", 30 * minute)
                _ = try transaction.execute(
                    "UPDATE warren_deliveries SET received_at = received_at - $1 WHERE subject = 'c'",
                    10 * minute
                )
            }
            let backlog = try await runtime.backlog()
            #expect(backlog.unforwarded == 2)
            #expect(backlog.scheduled == 1)
            #expect(backlog.held == 1)
            #expect(backlog.dead == 1)
            // The oldest of what waits, which is not the first that was appended.
            #expect(try #require(backlog.oldestUnforwardedAge) >= 90 * 60)
            #expect(try #require(backlog.oldestScheduledAge) >= 10 * 60)
        }
    }
}
