public import AMQP

/// RabbitMQ as a pure value: exchanges, queues, confirms, deliveries and every way in which they fail, without sockets,
/// threads, clock or chance.
///
/// What a client sends waits in its connection until a `Step` takes it in; what the broker says waits there until the client
/// takes it. Whoever drives the broker chooses the order of the steps, and with it what is lost when a connection is cut: acks
/// and messages that were sent and not taken in, confirms and deliveries that were said and not heard.
///
///     client ──send──▶ [sent] ──receive──▶ queues ──sync──▶ confirms ──▶ [said] ──takeFrames──▶ client
///                                             └──deliver──▶ deliveries ───▲
///
/// The same calls in the same order give the same results in every process. Differences between versions of RabbitMQ are
/// in `Options`. It is no model of clusters, streams, transactions, flow control, or of permissions other than by topic.
public struct InMemoryBroker: Sendable {
    /// What differs between brokers.
    public struct Options: Sendable {
        /// How often a quorum queue without `x-delivery-limit` returns a message before it gives up; nil for ever.
        ///
        /// RabbitMQ 3.10: nil. RabbitMQ 4: 20.
        public var defaultDeliveryLimit: Int? = 20
        /// The largest body in bytes that is taken.
        public var maximumMessageSize = 16 << 20
        /// The name that every connection logs in with, and its messages name.
        public var login = "guest"
        /// What the broker calls that user; no message may name another.
        public var user = "guest"
        /// The routing keys that nobody may publish under: the topic permissions of a user who may do all else.
        public var forbiddenRoutingKeys: Set<String> = []
        /// Whether nobody may publish at all.
        public var forbidsExchanges = false
        /// The queues without a majority: what they are to get is not confirmed before `InMemoryBroker.restoreMajorities`.
        public var queuesWithoutMajority: Set<String> = []

        /// Makes the options of RabbitMQ 4.
        public init() {}
    }

    /// A connection with its one channel.
    public struct ConnectionID: Hashable, Comparable, Sendable, CustomStringConvertible {
        /// Counts the broker's connections from 1.
        public let number: UInt64
        /// The number, for people.
        public var description: String { "connection \(number)" }
        /// By age.
        public static func < (left: Self, right: Self) -> Bool { left.number < right.number }
    }

    /// What a client sends without waiting for an answer.
    public enum Request: Sendable {
        /// `basic.publish`; the connection's first one has the number 1.
        case publish(Publication)
        /// `basic.ack`
        case ack(UInt64, multiple: Bool)
        /// `basic.reject`
        case reject(UInt64, requeue: Bool)
    }

    /// What the broker says of its own accord.
    public enum Frame: Sendable, Equatable {
        /// `basic.deliver`
        case delivered(tag: UInt64, redelivered: Bool, exchange: String, routingKey: String, message: Message)
        /// `basic.return`; comes before the confirm of the same message and carries no number.
        case returned(reason: String, exchange: String, routingKey: String, message: Message)
        /// `basic.ack` and `basic.nack` for published messages.
        case confirmed(number: UInt64, multiple: Bool, positive: Bool)
        /// The queue of the connection's consumer is gone.
        case consumerCancelled
        /// `connection.blocked`: publishes are not taken in until `unblocked`.
        case blocked(reason: String)
        /// `connection.unblocked`
        case unblocked
        /// The last word: the connection is gone, whether or not the broker could say so.
        case closed(AMQPError)
    }

    /// One thing that the broker can do next.
    public enum Step: Hashable, Sendable {
        /// Takes in the oldest request of that connection.
        case receive(ConnectionID)
        /// Makes what was taken in durable, and confirms it.
        case sync
        /// Gives the next message of that queue to a consumer.
        case deliver(queue: String)
    }

    /// The broker's options; an operator may change them while it runs.
    public var options: Options
    /// Milliseconds of the clock that the driver keeps.
    public internal(set) var now: Int64
    /// Whether connections are taken.
    public internal(set) var isUp = true
    /// Why publishes are not taken in; nil when they are.
    public internal(set) var blockedReason: String?

    var exchanges: [String: Exchange] = [:]
    var queues: [String: Queue] = [:]
    /// The names of the queues in the order of their declaration: a dictionary's order differs from process to process.
    var queueNames: [String] = []
    var bindings: [BrokerTopology.Binding] = []
    var connections: [ConnectionID: Connection] = [:]
    /// Why connections that are gone and have not been told so went.
    var lost: [ConnectionID: AMQPError] = [:]
    var lastConnection: UInt64 = 0
    /// The place of the next message in the order of arrival.
    var nextPlace: UInt64 = 1
    /// Messages of a smaller place are on disk.
    var syncedUpTo: UInt64 = 1
    /// Messages that were taken in and wait for the disk, in the order of arrival.
    var awaitingSync: [(connection: ConnectionID, number: UInt64)] = []
    /// Messages that were taken in and wait for a queue's majority.
    var awaitingMajority: [(connection: ConnectionID, number: UInt64)] = []

    /// Makes a broker that is up and knows the predeclared exchanges alone.
    public init(_ options: Options = Options(), now: Int64 = 0) {
        self.options = options
        self.now = now
        for (name, type) in [
            ("", "direct"), ("amq.direct", "direct"), ("amq.fanout", "fanout"), ("amq.topic", "topic"),
            ("amq.headers", "headers"),
        ] {
            exchanges[name] = Exchange(type: type, isDurable: true, arguments: [:])
        }
    }

    // MARK: Steps

    /// What can be done next, in a fixed order; empty when nothing happens before somebody does something.
    public var possibleSteps: [Step] {
        guard isUp else { return [] }
        var steps: [Step] = []
        for connection in connections.keys.sorted() where canReceive(connection) { steps.append(.receive(connection)) }
        if nextPlace > syncedUpTo || !awaitingSync.isEmpty { steps.append(.sync) }
        for name in queueNames where canDeliver(name) { steps.append(.deliver(queue: name)) }
        return steps
    }

    /// Does it; nothing happens if it is not possible.
    public mutating func perform(_ step: Step) {
        guard isUp else { return }
        switch step {
        case .receive(let connection): if canReceive(connection) { receive(connection) }
        case .sync: sync()
        case .deliver(let queue): if canDeliver(queue) { deliver(from: queue) }
        }
    }

    /// Does everything that can be done, in the fixed order: requests, then the disk, then deliveries.
    public mutating func settle() {
        while isUp {
            var didSomething = false
            for connection in connections.keys.sorted() {
                while canReceive(connection) {
                    receive(connection)
                    didSomething = true
                }
            }
            if nextPlace > syncedUpTo || !awaitingSync.isEmpty { sync() }
            for name in queueNames {
                while canDeliver(name) {
                    deliver(from: name)
                    didSomething = true
                }
            }
            guard didSomething else { return }
        }
    }

    private func canReceive(_ id: ConnectionID) -> Bool {
        guard let connection = connections[id], let next = connection.sent.first else { return false }
        // A blocked connection is not read from, once it has published.
        if blockedReason != nil, connection.hasPublished { return false }
        if case .publish = next { return blockedReason == nil }
        return true
    }

    private mutating func receive(_ id: ConnectionID) {
        guard let request = connections[id]?.sent.popFirst() else { return }
        switch request {
        case .publish(let publication): publish(publication, from: id)
        case .ack(let tag, let multiple): settle(tag, multiple: multiple, of: id, outcome: .acked)
        case .reject(let tag, let requeue):
            settle(tag, multiple: false, of: id, outcome: requeue ? .requeued : .rejected)
        }
    }

    private mutating func sync() {
        syncedUpTo = nextPlace
        let confirmed = awaitingSync
        awaitingSync = []
        for id in connections.keys.sorted() {
            let numbers = confirmed.filter { $0.connection == id }.map(\.number)
            guard let last = numbers.max() else { continue }
            guard !awaitingMajority.contains(where: { $0.connection == id }) else {
                for number in numbers { say(.confirmed(number: number, multiple: false, positive: true), to: id) }
                continue
            }
            // Everything of this connection that was taken in is settled now, or was before.
            say(.confirmed(number: last, multiple: numbers.count > 1, positive: true), to: id)
        }
    }

    mutating func say(_ frame: Frame, to id: ConnectionID) {
        connections[id]?.said.append(frame)
    }

    mutating func takePlace() -> UInt64 {
        defer { nextPlace += 1 }
        return nextPlace
    }
}
