/// A CloudEvents 1.0 envelope in structured JSON mode, as it is on the wire and in the store alike.
///
/// A value: copies are independent, and share their memory until one of them is changed.
public struct Envelope: Sendable, Equatable {
    /// An envelope is handed from hand to hand; this is one reference where its fields would be ten to copy and count.
    private var storage: Storage

    /// Written only while nobody else refers to it, so that sharing between threads is safe.
    private final class Storage: @unchecked Sendable {
        var fields: Fields

        init(_ fields: Fields) {
            self.fields = fields
        }
    }

    private struct Fields: Equatable {
        var id: String
        var source: String
        var type: EventType
        var subject: String
        var time: String
        var sequence: UInt64?
        var correlationID: String?
        var causationID: String?
        var traceparent: String?
        var data: [UInt8]
    }

    private var fields: Fields {
        _read { yield storage.fields }
        _modify {
            if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.fields) }
            yield &storage.fields
        }
    }

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
        storage = Storage(
            Fields(
                id: id,
                source: source,
                type: type,
                subject: subject,
                time: time,
                sequence: sequence,
                correlationID: correlationID,
                causationID: causationID,
                traceparent: traceparent,
                data: data
            )
        )
    }

    /// Whether all fields are equal.
    public static func == (left: Envelope, right: Envelope) -> Bool {
        left.storage === right.storage || left.storage.fields == right.storage.fields
    }

    /// UUIDv7; `source` and `id` together identify the event.
    public var id: String {
        get { storage.fields.id }
        set { fields.id = newValue }
    }
    /// The service that the event comes from, `/order-service`.
    public var source: String {
        get { storage.fields.source }
        set { fields.source = newValue }
    }
    /// What happened.
    public var type: EventType {
        get { storage.fields.type }
        set { fields.type = newValue }
    }
    /// The aggregate that it happened to.
    public var subject: String {
        get { storage.fields.subject }
        set { fields.subject = newValue }
    }
    /// When, RFC 3339 in UTC with milliseconds.
    public var time: String {
        get { storage.fields.time }
        set { fields.time = newValue }
    }
    /// The number of this event among those of its source and subject, from 1; nil for events from outside.
    public var sequence: UInt64? {
        get { storage.fields.sequence }
        set { fields.sequence = newValue }
    }
    /// The flow that the event belongs to, the order's id in the shop.
    public var correlationID: String? {
        get { storage.fields.correlationID }
        set { fields.correlationID = newValue }
    }
    /// The id of the event that caused this one.
    public var causationID: String? {
        get { storage.fields.causationID }
        set { fields.causationID = newValue }
    }
    /// W3C trace context.
    public var traceparent: String? {
        get { storage.fields.traceparent }
        set { fields.traceparent = newValue }
    }
    /// The payload: a JSON value, as bytes.
    public var data: [UInt8] {
        get { storage.fields.data }
        set { fields.data = newValue }
    }
}
