internal import AMQP
internal import Events

extension Publication {
    /// The AMQP form of an event (design: `warren.events`, routing key = type, persistent, mandatory).
    init(_ envelope: Envelope, body: [UInt8]) {
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
            mandatory: true,
            message: Message(body: body, properties: properties)
        )
    }
}
