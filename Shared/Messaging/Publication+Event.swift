internal import AMQP
internal import Events

extension Publication {
    /// The AMQP form of an event: exchange `warren.events`, routing key = type, persistent.
    ///
    /// - Parameters:
    ///   - envelope: the event.
    ///   - body: its bytes.
    ///   - mandatory: whether it must reach a queue: when somebody subscribes to its type.
    init(_ envelope: Envelope, body: [UInt8], mandatory: Bool = true) {
        var properties = MessageProperties()
        properties.contentType = "application/cloudevents+json; charset=utf-8"
        properties.deliveryMode = 2
        properties.messageID = envelope.id
        properties.type = envelope.type.rawValue
        properties.appID = envelope.source
        properties.timestamp = RFC3339.milliseconds(envelope.time).map { UInt64(max(0, $0 / 1000)) }
        properties.correlationID = envelope.correlationID
        if let traceparent = envelope.traceparent { properties.headers = ["traceparent": .string(traceparent)] }
        self.init(
            exchange: Topology.exchange,
            routingKey: envelope.type.rawValue,
            mandatory: mandatory,
            message: Message(body: body, properties: properties)
        )
    }
}
