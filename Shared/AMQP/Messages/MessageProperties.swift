/// The basic properties of AMQP 0-9-1 (specification, class `basic`).
///
/// Short strings hold at most 255 bytes. A value: copies are independent, and share their memory until one of them is
/// changed.
public struct MessageProperties: Sendable, Equatable {
    /// Fourteen optional fields would be copied and counted one by one wherever a message goes; this is one reference.
    private var storage: Storage

    /// Makes properties that are all absent.
    public init() {
        storage = Storage.empty
    }

    /// Makes properties of all of their fields at once.
    init(_ fields: consuming Fields) {
        storage = Storage(fields)
    }

    /// Written only while nobody else refers to it, so that sharing between threads is safe.
    private final class Storage: @unchecked Sendable {
        static let empty = Storage(Fields())

        var fields: Fields

        init(_ fields: consuming Fields) {
            self.fields = fields
        }
    }

    /// What is to be read and written in one go.
    struct Fields: Equatable {
        var contentType: String?
        var headers: FieldTable?
        var deliveryMode: UInt8?
        var correlationID: String?
        var messageID: String?
        var timestamp: UInt64?
        var type: String?
        var userID: String?
        var appID: String?
        /// One element at most: what hardly any message has costs nothing where it is absent.
        private var rare: [Rare] = []

        private struct Rare: Equatable {
            var contentEncoding: String?
            var priority: UInt8?
            var replyTo: String?
            var expiration: String?
            var clusterID: String?
        }

        private mutating func setRare(_ isPresent: Bool, _ change: (inout Rare) -> Void) {
            if rare.isEmpty {
                guard isPresent else { return }
                rare = [Rare()]
            }
            change(&rare[0])
        }

        var contentEncoding: String? {
            get { rare.isEmpty ? nil : rare[0].contentEncoding }
            set { setRare(newValue != nil) { $0.contentEncoding = newValue } }
        }
        var priority: UInt8? {
            get { rare.isEmpty ? nil : rare[0].priority }
            set { setRare(newValue != nil) { $0.priority = newValue } }
        }
        var replyTo: String? {
            get { rare.isEmpty ? nil : rare[0].replyTo }
            set { setRare(newValue != nil) { $0.replyTo = newValue } }
        }
        var expiration: String? {
            get { rare.isEmpty ? nil : rare[0].expiration }
            set { setRare(newValue != nil) { $0.expiration = newValue } }
        }
        var clusterID: String? {
            get { rare.isEmpty ? nil : rare[0].clusterID }
            set { setRare(newValue != nil) { $0.clusterID = newValue } }
        }

        /// Whether all fields are equal, or absent in both.
        static func == (left: Fields, right: Fields) -> Bool {
            left.contentType == right.contentType && left.headers == right.headers
                && left.deliveryMode == right.deliveryMode && left.correlationID == right.correlationID
                && left.messageID == right.messageID && left.timestamp == right.timestamp
                && left.type == right.type && left.userID == right.userID && left.appID == right.appID
                && (left.rare.first ?? Rare()) == (right.rare.first ?? Rare())
        }
    }

    /// All fields, to be read or changed in one go.
    var fields: Fields {
        _read { yield storage.fields }
        _modify {
            if !isKnownUniquelyReferenced(&storage) { storage = Storage(storage.fields) }
            yield &storage.fields
        }
    }

    /// Whether all properties are equal, or absent in both.
    public static func == (left: MessageProperties, right: MessageProperties) -> Bool {
        left.storage === right.storage || left.storage.fields == right.storage.fields
    }

    /// MIME type of the body.
    public var contentType: String? {
        get { storage.fields.contentType }
        set { fields.contentType = newValue }
    }
    /// MIME content encoding of the body.
    public var contentEncoding: String? {
        get { storage.fields.contentEncoding }
        set { fields.contentEncoding = newValue }
    }
    /// Application headers.
    public var headers: FieldTable? {
        get { storage.fields.headers }
        set { fields.headers = newValue }
    }
    /// 1 transient, 2 persistent.
    public var deliveryMode: UInt8? {
        get { storage.fields.deliveryMode }
        set { fields.deliveryMode = newValue }
    }
    /// 0 to 9 (RabbitMQ: 0 to 255).
    public var priority: UInt8? {
        get { storage.fields.priority }
        set { fields.priority = newValue }
    }
    /// Correlates a message with others.
    public var correlationID: String? {
        get { storage.fields.correlationID }
        set { fields.correlationID = newValue }
    }
    /// The queue for answers.
    public var replyTo: String? {
        get { storage.fields.replyTo }
        set { fields.replyTo = newValue }
    }
    /// Time to live in milliseconds, as text.
    public var expiration: String? {
        get { storage.fields.expiration }
        set { fields.expiration = newValue }
    }
    /// The publisher's identifier of the message.
    public var messageID: String? {
        get { storage.fields.messageID }
        set { fields.messageID = newValue }
    }
    /// Seconds since 1970-01-01T00:00:00Z.
    public var timestamp: UInt64? {
        get { storage.fields.timestamp }
        set { fields.timestamp = newValue }
    }
    /// The kind of message.
    public var type: String? {
        get { storage.fields.type }
        set { fields.type = newValue }
    }
    /// The publishing user; RabbitMQ refuses a message that names another than the connection's (406).
    ///
    /// Where it is nil, the connection writes the user that it logged in with, if it knows it; see `ConnectionConfiguration`.
    public var userID: String? {
        get { storage.fields.userID }
        set { fields.userID = newValue }
    }
    /// The publishing application.
    public var appID: String? {
        get { storage.fields.appID }
        set { fields.appID = newValue }
    }
    /// Deprecated by the specification; kept because it is on the wire.
    public var clusterID: String? {
        get { storage.fields.clusterID }
        set { fields.clusterID = newValue }
    }
}

extension MessageProperties: CustomReflectable {
    /// The properties by their names.
    public var customMirror: Mirror {
        Mirror(
            self,
            children: [
                "contentType": contentType as Any,
                "contentEncoding": contentEncoding as Any,
                "headers": headers as Any,
                "deliveryMode": deliveryMode as Any,
                "priority": priority as Any,
                "correlationID": correlationID as Any,
                "replyTo": replyTo as Any,
                "expiration": expiration as Any,
                "messageID": messageID as Any,
                "timestamp": timestamp as Any,
                "type": type as Any,
                "userID": userID as Any,
                "appID": appID as Any,
                "clusterID": clusterID as Any,
            ]
        )
    }
}
