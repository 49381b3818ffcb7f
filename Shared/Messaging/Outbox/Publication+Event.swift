internal import AMQP
internal import Events
internal import Telemetry

extension Publication {
    /// What the body of every event is, in the kit's own words; others may write it differently.
    static let mediaType = "application/cloudevents+json; charset=utf-8"

    /// The header of an event that its service may have published before.
    ///
    /// Again after its process has ended, or from the table of deliveries: the first copy may have arrived, and ended the
    /// process. It tells that service alone something; see `Arrival`.
    static let repeatHeader = "warren-repeat"

    /// The AMQP form of an event: exchange `warren.events`, routing key = type, persistent.
    ///
    /// - Parameters:
    ///   - envelope: the event.
    ///   - body: its bytes.
    ///   - mandatory: whether it must reach a queue: when somebody subscribes to its type.
    ///   - isRepeat: whether an earlier process may have published it.
    init(_ envelope: Envelope, body: [UInt8], mandatory: Bool = true, isRepeat: Bool = false) {
        self.init(
            id: envelope.id,
            type: envelope.type.rawValue,
            source: envelope.source,
            milliseconds: envelope.time.flatMap { Timestamp(rfc3339: $0)?.milliseconds },
            correlationID: envelope.correlationID,
            traceparent: envelope.traceparent,
            body: body,
            mandatory: mandatory,
            isRepeat: isRepeat
        )
    }

    /// The AMQP form of an event from the store, of whose envelope only what has no column is read.
    init(_ event: StoredEvent, mandatory: Bool) {
        self.init(
            id: event.id,
            type: event.type,
            source: event.subject.source,
            milliseconds: event.time,
            correlationID: Envelope.attribute("correlationid", ofEncoded: event.envelope),
            traceparent: Envelope.attribute("traceparent", ofEncoded: event.envelope),
            body: event.envelope,
            mandatory: mandatory,
            isRepeat: event.isRepeat
        )
    }

    private init(
        id: String,
        type: String,
        source: String,
        milliseconds: Int64?,
        correlationID: String?,
        traceparent: String?,
        body: [UInt8],
        mandatory: Bool,
        isRepeat: Bool
    ) {
        var properties = MessageProperties()
        properties.contentType = Publication.mediaType
        properties.deliveryMode = 2
        properties.messageID = id
        properties.type = type
        properties.appID = source
        properties.timestamp = milliseconds.map { UInt64(max(0, $0 / 1000)) }
        properties.correlationID = correlationID
        if traceparent != nil || isRepeat {
            var headers = FieldTable()
            if let traceparent { headers["traceparent"] = .string(traceparent) }
            if isRepeat { headers[Publication.repeatHeader] = .boolean(true) }
            properties.headers = headers
        }
        self.init(
            exchange: Topology.exchange,
            routingKey: type,
            mandatory: mandatory,
            message: Message(body: body, properties: properties)
        )
    }
}
