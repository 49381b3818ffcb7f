import AMQP
import TestSupport
import Testing

@testable import AMQP

@Suite("Conformance: what the wire carries", .timeLimit(.minutes(2)))
struct WireScenarios {
    /// Every type of field with the ends of its range.
    private static let extremes: FieldTable = [
        "true": .boolean(true), "false": .boolean(false),
        "int8": .array([.int8(.min), .int8(-1), .int8(0), .int8(.max)]),
        "uint8": .array([.uint8(0), .uint8(.max)]),
        "int16": .array([.int16(.min), .int16(.max)]), "uint16": .array([.uint16(0), .uint16(.max)]),
        "int32": .array([.int32(.min), .int32(.max)]), "uint32": .array([.uint32(0), .uint32(.max)]),
        "int64": .array([.int64(.min), .int64(-1), .int64(.max)]),
        "float": .array([
            .float(0), .float(-0.0), .float(.leastNonzeroMagnitude), .float(.greatestFiniteMagnitude), .float(-1.5),
        ]),
        "double": .array([
            .double(0), .double(-0.0), .double(.leastNonzeroMagnitude), .double(.greatestFiniteMagnitude), .double(.pi),
        ]),
        "decimal": .array([.decimal(scale: 0, value: 0), .decimal(scale: .max, value: .max)]),
        "string": .array([.string(""), .string("a\u{0}b"), .string("grüße 👋🏽 e\u{301}")]),
        "bytes": .array([.bytes([]), .bytes([0xC3]), .bytes(Array(0...255))]),
        "timestamp": .array([.timestamp(0), .timestamp(1 << 40)]),
        "void": .void, "table": .array([.table([:]), .table(["": .void])]), "array": .array([.array([])]),
    ]

    @Test("Every type of field, at the ends of its range, comes back as it went", arguments: Broker.available)
    func fields(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue(type: "classic"))
        var headers = Self.extremes
        headers[String(repeating: "n", count: 255)] = .string("a long name")
        var nested = FieldValue.int32(1)
        // In turns a table and an array, as deep as the client writes.
        for depth in 1..<63 { nested = depth % 2 == 0 ? .array([nested]) : .table(["d": nested]) }
        headers["nested"] = nested
        let sent = headers
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            try await publisher.publish(scenario.publication("1") { $0.headers = sent })
        }
        let received = try #require(try await scenario.take(1, topology).first?.message.properties.headers)
        for entry in sent.entries {
            // As text: minus zero is equal to zero.
            #expect(received[entry.name].map { "\($0)" } == "\(entry.value)", "\(entry.name)")
        }
        #expect(received.entries.count == sent.entries.count)
    }

    @Test("Numbers that are none, and infinite ones, do not harm the connection", arguments: Broker.available)
    func notNumbers(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue(type: "classic"))
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            // RabbitMQ cannot read these: Erlang has no such numbers. What it does with them is its own affair.
            _ = try? await publisher.publish(scenario.publication("odd") { $0.headers = ["x": .double(.infinity)] })
            _ = try? await publisher.publish(scenario.publication("odd") { $0.headers = ["x": .double(.nan)] })
            try await publisher.publish(scenario.publication("end"))
        }
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 10, topology, [:])
        try await running([], [consumer]) {
            try await within(.seconds(20), "the end") {
                for await burst in consumer.bursts where burst.contains(where: { $0.text == "end" }) { return }
            }
        }
    }

    @Test("No properties at all, and empty ones, are told apart", arguments: Broker.available)
    func emptyProperties(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue(type: "classic"))
        var bare = scenario.publication("bare")
        bare.message.properties = MessageProperties()
        var empty = scenario.publication("empty")
        empty.message.properties = MessageProperties()
        empty.message.properties.messageID = ""
        empty.message.properties.contentType = ""
        empty.message.properties.headers = [:]
        empty.message.properties.timestamp = 0
        empty.message.properties.priority = 0
        let sent = [bare, empty]
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            for publication in sent { try await publisher.publish(publication) }
        }
        // The connection's user is added to both.
        let named = sent.map { publication in
            var message = publication.message
            message.properties.userID = "guest"
            return message
        }
        #expect(try await scenario.take(2, topology).map(\.message) == named)
    }

    @Test("Bodies around the size of one frame and of several come back whole", arguments: Broker.available)
    func bodies(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue(type: "classic"))
        // What a frame holds besides its head and end.
        let full = Session.frameSize - 8
        let sizes = [0, 1, full - 1, full, full + 1, 2 * full - 1, 2 * full, 2 * full + 1, 1 << 20]
        let publications = sizes.map { size in
            var publication = scenario.publication("\(size)")
            publication.message.body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
            return publication
        }
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            let outcomes = try await outcomes(of: publications, by: publisher)
            #expect(outcomes.allSatisfy { $0 == nil })
        }
        let received = try await scenario.take(sizes.count, topology)
        #expect(received.map(\.message.body.count) == sizes)
        #expect(received.map(\.message.body) == publications.map(\.message.body))
    }

    @Test(
        "The largest headers that the client takes, the broker takes; one byte more is refused alone",
        arguments: Broker.available
    )
    func headers(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue(type: "classic"))
        func publication(_ length: Int) -> Publication {
            scenario.publication("1") {
                $0.headers = ["x": .bytes([UInt8](repeating: 7, count: length))]
                $0.userID = "guest"
            }
        }
        // The largest that passes, by halving.
        var (fits, tooLarge) = (0, 1 << 18)
        while tooLarge - fits > 1 {
            let middle = (fits + tooLarge) / 2
            if (try? publication(middle).validate()) != nil { fits = middle } else { tooLarge = middle }
        }
        let largest = fits
        #expect(largest > Session.frameSize - 200)
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            let outcomes = try await outcomes(
                of: [publication(largest), publication(largest + 1), publication(1)],
                by: publisher
            )
            #expect(outcomes.map(\.?.code) == [nil, .invalidMessage, nil])
            #expect(publisher.statistics.connections == 1)
        }
        let received = try await scenario.take(2, topology)
        #expect(received.first?.message.properties.headers == publication(largest).message.properties.headers)
    }
}

@Suite("Conformance: streams", .timeLimit(.minutes(2)))
struct StreamScenarios {
    @Test(
        "A stream is declared with its arguments, and each reader has all of it from where it likes",
        arguments: Broker.available.filter(\.isReal)
    )
    func offsets(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        var topology = BrokerTopology()
        topology.queues = [
            .init(
                name: scenario.name,
                arguments: [
                    "x-queue-type": .string("stream"), "x-max-length-bytes": .int64(1 << 24),
                    "x-max-age": .string("1h"), "x-stream-max-segment-size-bytes": .int32(1 << 20),
                ]
            )
        ]
        try await scenario.driver.declare(topology)
        try await scenario.fill((0..<10).map(String.init), topology)
        for (offset, expected) in [
            (.string("first"), 0..<10), (.int64(4), 4..<10), (.timestamp(0), 0..<10),
        ] as [(FieldValue, Range<Int>)] {
            // Reading takes nothing out, so each has all of it.
            let consumer = try scenario.driver.consumer(
                scenario.name,
                prefetch: 3,
                topology,
                ["x-stream-offset": offset]
            )
            try await running([], [consumer]) {
                var messages: [IncomingMessage] = []
                while messages.count < expected.count {
                    let more = try await collect(1, from: consumer)
                    consumer.ack(more.map(\.tag))
                    messages += more
                }
                #expect(messages.map(\.text) == expected.map(String.init), "\(offset)")
                let offsets = messages.map { $0.message.properties.headers?["x-stream-offset"]?.integer }
                #expect(offsets == expected.map { $0 })
            }
        }
        try await scenario.driver.deleteQueue(scenario.name)
    }
}
