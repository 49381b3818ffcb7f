// The module's interface, to be spread over files named for their concepts as it is implemented.
public import Database
public import Events

/// Who subscribes to what: the exchange and, per service, the event types that its queue is bound to.
public struct Topology: Sendable {
    public struct Subscription: Sendable {
        /// The service and its queue.
        public let subscriber: String
        public let types: [EventType]
        public init(_ subscriber: String, to types: [EventType]) { self.subscriber = subscriber; self.types = types }
    }
    public let subscriptions: [Subscription]
    public init(_ subscriptions: [Subscription]) { self.subscriptions = subscriptions }
}

/// How often and when a failed delivery is tried again.
public struct RetryPolicy: Sendable, Equatable {
    public var attempts: Int
    public var base: Duration
    public var factor: Double
    public var cap: Duration
    public static let standard = RetryPolicy(attempts: 6, base: .seconds(1), factor: 4, cap: .seconds(300))
    public init(attempts: Int, base: Duration, factor: Double, cap: Duration) {
        self.attempts = attempts; self.base = base; self.factor = factor; self.cap = cap
    }
}

/// What a handler throws when it knows whether a retry can help. Any other error is taken as one that a retry can help.
public struct HandlerError: Error, Sendable, CustomStringConvertible {
    public enum Kind: Sendable, Equatable {
        case transient
        /// To the dead letters at once.
        case permanent
        /// Again at that time (milliseconds since 1970), without costing an attempt.
        case deferred(until: Int64)
    }
    public let kind: Kind
    /// Stable and without variable parts: `payment.provider-unavailable`.
    public let errorClass: String
    public let message: String
    public static func transient(_ errorClass: String, _ message: String) -> HandlerError { fatalError() }
    public static func permanent(_ errorClass: String, _ message: String) -> HandlerError { fatalError() }
    public static func deferred(until: Int64, _ errorClass: String, _ message: String) -> HandlerError { fatalError() }
    public var description: String { "\(errorClass): \(message)" }
}

/// What a handler has beside its typed event.
public final class Delivery: Sendable {
    public var envelope: Envelope { fatalError() }
    /// 1 for the first attempt of this generation.
    public var attempt: Int { fatalError() }
    /// Runs `body` in one transaction with the receipt of this delivery and the events that it appends, which are caused
    /// by it. Returns after the commit. When the delivery turns out to be a duplicate, `body` is not run.
    /// At most once per attempt.
    public func commit(_ body: @escaping @Sendable (Transaction) throws -> Void) async throws { fatalError() }
    init() {}
}

/// The handlers of one service, by event type.
public final class Subscriber: Sendable {
    public enum Ordering: Sendable { case perSubject, none }
    public enum AfterDeadLetter: Sendable { case hold, proceed }
    public func on<E: Event>(
        _ type: E.Type, _ handler: @escaping @Sendable (_ event: E, _ delivery: Delivery) async throws -> Void
    ) { fatalError() }
    init() {}
}

extension Transaction {
    /// Appends an event to the event store in this transaction: published if and only if it commits. Only inside
    /// `EventStore.write` and `Delivery.commit`; elsewhere it throws `DatabaseError.misuse`.
    /// Inside a delivery the correlation id and cause are the delivery's; outside, `correlationID` starts a flow
    /// (default: the subject).
    public func append(_ event: some Event, correlationID: String? = nil) throws { fatalError() }
}

/// The service's own events, appended in the transactions that change its state.
public final class EventStore: Sendable {
    /// Like `Database.write`, with `append` available.
    public func write<Result: Sendable>(_ body: @escaping @Sendable (Transaction) throws -> Result) async throws -> Result { fatalError() }
    init() {}
}
