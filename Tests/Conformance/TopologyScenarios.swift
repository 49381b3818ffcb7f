import AMQP
import TestSupport
import Testing

@Suite("Conformance: topology", .timeLimit(.minutes(5)))
struct TopologyScenarios {
    @Test(
        "Declaring again with another argument fails and names the argument and the mend",
        arguments: Broker.available
    )
    func inequivalent(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue(arguments: ["x-max-length": .int32(5)]))
        // The same again is no change.
        try await scenario.driver.declare(topology)
        for (argument, queue) in [
            ("x-max-length", scenario.queue(arguments: ["x-max-length": .int32(6)])),
            ("x-max-length", scenario.queue()),
            ("x-queue-type", scenario.queue(type: "classic", arguments: ["x-max-length": .int32(5)])),
        ] {
            let error = await failure {
                _ = try await scenario.declared(queue)
            }
            #expect(error?.code == .preconditionFailed)
            #expect(error?.reason.contains("406 PRECONDITION_FAILED - inequivalent arg '\(argument)'") == true)
            #expect(error?.reason.contains("for queue '\(scenario.name)'") == true)
            #expect(
                error?.reason.contains("it exists with another '\(argument)': declare it with the same one") == true
            )
        }
        var exchange = BrokerTopology()
        exchange.exchanges = [.init(name: scenario.name, type: "topic")]
        try await scenario.driver.declare(exchange)
        exchange.exchanges = [.init(name: scenario.name, type: "direct")]
        let other = exchange
        let error = await failure { try await scenario.driver.declare(other) }
        #expect(error?.reason.contains("inequivalent arg 'type' for exchange '\(scenario.name)'") == true)
    }

    @Test(
        "The arguments of a service's queue are taken, and a queue without them is another one",
        arguments: Broker.available,
        ["quorum", "classic"]
    )
    func serviceQueue(_ broker: Broker, type: String) async throws {
        let scenario = try Scenario(broker)
        var more: FieldTable = ["x-overflow": .string("reject-publish"), "x-single-active-consumer": .boolean(true)]
        if type == "quorum" { more["x-consumer-disconnected-timeout"] = .int32(2_000) }
        let topology = try await scenario.declared(scenario.queue(type: type, arguments: more))
        // The same again is no change, and nor is a broker's default in place of the time-out.
        try await scenario.driver.declare(topology)
        more["x-consumer-disconnected-timeout"] = nil
        _ = try await scenario.declared(scenario.queue(type: type, arguments: more))
        more["x-single-active-consumer"] = nil
        var older = BrokerTopology()
        older.queues = [scenario.queue(type: type, arguments: more)]
        older.mendOfOtherArguments = "ask for help"
        let wanted = older
        let error = await failure { try await scenario.driver.declare(wanted) }
        #expect(error?.reason.contains("inequivalent arg 'x-single-active-consumer'") == true)
        #expect(error?.reason.hasSuffix("; ask for help") == true)
    }

    @Test("A client whose topology does not fit says so, and is ready once it does", arguments: Broker.available)
    func recovery(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        _ = try await scenario.declared(scenario.queue(type: "classic"))
        var wanted = BrokerTopology()
        wanted.queues = [scenario.queue()]
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 1, wanted, [:])
        try await running([], [consumer]) {
            let states = consumer.states
            try await reached(states, "the error is shown") {
                if case .closed(let cause) = $0 { cause.contains("'x-queue-type'") } else { false }
            }
            #expect(consumer.lastFailure?.code == .preconditionFailed)
            try await scenario.driver.deleteQueue(scenario.name)
            try await reached(states, "ready") { $0 == .ready }
            #expect(consumer.lastFailure == nil)
        }
    }

    @Test(
        "Verifying passively finds what is there, whatever its arguments, and misses what is not",
        arguments: Broker.available
    )
    func passive(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        _ = try await scenario.declared(scenario.queue(arguments: ["x-max-length": .int32(5)]))
        var topology = BrokerTopology()
        topology.passive = true
        topology.queues = [.init(name: scenario.name)]
        try await scenario.driver.declare(topology)
        topology.queues = [.init(name: scenario.name + "-missing")]
        let missingQueue = topology
        let queueError = await failure { try await scenario.driver.declare(missingQueue) }
        #expect(queueError?.code == .notFound)
        #expect(queueError?.reason.contains("404 NOT_FOUND - no queue '\(scenario.name)-missing'") == true)
        topology.queues = []
        topology.exchanges = [.init(name: scenario.name + "-missing", type: "topic")]
        let missingExchange = topology
        let error = await failure { try await scenario.driver.declare(missingExchange) }
        #expect(error?.code == .notFound)
    }

    @Test("Consuming a queue that does not exist fails, and goes on once it does", arguments: Broker.available)
    func missingQueue(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 1, BrokerTopology(), [:])
        try await running([], [consumer]) {
            let states = consumer.states
            try await reached(states, "the error is shown") {
                if case .closed(let cause) = $0 { cause.contains("404 NOT_FOUND") } else { false }
            }
            let topology = try await scenario.declared(scenario.queue())
            try await reached(states, "ready") { $0 == .ready }
            try await scenario.fill(["1"], topology)
            #expect(try await collect(1, from: consumer).map(\.text) == ["1"])
        }
    }
}

@Suite("Conformance: on which brokers")
struct Brokers {
    private static let no4: Comment =
        "WARREN_TEST_AMQP4_URL names no broker: nothing was tested on RabbitMQ 4 (`.ci/broker4 start` prints a URL)"

    @Test("RabbitMQ 3.10 takes part", .enabled(if: Broker.rabbitMQ3.url != nil, "WARREN_TEST_AMQP_URL names no broker"))
    func rabbitMQ3() { #expect(Broker.available.contains(.rabbitMQ3)) }

    @Test("RabbitMQ 4 takes part", .enabled(if: Broker.rabbitMQ4.url != nil, no4))
    func rabbitMQ4() { #expect(Broker.available.contains(.rabbitMQ4)) }
}
