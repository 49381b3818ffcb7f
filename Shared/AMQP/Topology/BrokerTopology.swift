/// Exchanges, queues and bindings that are declared at each (re)connection before anything else happens.
public struct BrokerTopology: Sendable, Equatable {
    /// An exchange.
    public struct Exchange: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// `direct`, `fanout`, `topic`, `headers` or a plugin's type.
        public var type: String
        /// Whether it survives a restart of the broker.
        public var durable = true
        /// Optional arguments, `alternate-exchange` for example.
        public var arguments: FieldTable = [:]

        /// Makes a durable exchange.
        public init(name: String, type: String) {
            self.name = name
            self.type = type
        }
    }

    /// A queue.
    public struct Queue: Sendable, Equatable {
        /// Its name.
        public var name: String
        /// Whether it survives a restart of the broker.
        public var durable = true
        /// Optional arguments, `x-queue-type` for example.
        public var arguments: FieldTable

        /// Makes a durable queue.
        public init(name: String, arguments: FieldTable = [:]) {
            self.name = name
            self.arguments = arguments
        }
    }

    /// A binding of a queue to an exchange.
    public struct Binding: Sendable, Equatable {
        /// The queue.
        public var queue: String
        /// The exchange.
        public var exchange: String
        /// The routing key or pattern.
        public var routingKey: String
        /// Optional arguments, as a `headers` exchange takes them.
        public var arguments: FieldTable = [:]

        /// Makes a binding.
        public init(queue: String, exchange: String, routingKey: String) {
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }

    /// Declared first.
    public var exchanges: [Exchange] = []
    /// Declared after the exchanges.
    public var queues: [Queue] = []
    /// Made last.
    public var bindings: [Binding] = []
    /// Verify instead of declaring (passive declarations; bindings cannot be verified).
    public var passive = false
    /// What to do where a queue exists with other arguments; said by the error beside the client's own words.
    public var mendOfOtherArguments: String?

    /// Makes an empty topology.
    public init() {}
}
