/// A message that the broker delivered and that waits for its `ack` or `reject`.
public struct IncomingMessage: Sendable {
    /// The delivery tag with the connection that it belongs to.
    public struct Tag: Sendable, Hashable {
        /// Counts the consumer's connections from 1.
        ///
        /// Tags die with their connection.
        public let connection: UInt64
        /// The broker's delivery tag; counts the deliveries of one connection from 1.
        public let number: UInt64

        /// Makes a tag.
        public init(connection: UInt64, number: UInt64) {
            self.connection = connection
            self.number = number
        }
    }

    /// What `ack` and `reject` take.
    public let tag: Tag
    /// The broker has delivered this message before, to this or another consumer.
    public let redelivered: Bool
    /// The exchange that it was published to.
    public let exchange: String
    /// The routing key that it was published with.
    public let routingKey: String
    /// The message.
    public let message: Message
    /// The body was larger than the configured maximum; `message.body` holds its first bytes up to that maximum.
    public let isOversized: Bool

    /// Makes a message, for tests of what handles messages.
    public init(
        tag: Tag,
        redelivered: Bool,
        exchange: String,
        routingKey: String,
        message: Message,
        isOversized: Bool = false
    ) {
        self.tag = tag
        self.redelivered = redelivered
        self.exchange = exchange
        self.routingKey = routingKey
        self.message = message
        self.isOversized = isOversized
    }
}
