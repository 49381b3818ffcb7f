import CRabbitMQ
import Foundation
import Synchronization
import Telemetry
import Testing

@testable import AMQP

@Suite("Consuming from a real broker", .enabled(if: TestBroker.url != nil, TestBroker.missing), .timeLimit(.minutes(5)))
struct ConsumingTests {
    private static func fill(_ queue: String, _ publisher: Publisher, count: Int) async throws {
        let burst = (0..<count).map {
            Publication(exchange: "", routingKey: queue, message: Message("\($0)", id: "\($0)"))
        }
        let failures = try await outcomes(of: burst, by: publisher).compactMap(\.?.description)
        #expect(Set(failures).isEmpty, "\(failures.count) of \(count)")
    }

    @Test("No more than the prefetch is ever unacknowledged, and acks let the next ones come")
    func prefetch() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(
            try TestBroker.configuration(),
            queue: name,
            prefetch: 5,
            topology: topology,
            logger: testLogger
        )
        try await running([publisher], [consumer]) {
            try await Self.fill(name, publisher, count: 23)
            let unacked = Mutex((now: 0, most: 0))
            let messages = try await collect(23, from: consumer) { burst in
                unacked.withLock { unacked in
                    unacked.now += burst.count
                    unacked.most = max(unacked.most, unacked.now)
                    unacked.now -= burst.count
                }
                consumer.ack(burst.map(\.tag))
            }
            #expect(messages.map { String(decoding: $0.message.body, as: UTF8.self) } == (0..<23).map(String.init))
            #expect(unacked.withLock(\.most) <= 5)
        }
    }

    @Test("No more than a budget of bytes is held, however many messages may be unacknowledged")
    func bytes() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        var configuration = try TestBroker.configuration()
        configuration.heartbeat = 1
        let consumer = Consumer(configuration, queue: name, prefetch: 256, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            let body = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
            for _ in 0..<80 {
                try await publisher.publish(
                    Publication(
                        exchange: "",
                        routingKey: name,
                        message: Message(body: body)
                    )
                )
            }
            try await eventually("32 deliveries") { consumer.statistics.delivered >= 32 }
            // Longer than the broker's silence, and ours, would be suffered.
            try await Task.sleep(for: .seconds(5))
            #expect(consumer.statistics.delivered <= 34)
            let messages = try await collect(80, from: consumer) { burst in consumer.ack(burst.map(\.tag)) }
            #expect(messages.count == 80)
            #expect(messages.allSatisfy { !$0.redelivered })
            #expect(consumer.statistics.connections == 1)
        }
    }

    @Test("What a slow reader has not taken comes as one burst")
    func merging() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            try await reached(consumer.states, "ready") { $0 == .ready }
            for index in 0..<10 {
                try await publisher.publish(
                    Publication(exchange: "", routingKey: name, message: Message("\(index)", id: "\(index)"))
                )
            }
            try await eventually("10 deliveries") { consumer.statistics.delivered == 10 }
            var iterator = consumer.bursts.makeAsyncIterator()
            let burst = try #require(await iterator.next())
            #expect(burst.count == 10)
        }
    }

    @Test("Rejected messages go back to the queue, or away")
    func rejecting() async throws {
        let name = TestBroker.uniqueName()
        let dead = name + "-dead"
        let arguments: FieldTable = [
            "x-dead-letter-exchange": .string(""), "x-dead-letter-routing-key": .string(dead),
        ]
        let topology = try await TestBroker.declared(TestBroker.queue(name, arguments), TestBroker.queue(dead))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        let graveyard = Consumer(try TestBroker.configuration(), queue: dead, topology: topology, logger: testLogger)
        try await running([publisher], [consumer, graveyard]) {
            try await publisher.publish(Publication(exchange: "", routingKey: name, message: Message("x", id: "1")))
            let first = try #require(try await collect(1, from: consumer).first)
            consumer.reject(first.tag, requeue: true)
            let second = try #require(try await collect(1, from: consumer).first)
            #expect(second.redelivered)
            #expect(second.message.properties.headers?["x-delivery-count"]?.integer == 1)
            consumer.reject(second.tag, requeue: false)
            let buried = try #require(try await collect(1, from: graveyard).first)
            #expect(buried.message.properties.messageID == "1")
            guard case .array(let deaths)? = buried.message.properties.headers?["x-death"],
                case .table(let death)? = deaths.first
            else {
                Issue.record("x-death is missing")
                return
            }
            #expect(death["reason"]?.text == "rejected")
            graveyard.ack(buried.tag)
        }
    }

    @Test("Every property and header type survives the way through the broker")
    func properties() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        var message = Message("body", id: "id-1")
        message.body = Array(0...255)
        message.properties.contentType = "application/cloudevents+json; charset=utf-8"
        message.properties.contentEncoding = "identity"
        message.properties.priority = 3
        message.properties.correlationID = "flow"
        message.properties.replyTo = "answers"
        message.properties.expiration = "600000"
        message.properties.timestamp = 1_700_000_000
        message.properties.type = "dev.warren.test"
        message.properties.userID = "guest"
        message.properties.appID = "warren"
        message.properties.clusterID = "c"
        message.properties.headers = [
            "boolean": .boolean(true), "int8": .int8(-5), "uint8": .uint8(250), "int16": .int16(-300),
            "uint16": .uint16(65_000), "int32": .int32(-70_000), "uint32": .uint32(4_000_000_000),
            "int64": .int64(.min),
            "float": .float(1.5), "double": .double(-2.25), "decimal": .decimal(scale: 2, value: 314),
            "string": .string("grüße"), "bytes": .bytes([0, 255, 128]), "timestamp": .timestamp(1_700_000_000),
            "void": .void, "table": .table(["inner": .array([.int32(1), .table(["x": .void])])]),
        ]
        let sent = message
        try await running([publisher], [consumer]) {
            try await publisher.publish(Publication(exchange: "", routingKey: name, message: sent))
            var received = try #require(try await collect(1, from: consumer).first).message
            // What the broker adds; and it keeps headers in an order of its own.
            received.properties.headers?["x-delivery-count"] = nil
            received.properties.headers?.entries.sort { $0.name < $1.name }
            var expected = sent
            expected.properties.headers?.entries.sort { $0.name < $1.name }
            #expect(received == expected)
        }
    }

    @Test("A message names the user that logged in, by both ways to the wire, unless the URI keeps it out")
    func user() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        var library = try TestBroker.configuration()
        library.usesLibraryTransport = true
        let url = try #require(TestBroker.url)
        let silent = try ConnectionConfiguration(urls: [url + "?user_id=none"], name: "silent")
        try await running([], [consumer]) {
            for (configuration, user) in [(try TestBroker.configuration(), "guest"), (library, "guest"), (silent, nil)]
            {
                let publisher = Publisher(configuration, topology: topology, logger: testLogger)
                try await running([publisher]) {
                    try await publisher.publish(
                        Publication(exchange: "", routingKey: name, message: Message("x"))
                    )
                }
                let received = try #require(try await collect(1, from: consumer).first)
                #expect(received.message.properties.userID == user)
                consumer.ack(received.tag)
            }
        }
    }

    @Test("A body above the maximum is delivered cut off and marked, and the next one is whole")
    func oversized() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        var configuration = try TestBroker.configuration()
        configuration.maximumBodySize = 1_000
        let consumer = Consumer(configuration, queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            for size in [1_000, 1_001, 2_000_000, 3] {
                let body = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
                try await publisher.publish(Publication(exchange: "", routingKey: name, message: Message(body: body)))
            }
            let messages = try await collect(4, from: consumer)
            #expect(messages.map(\.message.body.count) == [1_000, 1_000, 1_000, 3])
            #expect(messages.map(\.isOversized) == [false, true, true, false])
            consumer.ack(messages.map(\.tag))
        }
    }

    @Test("After `stopConsuming` the bursts end, what is here can be acknowledged, and the rest stays in the queue")
    func stopping() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(
            try TestBroker.configuration(),
            queue: name,
            prefetch: 10,
            topology: topology,
            logger: testLogger
        )
        try await running([publisher], [consumer]) {
            try await Self.fill(name, publisher, count: 30)
            let messages = try await within(.seconds(60), "the end of the bursts") {
                var messages: [IncomingMessage] = []
                for await burst in consumer.bursts {
                    messages += burst
                    if messages.count == 10 { consumer.stopConsuming() }
                }
                return messages
            }
            #expect(messages.count == 10)
            consumer.ack(messages.map(\.tag))
            try await eventually("the acks are written") { consumer.statistics.settled == 10 }
            #expect(consumer.state == .ready)
            // The broker sends nothing more although there is room now.
            try await Task.sleep(for: .milliseconds(200))
            #expect(consumer.statistics.delivered == 10)
        }
        let rest = try await drain(name, topology, count: 20)
        #expect(rest.map { String(decoding: $0.message.body, as: UTF8.self) } == (10..<30).map(String.init))
    }

    @Test("Acks that were given before the cancellation are never undone", arguments: ["quorum", "classic"])
    func lastAcks(type: String) async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name, type: type))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([publisher]) { try await Self.fill(name, publisher, count: 2_998) }
        for round in 0..<3 {
            let consumer = Consumer(
                try TestBroker.configuration(),
                queue: name,
                prefetch: 1_000,
                topology: topology,
                logger: testLogger
            )
            try await running([], [consumer]) {
                let messages = try await collect(1_000, from: consumer)
                // The first is kept back, so that every ack goes out by itself: the hardest for the broker.
                #expect(messages[0].message.properties.messageID == "0")
                consumer.ack(messages[1..<1_000].map(\.tag))
            }
            #expect(consumer.statistics.settled == 999, "round \(round)")
        }
        try await expectLeft(["0"], name, topology)
    }

    @Test("An ack that was given in the moment before the cancellation is written")
    func ackAndCancel() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([publisher]) { try await Self.fill(name, publisher, count: 10) }
        for _ in 0..<10 {
            let consumer = Consumer(
                try TestBroker.configuration(),
                queue: name,
                prefetch: 1,
                topology: topology,
                logger: testLogger
            )
            let run = Task { await consumer.run() }
            let message = try #require(try await collect(1, from: consumer).first)
            consumer.ack(message.tag)
            run.cancel()
            await run.value
            #expect(consumer.statistics.settled == 1)
        }
        try await expectLeft([], name, topology)
    }

    /// Puts a mark into the queue and sees what comes out before it.
    private func expectLeft(_ expected: [String], _ name: String, _ topology: BrokerTopology) async throws {
        let marker = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([marker]) {
            try await marker.publish(Publication(exchange: "", routingKey: name, message: Message("mark", id: "mark")))
        }
        let left = try await drain(name, topology, count: expected.count + 1)
        #expect(left.map(\.message.properties.messageID) == expected + ["mark"])
    }

    @Test("20,000 messages go through a publisher and a consumer, each once")
    func many() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let count = 20_000
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            async let published: Void = Self.fill(name, publisher, count: count)
            let messages = try await collect(count, from: consumer, within: .seconds(240)) { burst in
                consumer.ack(burst.map(\.tag))
            }
            try await published
            #expect(messages.map { String(decoding: $0.message.body, as: UTF8.self) } == (0..<count).map(String.init))
        }
        #expect(publisher.statistics.confirmed == count)
        #expect(consumer.statistics.settled == count)
        #expect(consumer.statistics.staleAcks == 0)
    }

    @Test("A consumer whose queue is deleted declares it again and goes on")
    func queueDeleted() async throws {
        let name = TestBroker.uniqueName()
        let topology = try await TestBroker.declared(TestBroker.queue(name))
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        try await running([publisher], [consumer]) {
            try await reached(consumer.states, "ready") { $0 == .ready }
            let states = consumer.states
            try await deleteQueue(name)
            try await reached(states, "the cancellation is noticed") {
                if case .closed(let cause) = $0 { cause.contains("cancelled the consumer") } else { false }
            }
            try await reached(states, "ready again") { $0 == .ready }
            try await publisher.publish(Publication(exchange: "", routingKey: name, message: Message("x", id: "1")))
            let message = try #require(try await collect(1, from: consumer).first)
            // More than one later where the broker is still deleting the queue when it is declared again.
            #expect(message.tag.connection > 1)
            consumer.ack(message.tag)
        }
        #expect(consumer.statistics.reconnects >= 1)
    }
}

/// Deletes a queue as an operator would.
func deleteQueue(_ name: String) async throws {
    try await TestBroker.withSession { session throws(AMQPError) in
        try session.call("deleting") {
            _ = amqp_queue_delete(session.connection, Session.channel, session.arena.bytes(name), 0, 0)
        }
    }
}

/// Waits until a condition that nothing signals holds.
func eventually(
    _ what: String,
    within limit: Duration = .seconds(60),
    _ condition: @escaping @Sendable () -> Bool
) async throws {
    try await within(limit, what) {
        while !condition() { try await Task.sleep(for: .milliseconds(5)) }
    }
}

/// Takes so many messages out of a queue, by a consumer of its own.
func drain(_ queue: String, _ topology: BrokerTopology, count: Int) async throws -> [IncomingMessage] {
    let consumer = Consumer(try TestBroker.configuration("drain"), queue: queue, topology: topology, logger: testLogger)
    return try await running([], [consumer]) {
        try await collect(count, from: consumer) { burst in consumer.ack(burst.map(\.tag)) }
    }
}
