import AMQP
import AMQPInMemory
import Testing

@Suite("The in-memory broker, step by step")
struct InMemoryBrokerTests {
    typealias Broker = InMemoryBroker
    private var broker = Broker()

    /// A broker with a durable queue, and a connection to it.
    private mutating func queue(
        _ arguments: FieldTable = ["x-queue-type": .string("quorum")]
    ) throws
        -> Broker
        .ConnectionID
    {
        let connection = try broker.connect()
        var topology = BrokerTopology()
        topology.queues = [.init(name: "q", arguments: arguments), .init(name: "dead")]
        try broker.declare(topology, on: connection)
        return connection
    }

    private func publication(_ text: String, to key: String = "q") -> Publication {
        var properties = MessageProperties()
        properties.deliveryMode = 2
        properties.messageID = text
        return Publication(
            exchange: "",
            routingKey: key,
            message: Message(body: Array(text.utf8), properties: properties)
        )
    }

    private func deliveries(_ frames: [Broker.Frame]) -> [(tag: UInt64, redelivered: Bool, text: String)] {
        frames.compactMap { frame in
            guard case .delivered(let tag, let redelivered, _, _, let message) = frame else { return nil }
            return (tag, redelivered, String(decoding: message.body, as: UTF8.self))
        }
    }

    @Test("A message is confirmed only once it is on disk")
    mutating func confirmAfterSync() throws {
        let client = try queue()
        broker.send(.publish(publication("a")), on: client)
        #expect(broker.possibleSteps == [.receive(client)])
        broker.perform(.receive(client))
        #expect(broker.takeFrames(of: client).isEmpty)
        #expect(broker.possibleSteps == [.sync])
        broker.perform(.sync)
        #expect(broker.takeFrames(of: client) == [.confirmed(number: 1, multiple: false, positive: true)])
    }

    @Test("A kill takes what was not confirmed, and nothing that was")
    mutating func kill() throws {
        let client = try queue()
        broker.send(.publish(publication("confirmed")), on: client)
        broker.settle()
        broker.send(.publish(publication("taken in")), on: client)
        broker.perform(.receive(client))
        broker.send(.publish(publication("sent")), on: client)
        broker.kill()
        #expect(throws: AMQPError.self) { try broker.connect() }
        broker.start()
        #expect(broker.readyMessages(of: "q").map(\.properties.messageID) == ["confirmed"])
        guard case .closed(let error)? = broker.takeFrames(of: client).last else {
            Issue.record("the client was told nothing")
            return
        }
        #expect(error.code == .connectionLost)
    }

    @Test("An ack that was sent and not taken in is lost with its connection, and the message comes again")
    mutating func lostAck() throws {
        let publisher = try queue()
        broker.send(.publish(publication("a")), on: publisher)
        broker.send(.publish(publication("b")), on: publisher)
        let consumer = try broker.connect()
        try broker.consume("q", prefetch: 10, on: consumer)
        broker.settle()
        #expect(deliveries(broker.takeFrames(of: consumer)).map(\.text) == ["a", "b"])
        broker.send(.ack(1, multiple: false), on: consumer)
        broker.perform(.receive(consumer))
        broker.send(.ack(2, multiple: false), on: consumer)
        broker.cut(consumer)
        let next = try broker.connect()
        try broker.consume("q", prefetch: 10, on: next)
        broker.settle()
        let again = deliveries(broker.takeFrames(of: next))
        #expect(again.map(\.text) == ["b"])
        #expect(again.map(\.redelivered) == [true])
    }

    @Test("What a lost consumer had not acked comes back in its place")
    mutating func order() throws {
        let publisher = try queue()
        for text in ["a", "b", "c", "d"] { broker.send(.publish(publication(text)), on: publisher) }
        let consumer = try broker.connect()
        try broker.consume("q", prefetch: 3, on: consumer)
        broker.settle()
        broker.cut(consumer)
        #expect(broker.readyMessages(of: "q").map(\.properties.messageID) == ["a", "b", "c", "d"])
    }

    @Test("A publish to an exchange that does not exist ends the connection")
    mutating func missingExchange() throws {
        let client = try queue()
        var lost = publication("a")
        lost.exchange = "nowhere"
        broker.send(.publish(lost), on: client)
        broker.settle()
        guard case .closed(let error)? = broker.takeFrames(of: client).last else {
            Issue.record("the client was told nothing")
            return
        }
        #expect(error.code == .notFound)
    }

    @Test("While it blocks, publishes wait, and go on after")
    mutating func blocking() throws {
        let client = try queue()
        broker.block(reason: "low on disk")
        broker.send(.publish(publication("a")), on: client)
        broker.settle()
        #expect(broker.takeFrames(of: client) == [.blocked(reason: "low on disk")])
        broker.unblock()
        broker.settle()
        #expect(
            broker.takeFrames(of: client) == [.unblocked, .confirmed(number: 1, multiple: false, positive: true)]
        )
    }

    @Test("Messages expire on the clock that is given, into the dead letters; unused queues go")
    mutating func expiry() throws {
        let client = try queue([
            "x-message-ttl": .int32(100), "x-dead-letter-exchange": .string(""),
            "x-dead-letter-routing-key": .string("dead"), "x-expires": .int32(1_000),
        ])
        broker.send(.publish(publication("a")), on: client)
        broker.settle()
        #expect(broker.nextDeadline == 100)
        broker.advance(to: 99)
        #expect(broker.readyCount(of: "q") == 1)
        broker.advance(to: 100)
        #expect(broker.readyCount(of: "q") == 0)
        let death = broker.readyMessages(of: "dead").first?.properties.headers?["x-death"]
        guard case .array(let deaths)? = death, case .table(let latest)? = deaths.first else {
            Issue.record("there is no x-death")
            return
        }
        #expect(latest["reason"] == .string("expired"))
        broker.advance(to: 1_000)
        #expect(broker.queueList == ["dead"])
    }

    @Test("The same steps give the same frames")
    func determinism() throws {
        func run() throws -> [String] {
            var tests = InMemoryBrokerTests()
            let client = try tests.queue()
            for text in ["a", "b", "c"] { tests.broker.send(.publish(tests.publication(text)), on: client) }
            let consumers = try (0..<3).map { _ in try tests.broker.connect() }
            for consumer in consumers { try tests.broker.consume("q", prefetch: 1, on: consumer) }
            var log: [String] = []
            while let step = tests.broker.possibleSteps.last {
                log.append("\(step)")
                tests.broker.perform(step)
            }
            for consumer in consumers { log.append("\(tests.broker.takeFrames(of: consumer))") }
            return log
        }
        #expect(try run() == run())
    }
}
