// The module's interface, to be spread over files named for their concepts as it is implemented.
public import Telemetry

/// Where and how to connect.
public struct ConnectionConfiguration: Sendable {
    /// AMQP URIs in order of preference, `amqp://user:password@host:port/vhost`; at least one.
    public var urls: [String]
    /// Seconds between heartbeats that the client asks for; default 10.
    public var heartbeat: Int = 10
    /// How long connecting and each call may take; default 10 s.
    public var timeout: Duration = .seconds(10)
    /// The name shown in the broker's management pages.
    public var name: String
    /// The first and the longest pause between attempts to reconnect (full jitter).
    public var backoff: ClosedRange<Duration> = .milliseconds(100) ... .seconds(5)
    /// The largest body that is received, in bytes; a larger one is delivered cut off at 0 bytes with `isOversized`.
    public var maximumBodySize: Int = 1 << 20

    /// Checks the URIs and makes a configuration.
    /// - Throws: `AMQPError` with code `.invalidURL`, with credentials redacted.
    public init(urls: [String], name: String) throws { self.urls = urls; self.name = name }
}

/// Exchanges, queues and bindings that are declared at each (re)connection before anything else happens.
public struct BrokerTopology: Sendable, Equatable {
    /// An exchange.
    public struct Exchange: Sendable, Equatable {
        public var name: String
        public var type: String
        public var durable = true
        public var arguments: FieldTable = [:]
        public init(name: String, type: String) { self.name = name; self.type = type }
    }
    /// A queue.
    public struct Queue: Sendable, Equatable {
        public var name: String
        public var durable = true
        public var arguments: FieldTable
        public init(name: String, arguments: FieldTable = [:]) { self.name = name; self.arguments = arguments }
    }
    /// A binding of a queue to an exchange.
    public struct Binding: Sendable, Equatable {
        public var queue: String
        public var exchange: String
        public var routingKey: String
        public init(queue: String, exchange: String, routingKey: String) {
            self.queue = queue; self.exchange = exchange; self.routingKey = routingKey
        }
    }
    public var exchanges: [Exchange] = []
    public var queues: [Queue] = []
    public var bindings: [Binding] = []
    /// Verify instead of declaring (passive declarations; bindings cannot be verified).
    public var passive = false
    public init() {}
}

/// What a connection is doing.
public enum ConnectionState: Sendable, Equatable {
    case connecting
    case ready
    /// The broker takes no publishes for now (`connection.blocked`).
    case blocked(reason: String)
    case closed(cause: String)
}

/// An error of the AMQP client.
public struct AMQPError: Error, Sendable, CustomStringConvertible {
    public enum Code: Sendable, Equatable {
        case invalidURL, invalidMessage, connectionFailed, connectionLost, accessRefused, preconditionFailed, notFound,
            returned, nacked, cancelled, closed, timeout
    }
    public let code: Code
    public let reason: String
    public init(code: Code, reason: String) { self.code = code; self.reason = reason }
    /// Whether the message of a failed publish may nevertheless have reached a queue.
    public var mayHaveArrived: Bool { code == .connectionLost || code == .timeout || code == .cancelled }
    public var description: String { "\(code): \(reason)" }
}

/// One message on its way out.
public struct Publication: Sendable {
    public var exchange: String
    public var routingKey: String
    public var mandatory: Bool
    public var message: Message
    public init(exchange: String, routingKey: String, mandatory: Bool = true, message: Message) {
        self.exchange = exchange; self.routingKey = routingKey; self.mandatory = mandatory; self.message = message
    }
}

/// Publishes with confirms over a connection of its own.
public final class Publisher: Sendable {
    public init(
        _ configuration: ConnectionConfiguration, topology: BrokerTopology = BrokerTopology(), window: Int = 1000,
        logger: Logger
    ) { fatalError() }
    /// Connects, declares, reconnects for ever; returns after cancellation, when the connection is closed.
    public func run() async { fatalError() }
    /// The state now.
    public var state: ConnectionState { fatalError() }
    /// The state now and each later one. Any number of observers.
    public var states: AsyncStream<ConnectionState> { fatalError() }
    /// Publishes one message and returns when the broker confirmed it. Waits while the window is full, or there is no
    /// connection, or it is blocked; cancelling the task stops the wait.
    public func publish(_ publication: Publication) async throws { fatalError() }
    /// Hands over a burst without waiting. `outcome` is called once per message, from the client's own thread, in the
    /// order in which outcomes become known; it must not block. Messages that cannot be sent because there is no
    /// connection are reported as `.closed` (never sent), those in flight at its loss as `.connectionLost`.
    public func submit(
        _ burst: [Publication], outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    ) { fatalError() }
}

/// A message that the broker delivered and that waits for its `ack` or `reject`.
public struct IncomingMessage: Sendable {
    /// The delivery tag with the connection that it belongs to.
    public struct Tag: Sendable, Hashable {
        public let connection: UInt64
        public let number: UInt64
        public init(connection: UInt64, number: UInt64) { self.connection = connection; self.number = number }
    }
    public let tag: Tag
    public let redelivered: Bool
    public let exchange: String
    public let routingKey: String
    public let message: Message
    /// The body was larger than the configured maximum; `message.body` holds its first bytes up to that maximum.
    public let isOversized: Bool
    public init(
        tag: Tag, redelivered: Bool, exchange: String, routingKey: String, message: Message, isOversized: Bool = false
    ) {
        self.tag = tag; self.redelivered = redelivered; self.exchange = exchange; self.routingKey = routingKey
        self.message = message; self.isOversized = isOversized
    }
}

/// Consumes one queue over a connection of its own, with manual acks.
public final class Consumer: Sendable {
    public init(
        _ configuration: ConnectionConfiguration, queue: String, prefetch: Int = 256,
        topology: BrokerTopology = BrokerTopology(), arguments: FieldTable = [:], logger: Logger
    ) { fatalError() }
    /// Connects, declares, consumes, reconnects for ever; returns after cancellation: it stops consuming, lets acks that
    /// were given reach the broker, and closes.
    public func run() async { fatalError() }
    public var state: ConnectionState { fatalError() }
    public var states: AsyncStream<ConnectionState> { fatalError() }
    /// Stops the broker from sending more, without closing: deliveries already here can still be acked. Ends `bursts`.
    public func stopConsuming() { fatalError() }
    /// Deliveries in the order of arrival, handed over in bursts: each element is everything that was read from the
    /// socket since the last one was taken. One iterator only; at most `prefetch` messages are ever unacked. Ends when
    /// consuming was stopped or `run` ended.
    public var bursts: AsyncStream<[IncomingMessage]> { fatalError() }
    /// Acknowledges. Coalesced with `multiple` where contiguous. A tag of an earlier connection is dropped and counted.
    public func ack(_ tag: IncomingMessage.Tag) { fatalError() }
    /// Acknowledges a burst in one step.
    public func ack(_ tags: [IncomingMessage.Tag]) { fatalError() }
    public func reject(_ tag: IncomingMessage.Tag, requeue: Bool) { fatalError() }
}
