/// What the broker sends of its own accord, as far as a link cares.
enum IncomingFrame {
    case delivered(IncomingDelivery)
    /// A mandatory message that reached no queue.
    case returned(reason: String, exchange: String, routingKey: String, message: Message)
    /// `basic.ack` and `basic.nack`, for published messages.
    case confirmed(number: UInt64, multiple: Bool, positive: Bool)
    /// The broker cancelled the consumer: its queue is gone, or its node.
    case consumerCancelled
    case blocked(reason: String)
    case unblocked
}

/// A delivery before it is known to which connection of a consumer its tag belongs.
struct IncomingDelivery {
    let tag: UInt64
    let redelivered: Bool
    let exchange: String
    let routingKey: String
    let message: Message
    let isOversized: Bool
}
