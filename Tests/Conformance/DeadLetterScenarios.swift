import AMQP
import TestSupport
import Testing

@Suite("Conformance: dead letters", .timeLimit(.minutes(5)))
struct DeadLetterScenarios {
    @Test("What is rejected becomes a dead letter that says from where and why", arguments: Broker.available)
    func rejected(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        for type in ["quorum", "classic"] {
            let topology = try await scenario.declared(
                scenario.queue(type, type: type, arguments: scenario.deadLetters()),
                scenario.queue("-dead", type: "classic")
            )
            try await scenario.fill(["1"], to: type, topology)
            let consumer = try scenario.driver.consumer(scenario.name + type, prefetch: 10, topology, [:])
            try await running([], [consumer]) {
                let message = try #require(try await collect(1, from: consumer).first)
                consumer.reject(message.tag, requeue: false)
                let dead = try #require(try await scenario.take(1, from: "-dead", topology).first)
                #expect(dead.text == "1")
                #expect(dead.message.properties.messageID == "1")
                let death = try #require(dead.death)
                #expect(death["reason"]?.text == "rejected")
                #expect(death["queue"]?.text == scenario.name + type)
                #expect(death["count"]?.integer == 1)
                #expect(death["exchange"]?.text == "")
                #expect(death["routing-keys"] == .array([.string(scenario.name + type)]))
                #expect(dead.message.properties.headers?["x-first-death-reason"]?.text == "rejected")
            }
        }
    }

    @Test("A dead letter that dies again has both deaths, the latest first", arguments: Broker.available)
    func twice(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(
            scenario.queue(type: "classic", arguments: scenario.deadLetters(to: "-second")),
            scenario.queue("-second", type: "classic", arguments: scenario.deadLetters()),
            scenario.queue("-dead", type: "classic")
        )
        try await scenario.fill(["1"], topology)
        for suffix in ["", "-second"] {
            let consumer = try scenario.driver.consumer(scenario.name + suffix, prefetch: 10, topology, [:])
            try await running([], [consumer]) {
                let message = try #require(try await collect(1, from: consumer).first)
                consumer.reject(message.tag, requeue: false)
                try await eventually("the reject is sent") { consumer.statistics.settled == 1 }
            }
        }
        let dead = try #require(try await scenario.take(1, from: "-dead", topology).first)
        guard case .array(let deaths)? = dead.message.properties.headers?["x-death"] else {
            Issue.record("there is no x-death")
            return
        }
        let queues = deaths.map { death -> String? in
            if case .table(let table) = death { table["queue"]?.text } else { nil }
        }
        #expect(queues == [scenario.name + "-second", scenario.name])
        #expect(dead.message.properties.headers?["x-first-death-queue"]?.text == scenario.name)
    }

    @Test("A message whose time is over becomes a dead letter", arguments: Broker.available)
    func expired(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        var arguments = scenario.deadLetters()
        arguments["x-message-ttl"] = .int32(60)
        let topology = try await scenario.declared(
            scenario.queue("queue", type: "classic", arguments: arguments),
            scenario.queue("message", type: "classic", arguments: scenario.deadLetters()),
            scenario.queue("-dead", type: "classic")
        )
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            try await publisher.publish(scenario.publication("queue", to: "queue"))
            try await publisher.publish(scenario.publication("message", to: "message") { $0.expiration = "90" })
        }
        scenario.driver.pass(milliseconds: 100)
        let dead = try await scenario.take(2, from: "-dead", topology)
        #expect(Set(dead.map(\.text)) == ["queue", "message"])
        for message in dead {
            #expect(message.death?["reason"]?.text == "expired")
            #expect(message.message.properties.expiration == nil)
            let original = message.death?["original-expiration"]?.text
            #expect(original == (message.text == "message" ? "90" : nil))
        }
    }

    @Test("A quorum queue gives up on a message that comes back too often", arguments: Broker.available)
    func deliveryLimit(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        var arguments = scenario.deadLetters()
        arguments["x-delivery-limit"] = .int32(2)
        let topology = try await scenario.declared(
            scenario.queue(arguments: arguments),
            scenario.queue("-dead", type: "classic")
        )
        try await scenario.fill(["1"], topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 10, topology, [:])
        try await running([], [consumer]) {
            for round in 0..<3 {
                let message = try #require(try await collect(1, from: consumer).first)
                #expect((message.message.properties.headers?["x-delivery-count"]?.integer ?? 0) == round)
                consumer.reject(message.tag, requeue: true)
            }
            let dead = try #require(try await scenario.take(1, from: "-dead", topology).first)
            #expect(dead.death?["reason"]?.text == "delivery_limit")
            #expect(consumer.statistics.delivered == 3)
        }
    }

    @Test(
        "Without a limit of its own, a quorum queue of RabbitMQ 3.10 returns a message for ever, one of 4 gives up after 20",
        arguments: Broker.available
    )
    func defaultDeliveryLimit(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(
            scenario.queue(arguments: scenario.deadLetters()),
            scenario.queue("-dead", type: "classic")
        )
        try await scenario.fill(["1"], topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 10, topology, [:])
        try await running([], [consumer]) {
            for _ in 0..<21 {
                let message = try #require(try await collect(1, from: consumer).first)
                consumer.reject(message.tag, requeue: true)
            }
            if broker.hasDefaultDeliveryLimit {
                let dead = try await scenario.take(1, from: "-dead", topology)
                #expect(dead.first?.death?["reason"]?.text == "delivery_limit")
                #expect(consumer.statistics.delivered == 21)
            } else {
                let message = try #require(try await collect(1, from: consumer).first)
                #expect(message.message.properties.headers?["x-delivery-count"]?.integer == 21)
                consumer.ack(message.tag)
            }
        }
    }
}
