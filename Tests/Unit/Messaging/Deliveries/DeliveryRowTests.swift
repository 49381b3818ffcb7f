import AMQP
import Database
import Events
import JSON
import Synchronization
import Testing

@testable import Messaging

@Suite("The row of a delivery", .timeLimit(.minutes(5)))
struct DeliveryRowTests {
    @Test("of a first delivery that succeeds is all that is written, with its effect, in one transaction")
    func fastPath() async throws {
        try await withBench { bench in
            bench.recordEffects()
            let message = try bench.message(Happened(subject: "a", number: 1))
            // What a commit counts is counted after it can be read: a write behind it waits for that.
            try await bench.database.write { _ in }
            let before = bench.database.statistics
            await bench.receive(message)
            try await bench.database.write { _ in }
            let after = bench.database.statistics
            #expect(after.closures - before.closures == 2)
            #expect(after.commits - before.commits == 2)
            let attempts = try await bench.database.read { transaction in
                try transaction.first("SELECT COUNT(*) FROM warren_attempts").map { row -> Int in try row[0] }
            }
            #expect(attempts == 0)
            #expect(try await bench.effects() == [1])
        }
    }

    @Test("keeps its last 20 attempts, the latest first")
    func keptAttempts() async throws {
        let policy = RetryPolicy(attempts: 25, base: .zero, factor: 1, cap: .zero)
        try await withBench(policy: policy) { bench in
            let calls = Mutex(0)
            bench.subscriber.on(Happened.self) { _, delivery in
                calls.withLock { $0 += 1 }
                throw HandlerError.transient("test.attempt-\(delivery.attempt)", "no")
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1)))
            try await bench.settle { $0.map(\.status) == ["dead"] }
            #expect(calls.withLock { $0 } == 25)
            let letter = try await bench.deadLetters.show(1)
            #expect(letter.attemptCount == 25)
            #expect(letter.attempts.map(\.attempt) == Array((6...25).reversed()))
            #expect(letter.attempts.first?.errorClass == "test.attempt-25")
            #expect(letter.attempts.allSatisfy { !$0.host.isEmpty && $0.startedAt > 0 && $0.durationMilliseconds >= 0 })
            let kept = try await bench.database.read { transaction in
                try transaction.first("SELECT COUNT(*) FROM warren_attempts").map { row -> Int in try row[0] }
            }
            #expect(kept == 20)
        }
    }

    @Test("holds its subject of its own source, and not the same subject of another")
    func sources() async throws {
        try await withBench { bench in
            bench.recordEffects(refusing: 1)
            await bench.receive(
                try bench.message(Happened(subject: "order", number: 1), source: "/payment-service", sequence: 1),
                try bench.message(Happened(subject: "order", number: 2), source: "/order-service", sequence: 1),
                try bench.message(Happened(subject: "order", number: 3), source: "/payment-service", sequence: 2)
            )
            #expect(try await bench.effects() == [2])
            #expect(Set(try await bench.lives().map(\.status)) == ["dead", "processed", "held"])
        }
    }

    private static let headers: FieldTable = [
        "flag": .boolean(true), "byte": .int8(-1), "short": .uint16(65_535), "long": .int64(.min),
        "double": .double(0.5), "infinite": .double(.infinity), "decimal": .decimal(scale: 2, value: 199),
        "text": .string("ä\"\n"), "bytes": .bytes([0, 255]), "time": .timestamp(5),
        "table": .table(["inner": .array([.int32(1), .void])]),
    ]

    private static let headersAsKept = JSONValue.object([
        "flag": .bool(true), "byte": .integer(-1), "short": .integer(65_535), "long": .integer(.min),
        "double": .number(0.5), "infinite": .string("inf"),
        "decimal": .object(["decimal": .integer(199), "scale": .integer(2)]), "text": .string("ä\"\n"),
        "bytes": .object(["base64": .string("AP8=")]), "time": .object(["timestamp": .integer(5)]),
        "table": .object(["inner": .array([.integer(1), .null])]),
    ])

    @Test("has every property of the message and every kind of header, and its bytes, as they came")
    func properties() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { _, _ in throw HandlerError.permanent("test.broken", "no") }
            var message = try bench.message(Happened(subject: "a", number: 1), id: "the-id").message
            message.properties.contentEncoding = "identity"
            message.properties.priority = 7
            message.properties.replyTo = "here"
            message.properties.expiration = "60000"
            message.properties.timestamp = 1_700_000_000
            message.properties.userID = "guest"
            message.properties.clusterID = "c"
            message.properties.headers = Self.headers
            await bench.receive(bench.message(message))
            let letter = try await bench.deadLetters.show(1)
            #expect(letter.body == message.body)
            let kept = try StrictJSON.decode(JSONValue.self, from: Array(letter.properties.utf8))
            guard case .object(let fields) = kept else {
                Issue.record("no object: \(letter.properties)")
                return
            }
            let texts: [String: String] = [
                "exchange": "warren.events", "routingKey": Happened.type.rawValue, "contentEncoding": "identity",
                "contentType": Publication.mediaType, "correlationId": "flow", "replyTo": "here", "expiration": "60000",
                "messageId": "the-id", "type": Happened.type.rawValue, "userId": "guest", "appId": "/elsewhere",
                "clusterId": "c",
            ]
            for (name, text) in texts { #expect(fields[name] == .string(text), "\(name)") }
            #expect(fields["deliveryMode"] == .integer(2))
            #expect(fields["priority"] == .integer(7))
            #expect(fields["timestamp"] == .integer(1_700_000_000))
            #expect(fields["headers"] == Self.headersAsKept)
            #expect(fields.count == texts.count + 4)
        }
    }
}
