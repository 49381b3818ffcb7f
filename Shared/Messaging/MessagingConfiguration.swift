public import Events

/// How the messaging of one service runs.
public struct MessagingConfiguration: Sendable {
    /// The kind of queue; the promise needs quorum queues, which sync before they confirm.
    public enum QueueType: String, Sendable {
        /// Replicated and synced (RabbitMQ, "Quorum Queues").
        case quorum
        /// Not synced before a confirm on RabbitMQ 4: for tests and where loss is acceptable.
        case classic
    }

    /// What is done about the topology at each connection.
    public enum TopologyMode: String, Sendable {
        /// Declare it, idempotently.
        case declare
        /// Only check that exchanges and queues are there, where a broker's definitions are managed elsewhere.
        case verify
    }

    /// The service: subscriber and queue name.
    public var service: String
    /// The CloudEvents source of its events, `/order-service`.
    public var source: String
    /// AMQP URIs, in order of preference.
    public var brokerURLs: [String]
    /// Who subscribes to what.
    public var topology: Topology
    /// The kind of queue.
    public var queueType = QueueType.quorum
    /// What is done about the topology at each connection.
    public var topologyMode = TopologyMode.declare
    /// Deliveries that may be in work at once.
    public var prefetch = 256
    /// How failed deliveries, and events that the broker refuses, are tried again.
    public var retryPolicy = RetryPolicy.standard
    /// Whether the events of one subject are handled in order.
    public var ordering = Subscriber.Ordering.perSubject
    /// Whether a dead delivery holds the later ones of its subject.
    public var afterDeadLetter = Subscriber.AfterDeadLetter.hold
    /// What an envelope from outside may be at most.
    public var eventLimits = EventLimits.standard
    /// Events read from the store and not yet confirmed.
    public var forwarderWindow = 1000
    /// How long the event store keeps forwarded events; nil for ever.
    public var eventRetention: Duration? = .seconds(30 * 86_400)
    /// How long receipts are kept, longer than events are; nil for ever.
    public var deliveryRetention: Duration? = .seconds(90 * 86_400)

    /// Makes a configuration with the defaults.
    public init(service: String, source: String, brokerURLs: [String], topology: Topology) {
        self.service = service
        self.source = source
        self.brokerURLs = brokerURLs
        self.topology = topology
    }
}
