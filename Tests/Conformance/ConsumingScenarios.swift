import AMQP
import TestSupport
import Testing

@Suite("Conformance: consuming", .timeLimit(.minutes(5)))
struct ConsumingScenarios {
    @Test("Every property and every header type arrives as it was sent", arguments: Broker.available)
    func properties(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        var publication = scenario.publication("id") { properties in
            properties.contentType = "application/cloudevents+json; charset=utf-8"
            properties.contentEncoding = "identity"
            properties.priority = 3
            properties.correlationID = "flow"
            properties.replyTo = "answers"
            properties.expiration = "600000"
            properties.timestamp = 1_700_000_000
            properties.type = "dev.warren.test"
            properties.userID = "guest"
            properties.appID = "warren"
            properties.clusterID = "c"
            properties.headers = [
                "boolean": .boolean(true), "int8": .int8(-5), "uint8": .uint8(250), "int16": .int16(-300),
                "uint16": .uint16(65_000), "int32": .int32(-70_000), "uint32": .uint32(4_000_000_000),
                "int64": .int64(.min), "float": .float(1.5), "double": .double(-2.25),
                "decimal": .decimal(scale: 2, value: 314), "string": .string("grüße"),
                "bytes": .bytes([0, 255, 128]), "timestamp": .timestamp(1_700_000_000), "void": .void,
                "table": .table(["inner": .array([.int32(1), .table(["x": .void])])]), "empty": .table([:]),
            ]
        }
        publication.message.body = Array(0...255)
        let sent = publication
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) { try await publisher.publish(sent) }
        let received = try #require(try await scenario.take(1, topology).first)
        #expect(received.exchange == "")
        #expect(received.routingKey == scenario.name)
        // The broker adds a header of its own, and keeps headers in an order of its own.
        #expect(inOrder(received.message) == inOrder(sent.message))
    }

    private func inOrder(_ message: Message) -> Message {
        var message = message
        message.properties.headers?["x-delivery-count"] = nil
        message.properties.headers?.entries.sort { $0.name < $1.name }
        return message
    }

    @Test("No more than the prefetch is unacknowledged, and each ack lets one more come", arguments: Broker.available)
    func prefetch(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        try await scenario.fill((1...10).map(String.init), topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 3, topology, [:])
        try await running([], [consumer]) {
            var messages = try await collect(3, from: consumer)
            #expect(messages.count == 3)
            for count in 3..<10 where messages.count == count {
                #expect(consumer.statistics.delivered == count)
                consumer.ack(messages[count - 3].tag)
                messages += try await collect(1, from: consumer)
            }
            #expect(messages.map(\.text) == (1...10).map(String.init))
        }
    }

    @Test("Acks given in any order settle those messages and no others", arguments: Broker.available)
    func acks(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        try await scenario.fill((1...10).map(String.init), topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 20, topology, [:])
        try await running([], [consumer]) {
            let messages = try await collect(10, from: consumer)
            let tags = messages.map(\.tag)
            consumer.ack([tags[3], tags[0], tags[2]])
            consumer.ack(tags[8])
            consumer.ack([tags[1], tags[6]])
            // Twice: dropped and counted, not sent.
            consumer.ack(tags[8])
            try await eventually("the acks are sent") { consumer.statistics.settled == 6 }
            #expect(consumer.statistics.staleAcks == 1)
        }
        let rest = try await scenario.take(4, topology)
        #expect(rest.map(\.text) == ["5", "6", "8", "10"])
        #expect(!rest.map(\.redelivered).contains(false))
        try await scenario.fill(["end"], topology)
        #expect(try await scenario.take(1, topology).map(\.text) == ["end"])
    }

    @Test("What is requeued comes again and says so", arguments: Broker.available)
    func requeue(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        for type in ["quorum", "classic"] {
            let topology = try await scenario.declared(scenario.queue(type, type: type))
            try await scenario.fill(["1"], to: type, topology)
            let consumer = try scenario.driver.consumer(scenario.name + type, prefetch: 10, topology, [:])
            try await running([], [consumer]) {
                let first = try #require(try await collect(1, from: consumer).first)
                #expect(!first.redelivered)
                consumer.reject(first.tag, requeue: true)
                let second = try #require(try await collect(1, from: consumer).first)
                #expect(second.redelivered)
                // Quorum queues count.
                let count = second.message.properties.headers?["x-delivery-count"]?.integer
                #expect(count == (type == "quorum" ? 1 : nil))
                consumer.ack(second.tag)
            }
        }
    }

    @Test("What a consumer that ends had not acked comes again, in its order", arguments: Broker.available)
    func redelivery(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        try await scenario.fill((1...6).map(String.init), topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 4, topology, [:])
        try await running([], [consumer]) {
            let messages = try await collect(4, from: consumer)
            consumer.ack(messages[0].tag)
            _ = try await collect(1, from: consumer)
        }
        let again = try await scenario.take(5, topology)
        #expect(again.map(\.text) == ["2", "3", "4", "5", "6"])
        #expect(again.map(\.redelivered) == [true, true, true, true, false])
    }

    @Test("Two consumers share a queue, and no message goes to both", arguments: Broker.available)
    func sharing(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let left = try scenario.driver.consumer(scenario.name, prefetch: 5, topology, [:])
        let right = try scenario.driver.consumer(scenario.name, prefetch: 5, topology, [:])
        try await running([], [left, right]) {
            try await reached(left.states, "ready") { $0 == .ready }
            try await reached(right.states, "ready") { $0 == .ready }
            try await scenario.fill((0..<10).map(String.init), topology)
            let messages = try await collect(5, from: left) + collect(5, from: right)
            #expect(Set(messages.map(\.text)) == Set((0..<10).map(String.init)))
            #expect(messages.count == 10)
        }
    }

    @Test("A single active consumer gets everything until it goes; then the next one does", arguments: Broker.available)
    func singleActive(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(
            scenario.queue(arguments: ["x-single-active-consumer": .boolean(true)])
        )
        let first = try scenario.driver.consumer(scenario.name, prefetch: 2, topology, [:])
        let second = try scenario.driver.consumer(scenario.name, prefetch: 10, topology, [:])
        try await running([], [second]) {
            try await running([], [first]) {
                // Which of the two is active is the broker's choice: the first to consume.
                try await reached(first.states, "ready") { $0 == .ready }
                try await reached(second.states, "ready") { $0 == .ready }
                try await scenario.fill(["1", "2", "3", "4"], topology)
                try await eventually("one has what it takes") {
                    first.statistics.delivered == 2 || second.statistics.delivered == 4
                }
                #expect(first.statistics.delivered == 0 || second.statistics.delivered == 0)
            }
            let messages = try await collect(4, from: second)
            // What the first one held comes back when its channel closes, and by then the second is served already.
            #expect(Set(messages.map(\.text)) == ["1", "2", "3", "4"])
        }
    }

    @Test("A consumer of higher priority is served first, the other when that one is full", arguments: Broker.available)
    func consumerPriority(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        let low = try scenario.driver.consumer(scenario.name, prefetch: 10, topology, ["x-priority": .int32(1)])
        let high = try scenario.driver.consumer(scenario.name, prefetch: 3, topology, ["x-priority": .int32(9)])
        try await running([], [low, high]) {
            try await reached(low.states, "ready") { $0 == .ready }
            try await reached(high.states, "ready") { $0 == .ready }
            try await scenario.fill(["1", "2", "3", "4", "5"], topology)
            #expect(try await collect(3, from: high).map(\.text) == ["1", "2", "3"])
            #expect(try await collect(2, from: low).map(\.text) == ["4", "5"])
        }
    }

    @Test("A classic queue with priorities gives the most urgent first", arguments: Broker.available)
    func messagePriority(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(
            scenario.queue(type: "classic", arguments: ["x-max-priority": .int32(5)])
        )
        let publisher = try scenario.driver.publisher(topology)
        try await running([publisher]) {
            for (text, priority) in [("a", 0), ("b", 5), ("c", 2), ("d", 5), ("e", 9)] as [(String, UInt8)] {
                try await publisher.publish(scenario.publication(text) { $0.priority = priority })
            }
        }
        #expect(try await scenario.take(5, topology).map(\.text) == ["b", "d", "e", "c", "a"])
    }

    @Test(
        "After `stopConsuming` the bursts end, what is here can be acked, the rest stays",
        arguments: Broker.available
    )
    func stopping(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        try await scenario.fill((0..<20).map(String.init), topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 8, topology, [:])
        try await running([], [consumer]) {
            let messages = try await within(.seconds(60), "the end of the bursts") {
                var messages: [IncomingMessage] = []
                for await burst in consumer.bursts {
                    messages += burst
                    if messages.count == 8 { consumer.stopConsuming() }
                }
                return messages
            }
            #expect(messages.count == 8)
            consumer.ack(messages.map(\.tag))
            try await eventually("the acks are sent") { consumer.statistics.settled == 8 }
            #expect(consumer.state == .ready)
        }
        let rest = try await scenario.take(12, topology)
        #expect(rest.map(\.text) == (8..<20).map(String.init))
        #expect(rest.allSatisfy { !$0.redelivered })
    }

    @Test(
        "A consumer whose queue is deleted declares it again and goes on; its old tags are dropped",
        arguments: Broker.available
    )
    func queueDeleted(_ broker: Broker) async throws {
        let scenario = try Scenario(broker)
        let topology = try await scenario.declared(scenario.queue())
        try await scenario.fill(["before"], topology)
        let consumer = try scenario.driver.consumer(scenario.name, prefetch: 10, topology, [:])
        try await running([], [consumer]) {
            let old = try #require(try await collect(1, from: consumer).first)
            let states = consumer.states
            try await scenario.driver.deleteQueue(scenario.name)
            try await reached(states, "the cancellation is noticed") {
                if case .closed(let cause) = $0 { cause.contains("cancelled the consumer") } else { false }
            }
            try await reached(states, "ready again") { $0 == .ready }
            consumer.ack(old.tag)
            try await scenario.fill(["after"], topology)
            let message = try #require(try await collect(1, from: consumer).first)
            #expect(message.text == "after")
            // More than one later where the broker is still deleting the queue when it is declared again.
            #expect(message.tag.connection > old.tag.connection)
            consumer.ack(message.tag)
            try await eventually("the ack is sent") { consumer.statistics.settled == 1 }
            #expect(consumer.statistics.staleAcks == 1)
        }
    }
}
