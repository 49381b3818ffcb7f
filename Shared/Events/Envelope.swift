/// A CloudEvents 1.0 envelope in structured JSON mode, as it is on the wire and in the store alike.
public struct Envelope: Sendable, Equatable {
    /// UUIDv7; `source` and `id` together identify the event.
    public var id: String
    /// The service that the event comes from, `/order-service`.
    public var source: String
    /// What happened.
    public var type: EventType
    /// The aggregate that it happened to.
    public var subject: String
    /// When, RFC 3339 in UTC with milliseconds.
    public var time: String
    /// The number of this event among those of its source and subject, from 1; nil for events from outside.
    public var sequence: UInt64?
    /// The flow that the event belongs to, the order's id in the shop.
    public var correlationID: String?
    /// The id of the event that caused this one.
    public var causationID: String?
    /// W3C trace context.
    public var traceparent: String?
    /// The payload: a JSON value, as bytes.
    public var data: [UInt8]

    /// Makes an envelope.
    public init(
        id: String,
        source: String,
        type: EventType,
        subject: String,
        time: String,
        sequence: UInt64? = nil,
        correlationID: String? = nil,
        causationID: String? = nil,
        traceparent: String? = nil,
        data: [UInt8]
    ) {
        self.id = id
        self.source = source
        self.type = type
        self.subject = subject
        self.time = time
        self.sequence = sequence
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
        self.data = data
    }
}
