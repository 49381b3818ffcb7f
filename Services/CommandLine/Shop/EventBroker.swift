import Events
import Messaging
import Telemetry

/// Publishes events, so that tests can take them elsewhere.
protocol EventBroker: Sendable {
    /// Publishes one event and returns when the broker has it.
    typealias Publish = @Sendable (Envelope) async throws -> Void

    /// Connects, lends the connection, closes.
    ///
    /// - Throws: `PublishFailure`, or what `body` throws.
    func withConnection(
        to url: String,
        timeout: Duration,
        _ body: (@escaping Publish) async throws -> Void
    ) async throws

    /// Looks at queues, in their order.
    ///
    /// - Throws: `PublishFailure`.
    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue]
}

/// The real thing.
struct RabbitMQ: EventBroker {
    func withConnection(
        to url: String,
        timeout: Duration,
        _ body: (@escaping Publish) async throws -> Void
    ) async throws {
        let publisher = try EventPublisher(brokerURLs: [url], logger: .silent)
        try await publisher.withConnection(timeout: timeout) { publisher in
            try await body { envelope in try await publisher.publish(envelope) }
        }
    }

    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue] {
        try await BrokerView(brokerURLs: [url], timeout: timeout).queues(names)
    }
}
