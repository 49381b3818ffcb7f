import Events
import Messaging
import Telemetry
import TestSupport
import Testing

/// What a tool does on a broker on which there may be nobody's queues.
@Suite("From outside of any service", .timeLimit(.minutes(5)))
struct StrangerTests {
    private func envelope(_ type: EventType, data: [UInt8] = Array("{}".utf8)) -> Envelope {
        Envelope(
            id: UUIDv7.make(),
            source: "/test",
            type: type,
            subject: "one",
            time: Timestamp.now().description,
            data: data
        )
    }

    @Test("an event of any type is published where one service of its own has started, and says where nobody listens")
    func publish() async throws {
        try await withVirtualHost { url, _, folder in
            // Nobody of the shop has ever been here, and nobody listens to the second type.
            let part = try await Part(
                "loyalty",
                in: folder,
                broker: url,
                topology: Topology([.init("loyalty", to: [Asked.type])])
            )
            try await eventually("the queue is there") { part.messaging.problems().isEmpty }
            let publisher = try EventPublisher(brokerURLs: [url], logger: .silent)
            try await publisher.withConnection(timeout: .seconds(60)) { publisher in
                try await publisher.publish(envelope(Asked.type))
                let failure = await #expect(throws: PublishFailure.self) {
                    try await publisher.publish(envelope("com.example.nobody.listens"))
                }
                guard case .unroutable = failure?.kind else {
                    Issue.record("it should be unroutable: \(String(describing: failure))")
                    return
                }
            }
            await part.stop()
        }
    }

    @Test("queues are seen over AMQP alone, those that are not there too")
    func look() async throws {
        try await withVirtualHost { url, _, folder in
            let view = try BrokerView(brokerURLs: [url], timeout: .seconds(60))
            #expect(try await view.queues(["asker"]).map(\.exists) == [false])
            let part = try await Part("asker", in: folder, broker: url)
            try await eventually("it consumes") { part.messaging.problems().isEmpty }
            await part.stop()
            let queues = try await view.queues(["asker", "answerer", "nobody"])
            #expect(queues.map(\.exists) == [true, true, false])
            #expect(queues.map(\.name) == ["asker", "answerer", "nobody"])
        }
    }

    @Test("a service that only publishes needs no queue, and one that only consumes nothing to publish by")
    func roles() async throws {
        try await withVirtualHost { url, _, folder in
            var states: [MessagingState] = []
            let part = try await Part("asker", in: folder, broker: url, role: .publishesOnly, topology: Topology([]))
            for await state in part.messaging.states {
                states.append(state)
                if state == .ready { break }
            }
            #expect(states.last == .ready)
            try await part.append(Asked(subject: "one", number: 1))
            try await eventually("it is forwarded") { try await part.messaging.backlog().unforwarded == 0 }
            #expect(try await BrokerView(brokerURLs: [url]).queues(["asker"]).map(\.exists) == [false])
            await part.stop()

            let listener = try await Part("answerer", in: folder, broker: url, role: .consumesOnly) { subscriber in
                subscriber.record(Asked.self) { $0.number }
            }
            for await state in listener.messaging.states where state == .ready { break }
            let publisher = try EventPublisher(brokerURLs: [url], logger: .silent)
            let event = envelope(Asked.type, data: try Asked(subject: "one", number: 7).encodedData())
            try await publisher.withConnection(timeout: .seconds(60)) { try await $0.publish(event) }
            try await eventually("it is handled") { try await listener.effects() == [7] }
            await listener.stop()
        }
    }
}
