import AMQP
import AMQPInMemory
import Synchronization
import Testing

@Suite("The in-memory clients, step by step", .timeLimit(.minutes(5)))
struct InMemoryNetworkTests {
    private let topology: BrokerTopology = {
        var topology = BrokerTopology()
        topology.queues = [.init(name: "q", arguments: ["x-queue-type": .string("quorum")])]
        return topology
    }()

    private func publication(_ text: String) -> Publication {
        var properties = MessageProperties()
        properties.deliveryMode = 2
        properties.messageID = text
        return Publication(
            exchange: "",
            routingKey: "q",
            message: Message(body: Array(text.utf8), properties: properties)
        )
    }

    /// Collects the outcomes of what is submitted, in their order.
    private final class Outcomes: Sendable {
        private let told = Mutex<[String]>([])
        var all: [String] { told.withLock { $0 } }
        func note(_ index: Int, _ error: AMQPError?) {
            told.withLock { $0.append("\(index) \(error.map { "\($0.code)" } ?? "confirmed")") }
        }
    }

    /// Runs the body beside a publisher that has started; nothing but steps moves it.
    private func with(
        _ network: InMemoryNetwork,
        _ publisher: InMemoryPublisher,
        _ body: () async throws -> Void
    ) async throws {
        let run = Task { await publisher.run() }
        while !network.possibleSteps.contains(.connect(publisher.id)) { await Task.yield() }
        try await body()
        run.cancel()
        network.settle()
        await run.value
    }

    @Test("A confirm that was said and not heard leaves the outcome unknown, and the message in its queue")
    func lostConfirm() async throws {
        let network = InMemoryNetwork(.stepwise)
        let publisher = network.makePublisher(topology: topology)
        let outcomes = Outcomes()
        try await with(network, publisher) {
            network.perform(.connect(publisher.id))
            publisher.submit([publication("a"), publication("b")], outcome: outcomes.note)
            let receive = try #require(network.possibleSteps.first)
            network.perform(receive)
            network.perform(.broker(.sync))
            #expect(network.possibleSteps.contains(.hear(publisher.id)))
            network.cut(publisher.id)
            network.perform(.hear(publisher.id))
            #expect(outcomes.all == ["0 connectionLost", "1 connectionLost"])
            // The first had arrived, the second had not: nobody can tell them apart.
            #expect(network.withBroker { $0.readyCount(of: "q") } == 1)
            #expect(publisher.statistics.unknown == 2)
            publisher.submit([publication("c")], outcome: outcomes.note)
            #expect(outcomes.all.last == "0 closed")
        }
    }

    @Test("No more messages are on their way than the window holds")
    func window() async throws {
        let network = InMemoryNetwork(.stepwise)
        let publisher = network.makePublisher(topology: topology, window: 3)
        let outcomes = Outcomes()
        try await with(network, publisher) {
            publisher.submit((0..<5).map { publication("\($0)") }, outcome: outcomes.note)
            network.perform(.connect(publisher.id))
            #expect(publisher.statistics.inFlight == 3)
            #expect(publisher.statistics.waiting == 2)
            network.settle()
            #expect(outcomes.all == (0..<5).map { "\($0) confirmed" })
        }
    }

    @Test("A cancelled publish that waits for a connection is not sent")
    func cancellation() async throws {
        let network = InMemoryNetwork(.stepwise)
        let publisher = network.makePublisher(topology: topology)
        try await with(network, publisher) {
            let waiting = Task { try await publisher.publish(publication("a")) }
            while publisher.statistics.waiting == 0 { await Task.yield() }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            network.settle()
            #expect(network.withBroker { $0.readyCount(of: "q") } == 0)
        }
    }

    @Test("An ack that was not taken in is undone by the cut, and its tag is stale then")
    func lostAck() async throws {
        let network = InMemoryNetwork(.automatic)
        let publisher = network.makePublisher(topology: topology)
        let consumer = network.makeConsumer(queue: "q", topology: topology)
        let runs = [Task { await publisher.run() }, Task { await consumer.run() }]
        try await publisher.publish(publication("a"))
        var bursts = consumer.bursts.makeAsyncIterator()
        let first = try #require(await bursts.next()?.first)
        network.cut(consumer.id)
        let second = try #require(await bursts.next()?.first)
        #expect(second.redelivered)
        #expect(second.tag == .init(connection: 2, number: 1))
        consumer.ack(first.tag)
        #expect(consumer.statistics.staleAcks == 1)
        #expect(network.withBroker { $0.unackedCount(of: "q") } == 1)
        consumer.ack(second.tag)
        #expect(network.withBroker { $0.unackedCount(of: "q") } == 0)
        for run in runs { run.cancel() }
        for run in runs { await run.value }
    }

    @Test("A broker that is killed and started again is found again, with what it had confirmed")
    func restart() async throws {
        let network = InMemoryNetwork(.automatic)
        let publisher = network.makePublisher(topology: topology)
        let consumer = network.makeConsumer(queue: "q", topology: topology)
        let publishing = Task { await publisher.run() }
        try await publisher.publish(publication("a"))
        network.withBroker { $0.kill() }
        guard case .closed = publisher.state else {
            Issue.record("\(publisher.state)")
            return
        }
        network.withBroker { $0.start() }
        #expect(publisher.state == .ready)
        let consuming = Task { await consumer.run() }
        var bursts = consumer.bursts.makeAsyncIterator()
        #expect(await bursts.next()?.first?.message.properties.messageID == "a")
        publishing.cancel()
        consuming.cancel()
        await publishing.value
        await consuming.value
    }

    @Test("A blocked broker is shown; who ends meanwhile is told that the outcome is unknown or the message unsent")
    func blocking() async throws {
        let network = InMemoryNetwork(.automatic)
        let publisher = network.makePublisher(topology: topology)
        let outcomes = Outcomes()
        let run = Task { await publisher.run() }
        try await publisher.publish(publication("a"))
        network.withBroker { $0.block(reason: "low on disk") }
        #expect(publisher.state == .blocked(reason: "low on disk"))
        publisher.submit([publication("b")], outcome: outcomes.note)
        #expect(outcomes.all.isEmpty)
        network.withBroker { $0.unblock() }
        #expect(publisher.state == .ready)
        #expect(outcomes.all == ["0 confirmed"])
        network.withBroker { $0.block() }
        publisher.submit([publication("c")], outcome: outcomes.note)
        run.cancel()
        await run.value
        #expect(outcomes.all == ["0 confirmed", "0 closed"])
    }
}
