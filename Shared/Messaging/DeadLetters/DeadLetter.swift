/// A delivery that is not processed, as an operator sees it.
///
/// Times are milliseconds since 1970.
public struct DeadLetter: Sendable {
    /// A failed attempt.
    public struct Attempt: Sendable {
        /// 0 before the first replay.
        public var generation: Int
        /// From 1 in each generation.
        public var attempt: Int
        /// When it began.
        public var startedAt: Int64
        /// How long it took.
        public var durationMilliseconds: Int64
        /// Where it ran.
        public var host: String
        /// The kind of error, without variable parts.
        public var errorClass: String
        /// The error.
        public var message: String

        /// Makes an attempt.
        public init(
            generation: Int,
            attempt: Int,
            startedAt: Int64,
            durationMilliseconds: Int64,
            host: String,
            errorClass: String,
            message: String
        ) {
            self.generation = generation
            self.attempt = attempt
            self.startedAt = startedAt
            self.durationMilliseconds = durationMilliseconds
            self.host = host
            self.errorClass = errorClass
            self.message = message
        }
    }

    /// The row.
    public var id: Int64
    /// Whose delivery; `(forwarder)` for an event of the service's own that the broker did not take.
    public var subscriber: String
    /// The event's source; empty when the message could not be read.
    public var source: String
    /// The event's id; begins with `unreadable:` when the message could not be read.
    public var eventID: String
    /// The event's type, or what the message said of it.
    public var type: String
    /// The event's subject.
    public var subject: String
    /// Where it stands.
    public var state: DeliveryState
    /// How often it has been replayed.
    public var generation: Int
    /// Attempts in this generation.
    public var attemptCount: Int
    /// When the next attempt is due, while scheduled.
    public var dueAt: Int64?
    /// When it came in.
    public var receivedAt: Int64
    /// When its state last changed.
    public var updatedAt: Int64
    /// The kind of the latest error, without variable parts; empty while there was none.
    public var errorClass: String
    /// The latest error.
    public var errorMessage: String
    /// The original bytes; empty in listings.
    public var body: [UInt8]
    /// The AMQP properties, exchange and routing key as a JSON object; `{}` in listings.
    public var properties: String
    /// The last 20, latest first; empty in listings.
    public var attempts: [Attempt]

    /// Makes a dead letter.
    public init(
        id: Int64,
        subscriber: String,
        source: String,
        eventID: String,
        type: String,
        subject: String,
        state: DeliveryState,
        generation: Int,
        attemptCount: Int,
        dueAt: Int64?,
        receivedAt: Int64,
        updatedAt: Int64,
        errorClass: String,
        errorMessage: String,
        body: [UInt8] = [],
        properties: String = "{}",
        attempts: [Attempt] = []
    ) {
        self.id = id
        self.subscriber = subscriber
        self.source = source
        self.eventID = eventID
        self.type = type
        self.subject = subject
        self.state = state
        self.generation = generation
        self.attemptCount = attemptCount
        self.dueAt = dueAt
        self.receivedAt = receivedAt
        self.updatedAt = updatedAt
        self.errorClass = errorClass
        self.errorMessage = errorMessage
        self.body = body
        self.properties = properties
        self.attempts = attempts
    }
}

/// Which dead letters.
///
/// Every given condition must hold.
public struct DeadLetterFilter: Sendable, Equatable, Codable {
    /// One of these types; any when empty.
    public var types: [String] = []
    /// This error class.
    public var errorClass: String?
    /// One of these states.
    public var states: [DeliveryState] = [.dead]
    /// This subject.
    public var subject: String?
    /// Last change, milliseconds since 1970, inclusive.
    public var from: Int64?
    /// Last change, milliseconds since 1970, exclusive.
    public var until: Int64?
    /// Part of the error message or of the event id.
    public var text: String?

    /// All that are dead.
    public init() {}
}

/// Dead letters with the same type and error class.
///
/// Times are milliseconds since 1970.
public struct DeadLetterGroup: Sendable {
    /// The event type.
    public var type: String
    /// The error class.
    public var errorClass: String
    /// How many.
    public var count: Int
    /// When the first of them came in.
    public var firstSeen: Int64
    /// When the latest one came to be here.
    public var lastSeen: Int64
    /// The latest one's error.
    public var example: String

    /// Makes a group.
    public init(type: String, errorClass: String, count: Int, firstSeen: Int64, lastSeen: Int64, example: String) {
        self.type = type
        self.errorClass = errorClass
        self.count = count
        self.firstSeen = firstSeen
        self.lastSeen = lastSeen
        self.example = example
    }
}

/// Who did what to a delivery, and why.
public struct AuditEntry: Sendable {
    /// The entry.
    public var id: Int64
    /// When, in milliseconds since 1970.
    public var at: Int64
    /// Who.
    public var actor: String
    /// What: `retry`, `discard`, `restore`, `edit`; of an operation in bulk `start`, `pause`, `resume`, `cancel`.
    public var action: String
    /// To which delivery; 0 where it concerns an operation in bulk as a whole.
    public var deliveryID: Int64
    /// The operation in bulk that it is part of.
    public var operationID: Int64?
    /// Why.
    public var reason: String

    /// Makes an entry.
    public init(
        id: Int64,
        at: Int64,
        actor: String,
        action: String,
        deliveryID: Int64,
        operationID: Int64? = nil,
        reason: String
    ) {
        self.id = id
        self.at = at
        self.actor = actor
        self.action = action
        self.deliveryID = deliveryID
        self.operationID = operationID
        self.reason = reason
    }
}

/// Why an operation on a dead letter was refused.
public enum DeadLetterError: Error, Sendable, Equatable {
    /// There is no such delivery, or it is processed.
    case notFound(Int64)
    /// The delivery is in a state from which this action does not lead on.
    case wrongState(Int64, DeliveryState)
    /// The delivery cannot be edited, or not in this way, or has been.
    case notEditable(Int64, String)
}
