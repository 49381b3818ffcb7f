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
