import AMQP
import Foundation
import Telemetry
import TestSupport
import Testing

/// `peer.py` speaks through pika, a client that shares nothing with this one.
@Suite("Messages go between this client and another one", .timeLimit(.minutes(5)), .serialized)
struct InteropTests {
    private let url: String
    private let queue = TestEnvironment.uniqueName("interop")

    init() throws {
        url = try TestEnvironment.brokerURL
    }

    private var topology: BrokerTopology {
        var topology = BrokerTopology()
        let arguments: FieldTable = ["x-queue-type": .string("quorum"), "x-expires": .int32(600_000)]
        topology.queues = [BrokerTopology.Queue(name: queue, arguments: arguments)]
        return topology
    }

    private func configuration() throws -> ConnectionConfiguration {
        var configuration = try ConnectionConfiguration(urls: [url], name: "interop")
        configuration.maximumBodySize = 64 << 20
        configuration.closingTimeout = .seconds(30)
        return configuration
    }

    /// What the other side prints.
    private func peer(_ arguments: String...) async throws -> [String] {
        let python = try TestEnvironment.python
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("peer.py")
        let command = [script.path, arguments[0], url] + arguments.dropFirst()
        let done = try await ChildProcess.run(python, command, within: .seconds(240))
        try #require(done.end == .exit(0), "\(done.errors)")
        return done.output.split(separator: "\n").map(String.init)
    }

    private func withPublisher(_ body: (Publisher) async throws -> Void) async throws {
        let publisher = Publisher(try configuration(), topology: topology, logger: .silent)
        let run = Task { await publisher.run() }
        defer { run.cancel() }
        try await body(publisher)
        run.cancel()
        await run.value
    }

    /// Consumes and acknowledges so many messages.
    private func consume(_ count: Int, of queue: String) async throws -> [Message] {
        let consumer = Consumer(try configuration(), queue: queue, topology: topology, logger: .silent)
        let run = Task { await consumer.run() }
        let deadline = Task {
            try await Task.sleep(for: .seconds(120))
            run.cancel()
        }
        defer {
            run.cancel()
            deadline.cancel()
        }
        var messages: [Message] = []
        for await burst in consumer.bursts {
            messages += burst.map(\.message)
            consumer.ack(burst.map(\.tag))
            if messages.count >= count { break }
        }
        run.cancel()
        await run.value
        return messages
    }

    private static let everyHeader: FieldTable = [
        "boolean": .boolean(true), "false": .boolean(false), "int8": .int8(-128), "uint8": .uint8(255),
        "int16": .int16(-32_768), "uint16": .uint16(65_535), "int32": .int32(.min), "uint32": .uint32(.max),
        "int64": .int64(.min), "largest": .int64(.max), "float": .float(-1.5), "double": .double(.pi),
        "decimal": .decimal(scale: 2, value: 314), "string": .string("grüße \u{1F955}"), "empty": .string(""),
        "bytes": .bytes([0, 255, 128, 10]), "timestamp": .timestamp(1_700_000_000), "void": .void,
        "table": .table(["inner": .table(["deep": .array([.void, .string("x")])]), "none": .table([:])]),
        "array": .array([.int32(1), .array([.array([]), .boolean(false)]), .table(["k": .double(0)])]),
    ]

    private static var messages: [Message] {
        var full = MessageProperties()
        full.contentType = "application/json"
        full.contentEncoding = "identity"
        full.headers = ["h": .int32(1)]
        full.deliveryMode = 2
        full.priority = 9
        full.correlationID = "correlation"
        full.replyTo = "answers"
        full.expiration = "600000"
        full.messageID = String(repeating: "ü", count: 127)
        full.timestamp = 1_700_000_000
        full.type = "kind"
        full.userID = "guest"
        full.appID = "warren"
        full.clusterID = ""
        var headers = MessageProperties()
        headers.headers = everyHeader
        var noHeaders = MessageProperties()
        noHeaders.headers = [:]
        return [
            Message(body: []),
            Message(body: [0xCE], properties: noHeaders),
            Message(body: Array("grüße".utf8), properties: headers),
            Message(body: (0..<262_144).map { UInt8(truncatingIfNeeded: $0) }, properties: full),
            Message(body: (0..<(16 << 20)).map { UInt8($0 % 251) }),
        ]
    }

    @Test("What this client publishes, confirmed, the other receives: bodies, every property, every type of header")
    func outwards() async throws {
        let messages = Self.messages
        try await withPublisher { publisher in
            for message in messages {
                try await publisher.publish(Publication(exchange: "", routingKey: queue, message: message))
            }
            #expect(publisher.statistics.confirmed == messages.count)
        }
        #expect(try await peer("receive", queue, "\(messages.count)") == messages.map { $0.published().line })
    }

    @Test("What the other publishes, confirmed, this client receives: bodies, every property, every type of header")
    func inwards() async throws {
        try await withPublisher { publisher in
            for await state in publisher.states where state == .ready { break }
        }
        let sent = try await peer("send", queue)
        #expect(sent.count == 6)
        #expect(try await consume(sent.count, of: queue).map(\.line) == sent)
    }

    @Test("What this client received and acknowledged stays so: the other side finds the queue empty behind it")
    func acknowledged() async throws {
        try await withPublisher { publisher in
            for index in 0..<200 {
                let message = Message(body: Array("\(index)".utf8))
                try await publisher.publish(Publication(exchange: "", routingKey: queue, message: message))
            }
            #expect(try await consume(200, of: queue).count == 200)
            try await publisher.publish(Publication(exchange: "", routingKey: queue, message: Message(body: [1, 2])))
        }
        // Anything that came back would be before it.
        #expect(try await peer("receive", queue, "1") == [Message(body: [1, 2]).published().line])
    }

    @Test("What the other rejects arrives in the dead-letter queue with the broker's own headers, and is read whole")
    func rejected() async throws {
        let graveyard = queue + ".dead"
        var topology = topology
        topology.queues[0].arguments.entries += [
            FieldTable.Entry(name: "x-dead-letter-exchange", value: .string("")),
            FieldTable.Entry(name: "x-dead-letter-routing-key", value: .string(graveyard)),
        ]
        topology.queues.append(BrokerTopology.Queue(name: graveyard, arguments: ["x-expires": .int32(600_000)]))
        let publisher = Publisher(try configuration(), topology: topology, logger: .silent)
        let run = Task { await publisher.run() }
        defer { run.cancel() }
        var properties = MessageProperties()
        properties.headers = Self.everyHeader
        let message = Message(body: [7], properties: properties)
        try await publisher.publish(Publication(exchange: "", routingKey: queue, message: message))
        _ = try await peer("reject", queue)

        let consumer = Consumer(try configuration(), queue: graveyard, topology: topology, logger: .silent)
        let consuming = Task { await consumer.run() }
        defer { consuming.cancel() }
        let dead = try #require(await consumer.bursts.first { _ in true }?.first?.message)
        let headers = try #require(dead.properties.headers)
        for entry in Self.everyHeader.entries {
            #expect(headers[entry.name] == entry.value)
        }
        guard case .array(let deaths)? = headers["x-death"], case .table(let death)? = deaths.first else {
            Issue.record("there is no x-death in \(headers)")
            return
        }
        #expect(death["queue"]?.text == queue)
        #expect(death["reason"]?.text == "rejected")
        #expect(death["count"]?.integer == 1)
        if case .timestamp? = death["time"] {} else { Issue.record("the time is \(String(describing: death["time"]))") }
    }

    @Test("Both clients call a message without a queue unroutable")
    func unroutable() async throws {
        let nowhere = TestEnvironment.uniqueName("nowhere")
        #expect(try await peer("unroutable", nowhere) == ["unroutable"])
        try await withPublisher { publisher in
            await #expect {
                try await publisher.publish(
                    Publication(exchange: "", routingKey: nowhere, message: Message(body: []))
                )
            } throws: {
                ($0 as? AMQPError)?.code == .returned
            }
        }
    }
}
