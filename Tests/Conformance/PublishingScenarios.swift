import AMQP
import TestSupport
import Testing

@Suite("Conformance: publishing", .timeLimit(.minutes(5)))
struct PublishingScenarios {
    @Test("Messages of one publisher leave the queue in their order", arguments: Broker.available)
    func order(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        for type in ["quorum", "classic"] {
            let topology = try await scenario.declared(scenario.queue(type, type: type))
            let texts = (0..<300).map(String.init)
            try await scenario.fill(texts, to: type, topology)
            let messages = try await scenario.take(300, from: type, topology)
            #expect(messages.map(\.text) == texts)
            #expect(messages.allSatisfy { !$0.redelivered })
        }
    }

    @Test("What is confirmed is in its queue for whoever comes later", arguments: Broker.available)
    func confirmed(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            try await publisher.publish(scenario.publication("kept"))
            #expect(publisher.statistics.confirmed == 1)
            #expect(publisher.statistics.inFlight == 0)
        }
        #expect(try await scenario.take(1, topology).map(\.text) == ["kept"])
    }

    @Test(
        "A message names the user of its connection, and none is taken in another's name",
        arguments: Broker.available
    )
    func user(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            try await publisher.publish(scenario.publication("unnamed"))
            try await publisher.publish(scenario.publication("named") { $0.userID = "guest" })
            let error = await failure {
                try await publisher.publish(scenario.publication("forged") { $0.userID = "somebody" })
            }
            #expect(error?.channelClose == 406)
            #expect(error?.reason.contains("user_id property set to 'somebody'") == true)
            try await publisher.publish(scenario.publication("later"))
        }
        let messages = try await scenario.take(3, topology)
        #expect(messages.map(\.text) == ["unnamed", "named", "later"])
        #expect(messages.map(\.message.properties.userID) == ["guest", "guest", "guest"])
    }

    @Test(
        "A mandatory message that reaches no queue comes back, and the ones beside it do not",
        arguments: Broker.available
    )
    func returned(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            var unnoticed = scenario.publication("4", to: "-nowhere")
            unnoticed.mandatory = false
            let outcomes = try await outcomes(
                of: [
                    scenario.publication("1"), scenario.publication("2", to: "-nowhere"), scenario.publication("3"),
                    unnoticed,
                ],
                by: publisher
            )
            #expect(outcomes.map(\.?.code) == [nil, .returned, nil, nil])
            #expect(outcomes[1]?.reason.contains("312 NO_ROUTE") == true)
            #expect(publisher.statistics.returned == 1)
            #expect(publisher.statistics.confirmed == 3)
        }
        #expect(try await scenario.take(2, topology).map(\.text) == ["1", "3"])
    }

    @Test("Topic patterns: `*` is one word, `#` any number; an empty key has none", arguments: Broker.available)
    func topics(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let exchange = scenario.name + "-topic"
        let patterns = ["a.b", "a.*", "*.b", "a.#", "#.b", "#", "a.*.#", "*", "a.#.b"]
        var topology = BrokerTopology()
        topology.exchanges = [.init(name: exchange, type: "topic")]
        topology.queues = patterns.indices.map { scenario.queue("\($0)", type: "classic") } + [scenario.queue("end")]
        topology.bindings = patterns.enumerated().map { index, pattern in
            .init(queue: scenario.name + "\(index)", exchange: exchange, routingKey: pattern)
        }
        try await scenario.driver.declare(topology)
        let keys: [(key: String, reaches: Set<String>)] = [
            ("a.b", ["a.b", "a.*", "*.b", "a.#", "#.b", "#", "a.*.#", "a.#.b"]),
            ("a", ["a.#", "#", "*"]),
            ("b", ["#.b", "#", "*"]),
            ("a.c", ["a.*", "a.#", "#", "a.*.#"]),
            ("a.b.c", ["a.#", "#", "a.*.#"]),
            ("a.x.y.b", ["a.#", "#.b", "#", "a.*.#", "a.#.b"]),
            ("", ["#"]),
        ]
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            for (key, _) in keys {
                var publication = scenario.publication(key)
                publication.exchange = exchange
                publication.routingKey = key
                try await publisher.publish(publication)
            }
            for index in patterns.indices { try await publisher.publish(scenario.publication("end", to: "\(index)")) }
        }
        for (index, pattern) in patterns.enumerated() {
            let expected = keys.filter { $0.reaches.contains(pattern) }.map(\.key) + ["end"]
            let messages = try await scenario.take(expected.count, from: "\(index)", topology)
            #expect(messages.map(\.text) == expected, "pattern \(pattern)")
        }
    }

    @Test("Direct, fanout and headers exchanges, and an alternate exchange", arguments: Broker.available)
    func exchanges(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let name = scenario.name
        var topology = BrokerTopology()
        var direct = BrokerTopology.Exchange(name: name + "-direct", type: "direct")
        direct.arguments = ["alternate-exchange": .string(name + "-fanout")]
        topology.exchanges = [
            .init(name: name + "-fanout", type: "fanout"), direct, .init(name: name + "-headers", type: "headers"),
        ]
        topology.queues = [scenario.queue("a", type: "classic"), scenario.queue("b", type: "classic")]
        var all = BrokerTopology.Binding(queue: name + "a", exchange: name + "-headers", routingKey: "")
        all.arguments = ["x-match": .string("all"), "x": .int32(1), "y": .string("two")]
        var any = BrokerTopology.Binding(queue: name + "b", exchange: name + "-headers", routingKey: "")
        any.arguments = ["x-match": .string("any"), "x": .int32(1), "y": .string("two")]
        topology.bindings = [
            .init(queue: name + "a", exchange: name + "-direct", routingKey: "k"),
            .init(queue: name + "b", exchange: name + "-fanout", routingKey: ""), all, any,
        ]
        try await scenario.driver.declare(topology)
        let publisher = try scenario.driver.publisher(topology)
        func send(_ text: String, _ exchange: String, _ key: String, _ headers: FieldTable? = nil) async throws {
            var publication = scenario.publication(text) { $0.headers = headers }
            publication.exchange = name + exchange
            publication.routingKey = key
            try await publisher.publish(publication)
        }
        try await running([publisher]) {
            try await send("direct", "-direct", "k")
            try await send("alternate", "-direct", "other")
            try await send("both", "-headers", "", ["x": .int32(1), "y": .string("two"), "z": .void])
            try await send("one", "-headers", "", ["x": .int32(1)])
            _ = await failure { try await send("none", "-headers", "", ["x": .int32(2)]) }
        }
        #expect(try await scenario.take(2, from: "a", topology).map(\.text) == ["direct", "both"])
        #expect(try await scenario.take(3, from: "b", topology).map(\.text) == ["alternate", "both", "one"])
    }

    @Test("A full queue that rejects publishes: the message is nacked and not there", arguments: Broker.available)
    func rejectPublish(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(
            scenario.queue(
                type: "classic",
                arguments: ["x-max-length": .int32(3), "x-overflow": .string("reject-publish")]
            )
        )
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            for text in ["1", "2", "3"] { try await publisher.publish(scenario.publication(text)) }
            let error = await failure {
                try await publisher.publish(scenario.publication("4"))
            }
            #expect(error?.code == .nacked)
            #expect(error?.mayHaveArrived == false)
            #expect(publisher.statistics.nacked == 1)
            #expect(try await scenario.take(3, topology).map(\.text) == ["1", "2", "3"])
            try await publisher.publish(scenario.publication("5"))
        }
        #expect(try await scenario.take(1, topology).map(\.text) == ["5"])
    }

    @Test("A full queue that drops its head: the oldest become dead letters", arguments: Broker.available)
    func dropHead(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        var arguments = scenario.deadLetters()
        arguments["x-max-length"] = .int32(2)
        let topology = try await scenario.declared(
            scenario.queue(type: "classic", arguments: arguments),
            scenario.queue("-dead", type: "classic")
        )
        try await scenario.fill(["1", "2", "3"], topology)
        let dead = try await scenario.take(1, from: "-dead", topology)
        #expect(dead.map(\.text) == ["1"])
        #expect(dead.first?.death?["reason"]?.text == "maxlen")
        #expect(try await scenario.take(2, topology).map(\.text) == ["2", "3"])
    }

    @Test(
        "A publish to an exchange that does not exist may be lost, and the publisher goes on",
        arguments: Broker.available
    )
    func missingExchange(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            var publication = scenario.publication("lost")
            publication.exchange = scenario.name + "-nowhere"
            let lost = publication
            let error = await failure { try await publisher.publish(lost) }
            #expect(error?.code == .connectionLost)
            #expect(error?.channelClose == 404)
            #expect(error?.reason.contains("404 NOT_FOUND") == true)
            try await publisher.publish(scenario.publication("next"))
            #expect(publisher.statistics.reconnects == 1)
            #expect(publisher.statistics.unknown == 1)
        }
        #expect(try await scenario.take(1, topology).map(\.text) == ["next"])
    }

    @Test("The topology is declared again beside a publisher that goes on", arguments: Broker.available)
    func redeclared(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let exchange = scenario.name + "-topic"
        var topology = BrokerTopology()
        topology.exchanges = [.init(name: exchange, type: "topic")]
        topology.queues = [scenario.queue()]
        topology.bindings = [.init(queue: scenario.name, exchange: exchange, routingKey: "a")]
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            try await reached(publisher.states, "ready") { $0 == .ready }
            try await scenario.driver.deleteQueue(scenario.name)
            var publication = scenario.publication("found")
            (publication.exchange, publication.routingKey) = (exchange, "a")
            let found = publication
            #expect(await failure { try await publisher.publish(found) }?.code == .returned)
            try await publisher.declareTopology()
            try await publisher.publish(found)
            #expect(publisher.statistics.connections == 1)
        }
        #expect(try await scenario.take(1, topology).map(\.text) == ["found"])
    }

    @Test("A message that the wire cannot carry is refused alone", arguments: Broker.available)
    func invalid(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            let outcomes = try await outcomes(
                of: [
                    scenario.publication("1"), scenario.publication(String(repeating: "x", count: 300)),
                    scenario.publication("2"),
                ],
                by: publisher
            )
            #expect(outcomes.map(\.?.code) == [nil, .invalidMessage, nil])
            #expect(publisher.statistics.connections == 1)
        }
    }
}
