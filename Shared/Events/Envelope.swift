public import JSON

/// A CloudEvents 1.0 event: its attributes and its data.
///
/// What the kit writes has a subject, a time and JSON data; of what comes from others these may be absent.
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

    private struct Fields {
        var id: String
        var source: String
        var type: EventType
        var subject: String?
        var time: String?
        var sequence: UInt64?
        var correlationID: String?
        var causationID: String?
        var traceparent: String?
        var data: [UInt8]
        /// What hardly any event has.
        var rare: Rare?
    }

    private final class Rare: Sendable {
        let dataContentType: String?
        let extensions: [String: JSONValue]

        /// Nil where there is nothing to hold.
        init?(_ dataContentType: String?, _ extensions: [String: JSONValue]) {
            guard dataContentType != nil || !extensions.isEmpty else { return nil }
            self.dataContentType = dataContentType
            self.extensions = extensions
        }
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
        subject: String?,
        time: String?,
        sequence: UInt64? = nil,
        correlationID: String? = nil,
        causationID: String? = nil,
        traceparent: String? = nil,
        dataContentType: String = Envelope.json,
        data: [UInt8],
        extensions: [String: JSONValue] = [:]
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
                data: data,
                rare: Rare(dataContentType == Envelope.json ? nil : dataContentType, extensions)
            )
        )
    }

    /// The media type of data that is JSON, which it is where nothing else is said.
    public static let json = "application/json"

    /// Whether all fields are equal.
    public static func == (left: Envelope, right: Envelope) -> Bool {
        left.storage === right.storage
            || (left.id == right.id && left.source == right.source && left.type == right.type
                && left.subject == right.subject && left.time == right.time && left.sequence == right.sequence
                && left.correlationID == right.correlationID && left.causationID == right.causationID
                && left.traceparent == right.traceparent && left.data == right.data
                && left.dataContentType == right.dataContentType && left.extensions == right.extensions)
    }

    /// `source` and `id` together identify the event; the kit's own is a UUIDv7.
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
    /// The aggregate that it happened to; nil for an event from outside that names none, which has no order to keep.
    public var subject: String? {
        get { storage.fields.subject }
        set { fields.subject = newValue }
    }
    /// When, RFC 3339, the kit's own in UTC with milliseconds; nil where it is not said.
    public var time: String? {
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
    /// W3C trace context; one that is not valid is none.
    public var traceparent: String? {
        get { storage.fields.traceparent }
        set { fields.traceparent = newValue }
    }
    /// The payload: the text of a JSON value, or, where `dataContentType` says so, any bytes; empty for an event without one.
    public var data: [UInt8] {
        get { storage.fields.data }
        set { fields.data = newValue }
    }
    /// The media type of `data`; `application/json` where nothing is said.
    public var dataContentType: String {
        get { storage.fields.rare?.dataContentType ?? Envelope.json }
        set { fields.rare = Rare(newValue == Envelope.json ? nil : newValue, extensions) }
    }
    /// Whether `data` is JSON: `*/json` or `*/*+json`.
    public var hasJSONData: Bool {
        storage.fields.rare?.dataContentType.map(Envelope.isJSON) ?? true
    }
    /// The attributes that have no property here, by name, with their JSON values; none of them is null.
    public var extensions: [String: JSONValue] {
        get { storage.fields.rare?.extensions ?? [:] }
        set { fields.rare = Rare(storage.fields.rare?.dataContentType, newValue) }
    }
}
