import AMQP
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

@Suite("A message that comes in", .timeLimit(.minutes(5)))
struct InboxTests {
    struct Broken: Error {}

    @Test("is handled, its receipt kept without a body, and acknowledged")
    func processed() async throws {
        try await withBench { bench in
            bench.recordEffects()
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            #expect(try await bench.effects() == [1])
            #expect(
                try await bench.lives() == [
                    .init(
                        subscriber: "tested",
                        status: "processed",
                        attempts: 1,
                        generation: 0,
                        hasBody: false,
                        subject: "a"
                    )
                ]
            )
            #expect(bench.acknowledged.withLock { $0.count } == 1)
        }
    }

    @Test("a second time does nothing and is acknowledged")
    func duplicate() async throws {
        try await withBench { bench in
            bench.recordEffects()
            let id = UUIDv7.make()
            await bench.receive(try bench.message(Happened(subject: "a", number: 1), id: id))
            await bench.receive(try bench.message(Happened(subject: "a", number: 1), id: id, redelivered: true))
            // Twice in one burst as well: the receipt decides, not the look before it.
            let other = UUIDv7.make()
            await bench.receive(
                try bench.message(Happened(subject: "b", number: 2), id: other),
                try bench.message(Happened(subject: "b", number: 2), id: other)
            )
            #expect(try await bench.effects() == [1, 2])
            #expect(bench.acknowledged.withLock { $0.count } == 4)
            #expect(bench.counters.value.duplicates == 2)
        }
    }

    @Test("twice in one burst, or while its first copy is at work, calls the outside once", arguments: [true, false])
    func copiesTogether(isOrdered: Bool) async throws {
        try await withBench(ordering: isOrdered ? .perSubject : .none) { bench in
            let calls = Mutex<[Int]>([])
            let (began, begun) = AsyncStream.makeStream(of: Void.self)
            let (mayEnd, end) = AsyncStream.makeStream(of: Void.self)
            bench.subscriber.on(Happened.self) { event, delivery in
                calls.withLock { $0.append(event.number) }
                begun.yield()
                for await _ in mayEnd { break }
                try await delivery.commit { _ in }
            }
            let copies = try (0..<3).map { _ in try bench.message(Happened(subject: "a", number: 1), id: "one") }
            await bench.inbox.receive([copies[0], copies[1]])
            for await _ in began { break }
            await bench.inbox.receive([copies[2]])
            end.finish()
            await bench.inbox.drained()
            #expect(calls.withLock { $0 } == [1])
            #expect(bench.counters.value.duplicates == 2)
            #expect(bench.acknowledged.withLock { $0.count } == 3)
        }
    }

    @Test(
        "and is dead says in the log which delivery it is, at once and after its attempts, by the id of its dead letter"
    )
    func deathInTheLog() async throws {
        let log = LineCount("delivery is dead")
        try await withBench(logger: Logger("test", sink: log)) { bench in
            bench.subscriber.on(Happened.self) { event, _ in
                throw event.number == 1 ? HandlerError.permanent("order.unknown", "no such order") : Broken()
            }
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1)),
                try bench.message(Happened(subject: "b", number: 2))
            )
            try await bench.settle { lives in lives.allSatisfy { $0.status == "dead" } }
            let letters = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10).map {
                ("\($0.id)", $0.subject)
            }.sorted { $0.1 < $1.1 }
            #expect(log.values(of: "messaging.delivery.id") == letters.map(\.0))
            #expect(log.values(of: "messaging.event.subject") == ["a", "b"])
            #expect(log.values(of: "messaging.attempt") == ["1", "3"])
        }
    }

    @Test(
        "whose handler uses the database as it never can be used is dead at once; one that met a busy one is tried again",
        arguments: [
            ("SELECT nothing FROM nowhere", "database.misuse"), ("INSERT INTO effects (number)", "database.misuse"),
            ("INSERT INTO effects (number) VALUES (NULL)", "database.constraint"), ("", "database.conversion"),
        ]
    )
    func permanentDatabaseError(sql: String, errorClass: String) async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { event, delivery in
                if event.number == 2, delivery.attempt == 1 { throw DatabaseError(code: .busy, reason: "planted") }
                try await delivery.commit { transaction in
                    if event.number == 2 { return }
                    if !sql.isEmpty { try transaction.execute(sql) }
                    let _: Int? = try transaction.first("SELECT 'no number'")?[0]
                }
            }
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1)),
                try bench.message(Happened(subject: "b", number: 2))
            )
            try await bench.settle { lives in
                lives.sorted { $0.subject < $1.subject }.map(\.status) == ["dead", "processed"]
            }
            let letter = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10).first
            #expect(letter?.errorClass == errorClass)
            #expect(letter?.attemptCount == 1)
            #expect(letter?.errorMessage.contains(sql) == true)
        }
    }

    @Test("whose handler does not commit gets its receipt alone")
    func receiptAlone() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { _, _ in }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            #expect(try await bench.lives().map(\.status) == ["processed"])
        }
    }

    @Test("whose handler fails after its commit is processed all the same, and acknowledged once")
    func failureAfterCommit() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { event, delivery in
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                }
                throw Broken()
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            #expect(try await bench.lives().map(\.status) == ["processed"])
            #expect(try await bench.effects() == [1])
            #expect(bench.acknowledged.withLock { $0.count } == 1)
        }
    }

    @Test("is acknowledged in one step with those that share its commit")
    func acknowledgedTogether() {
        let steps = Mutex<[Int]>([])
        let batch = AckBatch { tags in steps.withLock { $0.append(tags.count) } }
        for number in 1...3 { batch.add(.init(connection: 1, number: UInt64(number))) }
        batch.flush()
        batch.flush()
        #expect(steps.withLock { $0 } == [3])
    }

    @Test("whose handler fails is scheduled with its bytes, then tried a bounded number of times, then dead")
    func retries() async throws {
        try await withBench { bench in
            let calls = Mutex(0)
            bench.subscriber.on(Happened.self) { _, delivery in
                calls.withLock { $0 += 1 }
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES (1)")
                    throw Broken()
                }
            }
            let message = try bench.message(Happened(subject: "a", number: 1))
            await bench.receive(message)
            #expect(try await bench.lives().map(\.status) == ["scheduled"])
            #expect(bench.acknowledged.withLock { $0.count } == 1)
            try await bench.settle { $0.map(\.status) == ["dead"] }
            #expect(calls.withLock { $0 } == 3)
            #expect(try await bench.effects() == [])
            let letter = try await bench.deadLetters.show(1)
            #expect(letter.body == message.message.body)
            #expect(letter.attempts.map(\.attempt) == [3, 2, 1])
            #expect(letter.errorClass == "Broken")
            #expect(letter.properties.contains("\"messageId\":\"\(letter.eventID)\""))
        }
    }

    @Test("whose handler says that no retry can help is dead at once")
    func permanent() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { _, _ in throw HandlerError.permanent("test.hopeless", "no") }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            let letter = try await bench.deadLetters.show(1)
            #expect(letter.state == .dead)
            #expect(letter.attemptCount == 1)
            #expect(letter.errorClass == "test.hopeless")
        }
    }

    @Test("that is deferred waits without costing an attempt")
    func deferred() async throws {
        try await withBench { bench in
            let calls = Mutex(0)
            bench.subscriber.on(Happened.self) { _, _ in
                let call = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                if call < 8 {
                    throw HandlerError.deferred(until: WallClock.milliseconds(), "test.locked", "not now")
                }
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            try await bench.settle { $0.map(\.status) == ["processed"] }
            #expect(calls.withLock { $0 } == 8)
            #expect(try await bench.lives().map(\.attempts) == [1])
        }
    }

    @Test(
        "that is deferred for longer than it may is dead, says what it waited for, and has its time anew when retried"
    )
    func deferredTooLong() async throws {
        try await withBench(deferralLimit: .milliseconds(300)) { bench in
            let calls = Mutex(0)
            bench.subscriber.on(Happened.self) { _, _ in
                let call = calls.withLock { calls in
                    calls += 1
                    return calls
                }
                // Later than it may be: it is tried once more when its time is up.
                let later = WallClock.milliseconds() + 3_600_000
                if call < 4 { throw HandlerError.deferred(until: later, "test.locked", "order 7 is being charged") }
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            #expect(try await bench.lives().map(\.attempts) == [0])
            try await bench.settle { $0.map(\.status) == ["dead"] }
            #expect(calls.withLock { $0 } == 2)
            let letter = try await bench.deadLetters.show(1)
            #expect(letter.errorClass == "delivery.deferred-too-long")
            #expect(letter.errorMessage.contains("test.locked: order 7 is being charged"))
            #expect(letter.attempts.map(\.errorClass) == ["delivery.deferred-too-long", "test.locked"])
            _ = try await bench.deadLetters.retry(1, actor: "me", reason: "charged now")
            try await bench.settle { $0.map(\.status) == ["processed"] }
            #expect(calls.withLock { $0 } == 4)
        }
    }

    @Test("has its events caused by it, in the transaction of its receipt")
    func causes() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { event, delivery in
                try await delivery.commit { transaction in
                    try transaction.append(Happened(subject: "next", number: event.number + 1))
                    if event.number == 2 { throw Broken() }
                }
            }
            let message = try bench.message(Happened(subject: "a", number: 1))
            await bench.receive(message, try bench.message(Happened(subject: "b", number: 2)))
            let stored = try await bench.database.read { transaction in
                try transaction.query("SELECT envelope FROM warren_events").map { row -> [UInt8] in try row[0] }
            }
            #expect(stored.count == 1)
            let envelope = try Envelope(decoding: try #require(stored.first))
            #expect(envelope.causationID == message.message.properties.messageID)
            #expect(envelope.correlationID == "flow")
            #expect(envelope.sequence == 1)
        }
    }

    @Test("is the cause of what its handler writes before its commit as well, at the first attempt and at a later one")
    func causesWrites() async throws {
        try await withBench { bench in
            let events = bench.events
            bench.subscriber.on(Happened.self) { event, delivery in
                try await events.write { transaction in
                    try transaction.append(Happened(subject: "next", number: event.number + delivery.attempt))
                }
                if delivery.attempt == 1 { throw Broken() }
            }
            let message = try bench.message(Happened(subject: "a", number: 1))
            await bench.receive(message)
            try await bench.settle { $0.map(\.status) == ["processed"] }
            try await events.write { try $0.append(Happened(subject: "other", number: 9)) }
            let stored = try await bench.database.read { transaction in
                try transaction.query("SELECT envelope FROM warren_events ORDER BY position").map { row -> [UInt8] in
                    try row[0]
                }
            }
            let id = message.message.properties.messageID
            #expect(try stored.map { try Envelope(decoding: $0).causationID } == [id, id, nil])
            #expect(try stored.map { try Envelope(decoding: $0).correlationID } == ["flow", "flow", "other"])
        }
    }

    @Test(
        "that is not an event of this profile is dead at once with its original bytes",
        arguments: [
            ("malformed JSON", "event.malformed-json"), ("wrong content type", "event.not-a-cloudevent"),
            ("missing attribute", "event.missing-attribute"), ("2 MiB", "event.too-large"),
            ("depth 10,000", "event.too-deep"), ("invalid UTF-8", "event.invalid-utf8"),
            ("duplicate keys", "event.duplicate-key"), ("unknown type", "event.unknown-type"),
            ("unreadable data", "event.invalid-data"),
        ]
    )
    func hostile(kind: String, errorClass: String) async throws {
        try await withBench { bench in
            bench.recordEffects()
            var message = try bench.message(Happened(subject: "a", number: 1)).message
            let text = String(decoding: message.body, as: UTF8.self)
            switch kind {
            case "malformed JSON": message.body = Array("{\"specversion\":".utf8)
            case "wrong content type": message.properties.contentType = "application/json"
            case "missing attribute": message.body = Array(text.replacing(#""source":"/elsewhere","#, with: "").utf8)
            case "2 MiB": message.body += [UInt8](repeating: 0x20, count: 2 << 20)
            case "depth 10,000": message.body = [UInt8](repeating: UInt8(ascii: "["), count: 10_000)
            case "invalid UTF-8": message.body = Array(text.utf8).map { $0 == UInt8(ascii: "a") ? 0xFF : $0 }
            case "duplicate keys":
                message.body = Array(text.replacing("\"number\":1", with: "\"number\":1,\"number\":2").utf8)
            case "unknown type": message.body = Array(text.replacing("test.happened", with: "test.unheard").utf8)
            case "unreadable data":
                message.body = Array(text.replacing("\"number\":1", with: "\"number\":\"one\"").utf8)
            default: Issue.record("unknown kind \(kind)")
            }
            await bench.receive(
                bench.message(message),
                try bench.message(Happened(subject: "b", number: 2))
            )
            let letters = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
            let letter = try await bench.deadLetters.show(try #require(letters.first).id)
            #expect(letters.count == 1)
            #expect(letter.errorClass == errorClass)
            #expect(letter.attemptCount == 1)
            #expect(letter.body == message.body)
            #expect(try await bench.effects() == [2])
            #expect(bench.acknowledged.withLock { $0.count } == 2)
        }
    }
}
