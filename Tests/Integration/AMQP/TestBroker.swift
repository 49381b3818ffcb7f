import Foundation
import Telemetry
import Testing

@testable import AMQP

/// The broker that the tests run against.
enum TestBroker {
    /// Its URI, from the environment.
    static let url = ProcessInfo.processInfo.environment["WARREN_TEST_AMQP_URL"]

    static let missing: Comment = "WARREN_TEST_AMQP_URL names no broker"

    /// A configuration for this broker, or for a proxy before it on another port.
    static func configuration(_ name: String = "test", port: Int? = nil) throws -> ConnectionConfiguration {
        var url = try #require(Self.url)
        if let port {
            var components = try #require(URLComponents(string: url))
            components.port = port
            url = try #require(components.string)
        }
        var configuration = try ConnectionConfiguration(urls: [url], name: name)
        configuration.backoff = .milliseconds(10) ... .milliseconds(200)
        // A busy machine may take its time to connect, and for the last acks.
        configuration.timeout = .seconds(30)
        configuration.closingTimeout = .seconds(30)
        return configuration
    }

    /// The port of the broker.
    static var port: Int {
        get throws { URLComponents(string: try #require(url))?.port ?? 5_672 }
    }

    static func uniqueName(_ prefix: String = "q") -> String { "warren-test-\(prefix)-\(UUID().uuidString.prefix(8))" }

    /// A queue that the broker deletes by itself ten minutes after its last use.
    static func queue(
        _ name: String,
        type: String = "quorum",
        _ more: FieldTable = [:]
    ) -> BrokerTopology.Queue {
        var arguments: FieldTable = ["x-queue-type": .string(type), "x-expires": .int32(600_000)]
        arguments.entries += more.entries
        return BrokerTopology.Queue(name: name, arguments: arguments)
    }

    /// A topology that exists already.
    ///
    /// RabbitMQ 3.10 lets a second connection declare a quorum queue while the first is still making it; that one's messages
    /// are then refused, or its consumer's channel crashes. So the tests declare once before they connect twice.
    static func declared(_ queues: BrokerTopology.Queue...) async throws -> BrokerTopology {
        var topology = BrokerTopology()
        topology.queues = queues
        let declared = topology
        try await withSession { session throws(AMQPError) in try session.declare(declared) }
        return topology
    }

    /// Does something to the broker over a connection of its own, on a thread of its own.
    static func withSession(_ body: @escaping @Sendable (Session) throws(AMQPError) -> Void) async throws {
        let configuration = try configuration("operator")
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            Thread.detachNewThread {
                let result = Result {
                    let session = try Session(configuration.endpoints[0], configuration, CallGuard())
                    try body(session)
                    session.close(within: .seconds(30))
                }
                continuation.resume(with: result)
            }
        }
    }

    static func topology(_ queues: BrokerTopology.Queue...) -> BrokerTopology {
        var topology = BrokerTopology()
        topology.queues = queues
        return topology
    }
}

/// Runs publishers and consumers beside the body; cancels them after it and waits for their end.
@discardableResult
func running<Result: Sendable>(
    _ publishers: [Publisher] = [],
    _ consumers: [Consumer] = [],
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

struct TimedOut: Error {
    let what: String
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
            throw TimedOut(what: what)
        }
        defer { group.cancelAll() }
        return try #require(try await group.next())
    }
}

/// Waits until the state is one that is looked for.
@discardableResult
func reached(
    _ states: AsyncStream<ConnectionState>,
    _ what: String,
    within limit: Duration = .seconds(60),
    where matches: @escaping @Sendable (ConnectionState) -> Bool
) async throws -> ConnectionState {
    try await within(limit, what) {
        for await state in states where matches(state) { return state }
        throw TimedOut(what: "\(what): the states ended")
    }
}

/// Collects messages until there are so many.
func collect(
    _ count: Int,
    from consumer: Consumer,
    within limit: Duration = .seconds(120),
    each: @escaping @Sendable ([IncomingMessage]) -> Void = { _ in }
) async throws -> [IncomingMessage] {
    try await within(limit, "\(count) messages") {
        var messages: [IncomingMessage] = []
        for await burst in consumer.bursts {
            each(burst)
            messages += burst
            if messages.count >= count { break }
        }
        return messages
    }
}

extension Message {
    /// A persistent message.
    init(_ text: String, id: String? = nil) {
        var properties = MessageProperties()
        properties.messageID = id
        properties.deliveryMode = 2
        self.init(body: Array(text.utf8), properties: properties)
    }
}

/// Silent, or standard error where `WARREN_TEST_LOG` is set, for looking into a test.
let testLogger =
    ProcessInfo.processInfo.environment["WARREN_TEST_LOG"] == nil
    ? Logger.silent : Logger("test", level: .debug, sink: StandardErrorSink())

private struct StandardErrorSink: LogSink {
    func write(_ record: LogRecord) {
        let fields = record.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
        let time = ProcessInfo.processInfo.systemUptime
        FileHandle.standardError.write(Data("\(time) \(record.level.name) \(record.message) \(fields)\n".utf8))
    }
}
