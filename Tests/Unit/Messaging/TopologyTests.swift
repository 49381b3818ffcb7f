import AMQP
import Events
import Testing

@testable import Messaging

@Suite("The topology in the broker's terms")
struct TopologyTests {
    private let topology = Topology([
        .init("payment", to: ["dev.warren.order.placed"]),
        .init("mail", to: ["dev.warren.order.placed", "dev.warren.order.confirmed"]),
    ])

    private func queue(_ name: String, _ type: MessagingConfiguration.QueueType) -> BrokerTopology.Queue? {
        topology.declarations(queueType: type, mode: .declare).queues.first { $0.name == name }
    }

    @Test("gives a subscriber's queue one consumer at a time, whatever its type", arguments: ["quorum", "classic"])
    func singleActiveConsumer(type: String) throws {
        let type = try #require(MessagingConfiguration.QueueType(rawValue: type))
        for name in ["payment", "mail"] {
            #expect(queue(name, type)?.arguments["x-single-active-consumer"] == .boolean(true))
        }
        // The order of what the broker gave up on is lost already.
        #expect(queue("payment.dead-letters", type)?.arguments["x-single-active-consumer"] == nil)
    }

    @Test("has a quorum queue let go of a lost consumer after 2 s; RabbitMQ 4.3 refuses that of a classic one")
    func disconnectedTimeout() {
        #expect(queue("payment", .quorum)?.arguments["x-consumer-disconnected-timeout"] == .int32(2_000))
        #expect(queue("payment", .classic)?.arguments["x-consumer-disconnected-timeout"] == nil)
    }

    @Test("binds each queue to its types, and names the mend for a queue that has other arguments")
    func bindings() {
        let declarations = topology.declarations(queueType: .quorum, mode: .declare)
        let mail = declarations.bindings.filter { $0.queue == "mail" && $0.exchange == "warren.events" }
        #expect(mail.map(\.routingKey) == ["dev.warren.order.placed", "dev.warren.order.confirmed"])
        #expect(declarations.mendOfOtherArguments?.contains("`warren queues migrate`") == true)
        #expect(!declarations.passive && topology.declarations(queueType: .quorum, mode: .verify).passive)
    }
}
