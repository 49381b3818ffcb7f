internal import AMQP
public import Events
public import Telemetry

/// Publishes events from outside any service (the `warren` command): confirmed by the broker and routed to a queue.
///
/// It has no event store: what is published before a crash is published, the rest is not. Services append to their event
/// store instead.
public final class EventPublisher: Sendable {
    private let publisher: Publisher

    /// Makes a publisher that declares nothing: it needs the kit's exchanges, and no queue of anybody.
    ///
    /// An event that no queue listens to comes back as `.unroutable`.
    ///
    /// - Throws: `PublishFailure` when a URL is not valid; credentials are redacted.
    public init(brokerURLs: [String], logger: Logger) throws {
        do {
            publisher = Publisher(
                try ConnectionConfiguration(urls: brokerURLs, name: "warren"),
                topology: Topology([]).declarations(queueType: .quorum, mode: .verify),
                logger: logger.labelled("messaging.publisher")
            )
        } catch let error as AMQPError {
            throw PublishFailure(kind: .unreachable, reason: error.reason)
        }
    }

    /// Connects, lends the publisher, closes.
    ///
    /// - Throws: `PublishFailure` when there is no connection within `timeout`; what `body` throws.
    public func withConnection<Result: Sendable>(
        timeout: Duration,
        _ body: (EventPublisher) async throws -> Result
    ) async throws -> Result {
        let running = Task { [publisher] in await publisher.run() }
        do {
            try await connected(within: timeout)
            let result = try await body(self)
            running.cancel()
            await running.value
            return result
        } catch {
            running.cancel()
            await running.value
            throw error
        }
    }

    /// Publishes one event; returns when the broker has confirmed it.
    ///
    /// - Throws: `PublishFailure`.
    public func publish(_ envelope: Envelope) async throws {
        do {
            try await publisher.publish(Publication(envelope, body: envelope.encoded()))
        } catch let error as AMQPError {
            switch error.code {
            case .returned:
                throw PublishFailure(kind: .unroutable, reason: "no queue is bound to \(envelope.type)")
            case .connectionLost where error.channelClose != nil:
                throw PublishFailure(
                    kind: .timedOut,
                    reason: "over this event or one beside it, which may have arrived, \(error.reason)"
                )
            case .connectionLost, .timeout, .cancelled:
                throw PublishFailure(
                    kind: .timedOut,
                    reason: "the connection was lost before the broker confirmed the event; it may have arrived"
                )
            case .closed, .connectionFailed:
                throw PublishFailure(kind: .unreachable, reason: error.reason)
            default:
                throw PublishFailure(kind: .refused, reason: error.description)
            }
        }
    }

    private func connected(within timeout: Duration) async throws {
        let publisher = publisher
        let cause: String? = await withTaskGroup(of: String?.self) { group in
            group.addTask {
                for await state in publisher.states where state == .ready { return nil }
                return "the connection was closed"
            }
            group.addTask {
                let pause = Signal()
                await pause.wait(until: .now + timeout)
                if case .closed(let cause) = publisher.state { return cause }
                return "no connection within \(timeout)"
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        if let cause { throw PublishFailure(kind: .unreachable, reason: cause) }
    }
}

/// Why an event was not published.
public struct PublishFailure: Error, Sendable, CustomStringConvertible {
    /// What kind of failure.
    public enum Kind: Sendable {
        /// No queue takes events of this type.
        case unroutable
        /// The broker did not take it.
        case refused
        /// There is no connection.
        case unreachable
        /// No confirm came; it may have arrived.
        case timedOut
    }

    /// What kind of failure.
    public let kind: Kind
    /// For a person; credentials are redacted.
    public let reason: String

    /// Makes a failure.
    public init(kind: Kind, reason: String) {
        self.kind = kind
        self.reason = reason
    }

    /// The reason.
    public var description: String { reason }
}
