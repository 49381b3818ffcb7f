import Events
import Messaging
import ShopEvents
import Telemetry

/// An event did not get to a queue.
struct BrokerFailure: Error, Equatable {
    enum Kind: Sendable {
        /// No queue is bound to the type.
        case unroutable
        /// The broker was asked and did not take it.
        case refused
        case unreachable
        case timedOut
    }

    let kind: Kind
    let reason: String
}

/// Publishes events, so that tests can take them elsewhere.
protocol EventBroker: Sendable {
    /// Publishes one event and returns when the broker has it.
    typealias Publish = @Sendable (Envelope) async throws -> Void

    /// Connects, lends the connection, closes.
    ///
    /// - Throws: `BrokerFailure`, or what `body` throws.
    func withConnection(
        to url: String,
        timeout: Duration,
        _ body: (@escaping Publish) async throws -> Void
    ) async throws
}

/// The real thing.
struct RabbitMQ: EventBroker {
    func withConnection(
        to url: String,
        timeout: Duration,
        _ body: (@escaping Publish) async throws -> Void
    ) async throws {
        do {
            let publisher = try EventPublisher(brokerURLs: [url], topology: Shop.topology, logger: .silent)
            try await publisher.withConnection(timeout: timeout) { publisher in
                try await body { envelope in
                    do {
                        try await publisher.publish(envelope)
                    } catch let failure as PublishFailure {
                        throw BrokerFailure(failure)
                    }
                }
            }
        } catch let failure as PublishFailure {
            throw BrokerFailure(failure)
        }
    }
}

extension BrokerFailure {
    fileprivate init(_ failure: PublishFailure) {
        let kind: Kind =
            switch failure.kind {
            case .unroutable: .unroutable
            case .refused: .refused
            case .unreachable: .unreachable
            case .timedOut: .timedOut
            }
        self.init(kind: kind, reason: failure.reason)
    }
}
