import AMQP
import Foundation
import Telemetry
import TestSupport
import Testing

@Suite("The broker runs out of memory", .timeLimit(.minutes(5)))
struct AlarmTests {
    private static func publication(_ text: String) -> Publication {
        var properties = MessageProperties()
        properties.messageID = text
        properties.deliveryMode = 2
        return Publication(
            exchange: "",
            routingKey: "q",
            message: Message(body: Array(text.utf8), properties: properties)
        )
    }

    @Test("publishers say so and wait, consumers go on, and nothing is lost or sent twice when it has memory again")
    func memory() async throws {
        try await PrivateBroker.with { broker in
            var topology = BrokerTopology()
            topology.queues = [.init(name: "q", arguments: ["x-queue-type": .string("quorum")])]
            let configuration = try ConnectionConfiguration(urls: [broker.url], name: "alarm")
            let publisher = Publisher(configuration, topology: topology, logger: .silent)
            let publishing = Task { await publisher.run() }
            for text in ["1", "2"] { try await publisher.publish(Self.publication(text)) }

            try await broker.control("set_vm_memory_high_watermark", "absolute", "1")
            // The broker blocks a connection when it publishes: this one is on its way, and not answered.
            let third = Task { try await publisher.publish(Self.publication("3")) }
            for await state in publisher.states {
                guard case .blocked(let reason) = state else { continue }
                #expect(reason.contains("memory"))
                break
            }
            let fourth = Task { try await publisher.publish(Self.publication("4")) }
            let impatient = Task { try await publisher.publish(Self.publication("impatient")) }
            try await eventually("both wait") { publisher.statistics.waiting == 2 }
            impatient.cancel()
            await #expect(throws: CancellationError.self) { try await impatient.value }

            // Over a connection of its own, which publishes nothing and is not blocked.
            let consumer = Consumer(configuration, queue: "q", logger: .silent)
            let consuming = Task { await consumer.run() }
            var received: [String] = []
            var bursts = consumer.bursts.makeAsyncIterator()
            while received.count < 2, let burst = await bursts.next() {
                consumer.ack(burst.map(\.tag))
                received += burst.map { String(decoding: $0.message.body, as: UTF8.self) }
            }
            #expect(received == ["1", "2"])
            #expect(publisher.statistics.confirmed == 2 && publisher.statistics.waiting == 1)

            try await broker.control("set_vm_memory_high_watermark", "0.4")
            try await third.value
            try await fourth.value
            #expect(publisher.state == .ready && publisher.statistics.connections == 1)
            while received.count < 4, let burst = await bursts.next() {
                consumer.ack(burst.map(\.tag))
                received += burst.map { String(decoding: $0.message.body, as: UTF8.self) }
            }
            #expect(received == ["1", "2", "3", "4"])
            consuming.cancel()
            publishing.cancel()
            await consuming.value
            await publishing.value
        }
    }
}
