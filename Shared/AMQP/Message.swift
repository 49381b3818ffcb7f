/// A message as AMQP 0-9-1 carries it: bytes and the 14 basic properties.
public struct Message: Sendable, Equatable {
    /// The payload, as it is on the wire.
    public var body: [UInt8]
    /// The basic properties; those that are nil are absent on the wire.
    public var properties: MessageProperties

    /// Makes a message.
    public init(body: [UInt8], properties: MessageProperties = MessageProperties()) {
        self.body = body
        self.properties = properties
    }
}

/// The basic properties of AMQP 0-9-1 (specification, class `basic`).
///
/// Short strings hold at most 255 bytes.
public struct MessageProperties: Sendable, Equatable {
    /// MIME type of the body.
    public var contentType: String?
    /// MIME content encoding of the body.
    public var contentEncoding: String?
    /// Application headers.
    public var headers: FieldTable?
    /// 1 transient, 2 persistent.
    public var deliveryMode: UInt8?
    /// 0 to 9 (RabbitMQ: 0 to 255).
    public var priority: UInt8?
    /// Correlates a message with others.
    public var correlationID: String?
    /// The queue for answers.
    public var replyTo: String?
    /// Time to live in milliseconds, as text.
    public var expiration: String?
    /// The publisher's identifier of the message.
    public var messageID: String?
    /// Seconds since 1970-01-01T00:00:00Z.
    public var timestamp: UInt64?
    /// The kind of message.
    public var type: String?
    /// The publishing user; RabbitMQ validates it.
    public var userID: String?
    /// The publishing application.
    public var appID: String?
    /// Deprecated by the specification; kept because it is on the wire.
    public var clusterID: String?

    /// Makes properties that are all absent.
    public init() {}
}
