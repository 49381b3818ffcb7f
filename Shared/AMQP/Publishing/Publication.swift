/// One message on its way out.
public struct Publication: Sendable {
    /// The exchange; empty for the default exchange, which routes to the queue that the routing key names.
    public var exchange: String
    /// What the exchange routes by.
    public var routingKey: String
    /// Whether the broker gives the message back (`AMQPError.Code.returned`) when it reaches no queue.
    public var mandatory: Bool
    /// The message.
    public var message: Message

    /// Makes a publication.
    public init(exchange: String, routingKey: String, mandatory: Bool = true, message: Message) {
        self.exchange = exchange
        self.routingKey = routingKey
        self.mandatory = mandatory
        self.message = message
    }
}
