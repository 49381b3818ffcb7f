import Events
import Messaging
import ShopEvents
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

    /// Makes what replaces that topology's queues on the broker there.
    ///
    /// - Throws: `QueueMigrationFailure` where the URL is none.
    func queues(
        of topology: Topology,
        at url: String,
        type: MessagingConfiguration.QueueType
    ) throws -> any QueueKeeper

    /// Looks at queues, in their order.
    ///
    /// - Throws: `PublishFailure`.
    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue]
}

/// Replaces queues that have other arguments than this version's.
protocol QueueKeeper: Sendable {
    /// Looks at a queue and changes nothing.
    func look(at queue: String) async throws -> QueueMigration.Outcome
    /// Replaces a queue where it has to be.
    func migrate(_ queue: String) async throws -> QueueMigration.Outcome
}

extension QueueMigration: QueueKeeper {}

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

    func queues(
        of topology: Topology,
        at url: String,
        type: MessagingConfiguration.QueueType
    ) throws -> any QueueKeeper {
        try QueueMigration(brokerURLs: [url], topology: topology, queueType: type, logger: .silent)
    }

    func queues(_ names: [String], at url: String, timeout: Duration) async throws -> [BrokerView.Queue] {
        try await BrokerView(brokerURLs: [url], timeout: timeout).queues(names)
    }
}
