// The module's interface towards ServiceKit, to be spread over files named for their concepts as it is implemented.
public import Database
public import Events
public import Telemetry

/// How the messaging of one service runs.
public struct MessagingConfiguration: Sendable {
    /// The service: subscriber and queue name.
    public var service: String
    /// The CloudEvents source of its events, `/order-service`.
    public var source: String
    /// AMQP URIs, in order of preference.
    public var brokerURLs: [String]
    public var topology: Topology
    public var queueType: QueueType = .quorum
    public var topologyMode: TopologyMode = .declare
    public var prefetch = 256
    public var retryPolicy = RetryPolicy.standard
    public var ordering = Subscriber.Ordering.perSubject
    public var afterDeadLetter = Subscriber.AfterDeadLetter.hold
    public enum QueueType: String, Sendable { case quorum, classic }
    public enum TopologyMode: String, Sendable { case declare, verify }
    public init(service: String, source: String, brokerURLs: [String], topology: Topology) {
        self.service = service; self.source = source; self.brokerURLs = brokerURLs; self.topology = topology
    }
}

/// The messaging of one service: event store, forwarder, inbox, retries, dead letters.
public final class MessagingRuntime: Sendable {
    /// The kit's tables; goes to `Database.open` before the domain's sets.
    public static let migrations = MigrationSet("warren", [])
    public init(_ configuration: MessagingConfiguration, database: Database, logger: Logger) throws { fatalError() }
    public var events: EventStore { fatalError() }
    public var subscriber: Subscriber { fatalError() }
    public var deadLetters: DeadLetters { fatalError() }
    /// Forwards, consumes and retries until cancelled; then stops consuming, finishes what is in flight within `grace`,
    /// acks, flushes the forwarder and returns. The broker being away is no error: it keeps trying.
    public func run(grace: Duration) async { fatalError() }
    /// What is wrong now, one entry per connection or part; empty when all is well. (`broker.publisher`: `connecting …`)
    public func problems() -> [(check: String, problem: String)] { fatalError() }
    /// The names of all checks that `problems` can report.
    public static let checks = ["broker.publisher", "broker.consumer"]
    /// What waits.
    public func backlog() async throws -> Backlog { fatalError() }
    /// Counters since start, for metrics.
    public var counters: MessagingCounters { fatalError() }
}

/// What waits in one service. Ages in seconds; nil when nothing waits.
public struct Backlog: Sendable, Codable, Equatable {
    public var unforwarded: Int
    public var oldestUnforwardedAge: Double?
    public var scheduled: Int
    public var oldestScheduledAge: Double?
    public var held: Int
    public var dead: Int
}

public struct MessagingCounters: Sendable {
    public var published = 0
    public var publishFailures = 0
    public var received = 0
    public var processed = 0
    public var duplicates = 0
    public var failedAttempts = 0
    public var deadLettered = 0
}

/// The state of a delivery (design section 4).
public enum DeliveryState: String, Sendable, Codable, CaseIterable { case processed, scheduled, held, dead, discarded }

/// A delivery that is not processed, as an operator sees it. Times are milliseconds since 1970.
public struct DeadLetter: Sendable {
    public struct Attempt: Sendable {
        public var generation: Int
        public var attempt: Int
        public var startedAt: Int64
        public var durationMilliseconds: Int64
        public var host: String
        public var errorClass: String
        public var message: String
    }
    public var id: Int64
    public var subscriber: String
    public var source: String
    public var eventID: String
    public var type: String
    public var subject: String
    public var state: DeliveryState
    public var generation: Int
    public var attemptCount: Int
    public var dueAt: Int64?
    public var receivedAt: Int64
    public var updatedAt: Int64
    public var errorClass: String
    public var errorMessage: String
    /// The original bytes; empty in listings.
    public var body: [UInt8]
    /// The AMQP properties, exchange and routing key as a JSON object; `{}` in listings.
    public var properties: String
    /// The last 20, latest first; empty in listings.
    public var attempts: [Attempt]
}

/// Which dead letters. Every given condition must hold.
public struct DeadLetterFilter: Sendable {
    public var types: [String] = []
    public var errorClass: String?
    public var states: [DeliveryState] = [.dead]
    public var subject: String?
    /// Last change, milliseconds since 1970: from (inclusive) until (exclusive).
    public var from: Int64?
    public var until: Int64?
    /// Part of the error message or event id.
    public var text: String?
    public init() {}
}

/// Dead letters with the same type and error class.
public struct DeadLetterGroup: Sendable {
    public var type: String
    public var errorClass: String
    public var count: Int
    public var firstSeen: Int64
    public var lastSeen: Int64
    public var example: String
}

public struct AuditEntry: Sendable {
    public var id: Int64
    public var at: Int64
    public var actor: String
    public var action: String
    public var deliveryID: Int64
    public var reason: String
}

/// Why an operation on a dead letter was refused.
public enum DeadLetterError: Error, Sendable, Equatable {
    case notFound(Int64)
    /// The delivery is in a state from which this action does not lead on.
    case wrongState(Int64, DeliveryState)
}

/// The dead-letter table of one service. Every deed and its audit entry are one transaction.
public final class DeadLetters: Sendable {
    /// Newest first; `after` is the id of the last one of the page before.
    public func list(_ filter: DeadLetterFilter, after: Int64?, limit: Int) async throws -> [DeadLetter] { fatalError() }
    public func show(_ id: Int64) async throws -> DeadLetter { fatalError() }
    public func groups(_ filter: DeadLetterFilter) async throws -> [DeadLetterGroup] { fatalError() }
    public func retry(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter { fatalError() }
    public func discard(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter { fatalError() }
    public func restore(_ id: Int64, actor: String, reason: String) async throws -> DeadLetter { fatalError() }
    public func audit(after: Int64?, limit: Int) async throws -> [AuditEntry] { fatalError() }
    init() {}
}

/// Publishes events from outside any service (the `warren` command): confirmed by the broker and routed to a queue.
public final class EventPublisher: Sendable {
    public init(brokerURLs: [String], topology: Topology, logger: Logger) throws { fatalError() }
    /// Connects, lends the publisher, closes. Throws when there is no connection within `timeout`.
    public func withConnection<Result: Sendable>(
        timeout: Duration, _ body: (EventPublisher) async throws -> Result
    ) async throws -> Result { fatalError() }
    /// Returns when the broker confirmed it. Throws `PublishFailure`.
    public func publish(_ envelope: Envelope) async throws { fatalError() }
}

/// Why an event was not published.
public struct PublishFailure: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable { case unroutable, refused, unreachable, timedOut }
    public let kind: Kind
    public let reason: String
    public var description: String { reason }
}
