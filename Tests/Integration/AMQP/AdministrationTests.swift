import CRabbitMQ
import Telemetry
import TestSupport
import Testing

@testable import AMQP

@Suite(
    "What is done to queues by hand",
    .enabled(if: TestBroker.url != nil, TestBroker.missing),
    .timeLimit(.minutes(5))
)
struct AdministrationTests {
    private let name = TestBroker.uniqueName()
    private let administration: BrokerAdministration

    init() throws {
        administration = BrokerAdministration(try TestBroker.configuration())
    }

    private func publish(_ count: Int, _ topology: BrokerTopology, to exchange: String = "") async throws {
        let publisher = Publisher(try TestBroker.configuration(), topology: topology, logger: testLogger)
        try await running([publisher]) {
            for number in 0..<count {
                let message = Message("\(number)", id: "\(number)")
                try await publisher.publish(Publication(exchange: exchange, routingKey: name, message: message))
            }
        }
    }

    @Test("A queue is counted, purged and deleted; one that is not there is neither an error nor anything else")
    func life() async throws {
        let topology = TestBroker.topology(TestBroker.queue(name))
        #expect(try await administration.counts(of: name) == nil)
        #expect(try await administration.delete(queue: name) == 0)
        try await administration.declare(topology)
        try await publish(3, topology)
        try await eventually("3 messages") {
            try await administration.counts(of: name) == BrokerAdministration.QueueCounts(ready: 3, consumers: 0)
        }
        #expect(try await administration.purge(queue: name) == 3)
        try await publish(2, topology)
        let consumer = Consumer(try TestBroker.configuration(), queue: name, topology: topology, logger: testLogger)
        try await running([], [consumer]) {
            _ = try await collect(2, from: consumer)
            // What waits for its ack is not ready, and is not purged.
            #expect(
                try await administration.counts(of: name) == BrokerAdministration.QueueCounts(ready: 0, consumers: 1)
            )
            #expect(try await administration.purge(queue: name) == 0)
        }
        try await eventually("they come back") { try await administration.counts(of: name)?.ready == 2 }
        #expect(try await administration.delete(queue: name) == 2)
        #expect(try await administration.counts(of: name) == nil)
    }

    @Test("A binding that is undone routes no more, and may be undone again")
    func unbinding() async throws {
        var topology = TestBroker.topology(TestBroker.queue(name))
        topology.exchanges = [.init(name: name, type: "topic")]
        let binding = BrokerTopology.Binding(queue: name, exchange: name, routingKey: name)
        topology.bindings = [binding]
        let bound = topology
        try await administration.declare(bound)
        try await publish(1, bound, to: name)
        try await administration.unbind([binding])
        try await administration.unbind([binding, .init(queue: name + "-none", exchange: name, routingKey: name)])
        let publisher = Publisher(try TestBroker.configuration(), logger: testLogger)
        try await running([publisher]) {
            do {
                let message = Message("x", id: "x")
                try await publisher.publish(Publication(exchange: name, routingKey: name, message: message))
                Issue.record("it reached a queue")
            } catch let error as AMQPError {
                #expect(error.code == .returned)
            }
        }
        try await administration.delete(queue: name)
        try await TestBroker.withSession { [name] session throws(AMQPError) in
            try session.call("deleting exchange") {
                _ = amqp_exchange_delete(session.connection, Session.channel, session.arena.bytes(name), 0)
            }
        }
    }

    @Test("Other arguments are an error that says what to do, in the words of whoever declares")
    func otherArguments() async throws {
        try await administration.declare(TestBroker.topology(TestBroker.queue(name)))
        var other = TestBroker.topology(
            TestBroker.queue(name, ["x-single-active-consumer": .boolean(true)])
        )
        other.mendOfOtherArguments = "ask for help"
        let wanted = other
        do {
            try await administration.declare(wanted)
            Issue.record("it was taken")
        } catch let error as AMQPError {
            #expect(error.code == .preconditionFailed)
            #expect(error.reason.contains("'x-single-active-consumer'") && error.reason.hasSuffix("; ask for help"))
        }
        try await administration.delete(queue: name)
    }

    @Test("A broker that is not there is an error, not a wait")
    func unreachable() async throws {
        let nowhere = BrokerAdministration(
            try ConnectionConfiguration(
                urls: ["amqp://guest:guest@127.0.0.1:1/", "amqp://guest:guest@127.0.0.1:2/"],
                name: "test"
            )
        )
        do {
            _ = try await nowhere.counts(of: name)
            Issue.record("it was reached")
        } catch let error as AMQPError {
            #expect(error.code == .connectionFailed && error.reason.contains("127.0.0.1:2"))
        }
    }
}
