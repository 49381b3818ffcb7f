import AMQP
import Telemetry
import Testing

@Suite(
    "Administration",
    .enabled(if: TestBroker.url != nil, TestBroker.missing),
    .timeLimit(.minutes(5))
)
struct AdministratorTests {
    private let administrator: Administrator
    private let name = TestBroker.uniqueName()

    init() throws {
        administrator = Administrator(try TestBroker.configuration("administrator"))
    }

    private func publish(_ count: Int, to exchange: String = "", key: String) async throws {
        let publisher = Publisher(try TestBroker.configuration("publisher"), logger: testLogger)
        let running = Task { await publisher.run() }
        for _ in 0..<count {
            let message = Message(body: [1])
            try await publisher.publish(
                Publication(exchange: exchange, routingKey: key, message: message)
            )
        }
        running.cancel()
        await running.value
    }

    @Test("shows what waits in a queue and who reads it, and nothing where there is none")
    func look() async throws {
        #expect(try await administrator.queue(name) == nil)
        try await administrator.declare(TestBroker.topology(TestBroker.queue(name)))
        try await publish(3, key: name)
        #expect(try await administrator.queue(name)?.readyMessages == 3)
        #expect(try await administrator.queue(name)?.consumers == 0)
        try await administrator.delete(queue: name)
    }

    @Test("purges and deletes, and says how many messages went; what is gone counts as deleted")
    func purgeAndDelete() async throws {
        try await administrator.declare(TestBroker.topology(TestBroker.queue(name, type: "classic")))
        try await publish(3, key: name)
        #expect(try await administrator.purge(queue: name) == 3)
        try await publish(2, key: name)
        let kept = await #expect(throws: AMQPError.self) { try await administrator.delete(queue: name, ifEmpty: true) }
        #expect(kept?.code == .preconditionFailed)
        #expect(try await administrator.delete(queue: name) == 2)
        #expect(try await administrator.delete(queue: name) == 0)
        let gone = await #expect(throws: AMQPError.self) { try await administrator.purge(queue: name) }
        #expect(gone?.code == .notFound)
    }

    @Test("does not delete what somebody uses, where that is asked")
    func used() async throws {
        let topology = TestBroker.topology(TestBroker.queue(name, type: "classic"))
        let consumer = Consumer(
            try TestBroker.configuration("consumer"),
            queue: name,
            prefetch: 1,
            topology: topology,
            logger: testLogger
        )
        let running = Task { await consumer.run() }
        for await state in consumer.states where state == .ready { break }
        #expect(try await administrator.queue(name)?.consumers == 1)
        let refused = await #expect(throws: AMQPError.self) {
            try await administrator.delete(queue: name, ifUnused: true)
        }
        #expect(refused?.code == .preconditionFailed)
        running.cancel()
        await running.value
        try await administrator.delete(queue: name)
    }

    @Test("removes a binding, and an exchange with what is bound to it")
    func unbind() async throws {
        var topology = TestBroker.topology(TestBroker.queue(name))
        topology.exchanges = [.init(name: name, type: "topic")]
        topology.bindings = [
            .init(queue: name, exchange: name, routingKey: "a"), .init(queue: name, exchange: name, routingKey: "b"),
        ]
        try await administrator.declare(topology)
        try await publish(1, to: name, key: "a")
        try await administrator.unbind(topology.bindings[0])
        let lost = await #expect(throws: AMQPError.self) { try await publish(1, to: name, key: "a") }
        #expect(lost?.code == .returned)
        try await publish(1, to: name, key: "b")
        #expect(try await administrator.queue(name)?.readyMessages == 2)
        try await administrator.delete(exchange: name)
        try await administrator.delete(exchange: name)
        try await administrator.delete(queue: name)
    }

    @Test("says who cannot be reached, without credentials, and tries the next endpoint first")
    func unreachable() async throws {
        let nowhere = "amqp://user:geheim@127.0.0.1:1/"
        let away = Administrator(try ConnectionConfiguration(urls: [nowhere], name: "administrator"))
        let error = await #expect(throws: AMQPError.self) { try await away.queue(name) }
        #expect(error?.code == .connectionFailed)
        #expect(error?.description.contains("geheim") == false)
        let url = try #require(TestBroker.url)
        let second = Administrator(try ConnectionConfiguration(urls: [nowhere, url], name: "administrator"))
        #expect(try await second.queue(name) == nil)
    }
}
