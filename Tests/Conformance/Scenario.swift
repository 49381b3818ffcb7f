import AMQP
import Synchronization
import TestSupport
import Testing

/// One test's queues on one broker.
struct Scenario: Sendable {
    let broker: Broker
    let driver: any Driver
    /// The test's own queue, and the start of the names of everything else that it makes.
    let name = TestEnvironment.uniqueName("warren-conformance")

    init(_ broker: Broker) throws {
        self.broker = broker
        driver = try broker.driver
    }

    /// A queue that a real broker removes by itself ten minutes after its last use.
    func queue(
        _ suffix: String = "",
        type: String = "quorum",
        arguments more: FieldTable = [:]
    ) -> BrokerTopology.Queue {
        var arguments: FieldTable = ["x-queue-type": .string(type), "x-expires": .int32(600_000)]
        arguments.entries += more.entries
        return BrokerTopology.Queue(name: name + suffix, arguments: arguments)
    }

    /// Arguments that send dead letters to the queue of that suffix.
    func deadLetters(to suffix: String = "-dead") -> FieldTable {
        ["x-dead-letter-exchange": .string(""), "x-dead-letter-routing-key": .string(name + suffix)]
    }

    /// Declares these queues, once: RabbitMQ 3.10 lets a second connection use a quorum queue that the first is still making.
    func declared(_ queues: BrokerTopology.Queue...) async throws -> BrokerTopology {
        var topology = BrokerTopology()
        topology.queues = queues
        try await driver.declare(topology)
        return topology
    }

    func publication(
        _ text: String,
        to suffix: String = "",
        _ change: (inout MessageProperties) -> Void = { _ in }
    )
        -> Publication
    {
        var properties = MessageProperties()
        properties.messageID = text
        properties.deliveryMode = 2
        change(&properties)
        let message = Message(body: Array(text.utf8), properties: properties)
        return Publication(exchange: "", routingKey: name + suffix, message: message)
    }

    /// Publishes to the test's queue and waits for every confirm.
    func fill(_ texts: [String], to suffix: String = "", _ topology: BrokerTopology) async throws {
        let publisher = try driver.publisher(topology)
        try await running([publisher]) {
            for outcome in try await outcomes(of: texts.map { publication($0, to: suffix) }, by: publisher) {
                if let outcome { throw outcome }
            }
        }
    }

    /// Takes and acks so many messages over a consumer of its own.
    func take(_ count: Int, from suffix: String = "", _ topology: BrokerTopology) async throws -> [IncomingMessage] {
        let consumer = try driver.consumer(name + suffix, prefetch: 1_000, topology, [:])
        return try await running([], [consumer]) {
            let messages = try await collect(count, from: consumer)
            consumer.ack(messages.map(\.tag))
            return messages
        }
    }
}

extension IncomingMessage {
    var text: String { String(decoding: message.body, as: UTF8.self) }

    /// The latest entry of `x-death`.
    var death: FieldTable? {
        guard case .array(let deaths)? = message.properties.headers?["x-death"], case .table(let death)? = deaths.first
        else { return nil }
        return death
    }
}

/// Runs publishers and consumers beside the body; cancels them after it and waits for their end.
@discardableResult
func running<Result: Sendable>(
    _ publishers: [any PublishingClient] = [],
    _ consumers: [any ConsumingClient] = [],
    _ body: () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Void.self) { group in
        for publisher in publishers { group.addTask { await publisher.run() } }
        for consumer in consumers { group.addTask { await consumer.run() } }
        do {
            let result = try await body()
            group.cancelAll()
            try await group.waitForAll()
            return result
        } catch {
            group.cancelAll()
            throw error
        }
    }
}

/// Runs the body, which must end within that time.
func within<Result: Sendable>(
    _ limit: Duration,
    _ what: String,
    _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await Task.sleep(for: limit)
            throw TimedOut("not within \(limit): \(what)")
        }
        defer { group.cancelAll() }
        return try #require(try await group.next())
    }
}

/// Collects messages until there are so many.
func collect(_ count: Int, from consumer: any ConsumingClient) async throws -> [IncomingMessage] {
    try await within(.seconds(120), "\(count) messages") {
        var messages: [IncomingMessage] = []
        for await burst in consumer.bursts {
            messages += burst
            if messages.count >= count { break }
        }
        return messages
    }
}

/// The outcome of each message of a burst, once it is ready to be sent.
func outcomes(of burst: [Publication], by publisher: any PublishingClient) async throws -> [AMQPError?] {
    try await reached(publisher.states, "ready") { $0 == .ready }
    let (stream, continuation) = AsyncStream.makeStream(of: (Int, AMQPError?).self)
    publisher.submit(burst) { index, error in continuation.yield((index, error)) }
    let count = burst.count
    return try await within(.seconds(120), "\(count) outcomes") {
        var outcomes = [AMQPError?](repeating: nil, count: count)
        var missing = count
        for await (index, error) in stream {
            outcomes[index] = error
            missing -= 1
            if missing == 0 { break }
        }
        return outcomes
    }
}

/// Waits until the state is one that is looked for.
func reached(
    _ states: AsyncStream<ConnectionState>,
    _ what: String,
    where matches: @escaping @Sendable (ConnectionState) -> Bool
) async throws {
    try await within(.seconds(60), what) {
        for await state in states where matches(state) { return }
        throw TimedOut("\(what): the states ended")
    }
}

/// How the body fails, which it must.
func failure(of body: () async throws -> Void) async -> AMQPError? {
    do {
        try await body()
        Issue.record("it did not fail")
    } catch let error as AMQPError {
        return error
    } catch {
        Issue.record(error)
    }
    return nil
}
