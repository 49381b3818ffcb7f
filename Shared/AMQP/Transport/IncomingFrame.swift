/// What the broker sends, as far as a link cares.
enum IncomingFrame {
    /// Messages that came one after the other.
    case delivered([IncomingMessage])
    /// A mandatory message that reached no queue.
    case returned(reason: String, exchange: String, routingKey: String, message: Message)
    /// `basic.ack` and `basic.nack`, for published messages.
    case confirmed(number: UInt64, multiple: Bool, positive: Bool)
    /// The broker cancelled the consumer: its queue is gone, or its node.
    case consumerCancelled
    case blocked(reason: String)
    case unblocked
}
