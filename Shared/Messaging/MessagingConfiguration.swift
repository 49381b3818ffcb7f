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
    /// Gives the AMQP URIs anew for each attempt to connect, where they come from a file whose secret is rotated; nil for
    /// `brokerURLs` for ever.
    ///
    /// Called on threads of the client's own. Where it throws, that attempt has failed; the error's description is shown.
    public var brokerURLSource: (@Sendable () throws -> [String])?
    /// Who subscribes to what.
    public var topology: Topology
    /// Whether the service publishes, consumes, or does both.
    public var role = MessagingRole.publishesAndConsumes
    /// The kind of queue.
    public var queueType = QueueType.quorum
    /// What is done about the topology at each connection.
    public var topologyMode = TopologyMode.declare
    /// Deliveries that may be in work at once.
    public var prefetch = 256
    /// How failed deliveries are tried again.
    public var retryPolicy = RetryPolicy.standard
    /// How long a handler may put a delivery off, since it first did; then it becomes a dead letter.
    public var deferralLimit = Duration.seconds(86_400)
    /// How long an attempt may take, and a message may wait for its turn; less than half of the broker's `consumer_timeout`
    /// (30 minutes unless configured), within which the broker must have its acknowledgement.
    public var attemptTimeout = Duration.seconds(300)
    /// How events that the broker refuses are tried again.
    ///
    /// Not the handlers' policy: a broker may refuse for a while what it takes later, such as a quorum queue that several
    /// services declare at the same time and that is still starting, or one that is full.
    public var publishRetryPolicy = RetryPolicy.standard
    /// Whether the events of one subject are handled in order.
    public var ordering = Subscriber.Ordering.perSubject
    /// Whether a dead delivery holds the later ones of its subject.
    public var afterDeadLetter = Subscriber.AfterDeadLetter.hold
    /// What an envelope from outside may be at most.
    public var eventLimits = EventLimits.standard
    /// Events read from the store and not yet confirmed.
    public var forwarderWindow = 1000
    /// How long the broker may take to confirm an event, while there is a connection that takes publishes.
    ///
    /// Then the event waits in the table (`broker.unconfirmed`), and those of other types pass it.
    public var confirmTimeout = Duration.seconds(30)
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
