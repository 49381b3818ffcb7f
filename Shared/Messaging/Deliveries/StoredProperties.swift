internal import AMQP
internal import Events
import FoundationEssentials
import JSON

/// What came with a message beside its body, as it is kept in a row: a JSON object that an operator can read.
///
/// Headers keep their values; bytes are `{"base64": …}`, times `{"timestamp": …}` in seconds since 1970.
struct StoredProperties: Sendable {
    private enum Source: Sendable {
        case message(MessageProperties, exchange: String, routingKey: String)
        case feed(String, Envelope?)
        case text(String)
    }

    /// What the broker counts in the headers of a message that it delivers again.
    private static let counts: Set<String> = ["x-delivery-count", "x-acquired-count"]

    private let source: Source

    init(_ message: IncomingMessage) {
        source = .message(message.message.properties, exchange: message.exchange, routingKey: message.routingKey)
    }

    /// What is kept of an event that came by a feed: what it would have come with by the queue, and the feed's name.
    init(feed: String, _ envelope: Envelope?) {
        source = .feed(feed, envelope)
    }

    init(json: String) {
        source = .text(json)
    }

    /// The JSON object.
    ///
    /// Built when it is asked for: the fast path never does.
    var json: String {
        switch source {
        case .text(let text):
            return text
        case .message(let properties, let exchange, let routingKey):
            let value = StoredProperties.value(of: properties, exchange: exchange, routingKey: routingKey)
            return StoredProperties.text(of: value)
        case .feed(let name, let envelope):
            var fields: [String: JSONValue] = ["feed": .string(name)]
            fields["contentType"] = .string("application/cloudevents+json; charset=utf-8")
            fields["messageId"] = envelope.map { .string($0.id) }
            fields["type"] = envelope.map { .string($0.type.rawValue) }
            fields["correlationId"] = envelope?.correlationID.map { .string($0) }
            return StoredProperties.text(of: .object(fields))
        }
    }

    /// What is the same whenever the broker delivers the same message: all but where to, and how often.
    var identity: String {
        guard case .message(var properties, _, _) = source else { return json }
        properties.headers?.entries.removeAll { StoredProperties.counts.contains($0.name) }
        if properties.headers?.entries.isEmpty == true { properties.headers = nil }
        return StoredProperties.text(of: StoredProperties.value(of: properties, exchange: "", routingKey: ""))
    }

    /// Every value that is made here can be encoded: numbers that JSON cannot hold are written as text.
    private static func text(of value: JSONValue) -> String {
        guard let bytes = try? StrictJSON.encode(value) else { return "{}" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func value(of properties: MessageProperties, exchange: String, routingKey: String) -> JSONValue {
        var fields: [String: JSONValue] = ["exchange": .string(exchange), "routingKey": .string(routingKey)]
        let texts: [(String, String?)] = [
            ("contentType", properties.contentType),
            ("contentEncoding", properties.contentEncoding),
            ("correlationId", properties.correlationID),
            ("replyTo", properties.replyTo),
            ("expiration", properties.expiration),
            ("messageId", properties.messageID),
            ("type", properties.type),
            ("userId", properties.userID),
            ("appId", properties.appID),
            ("clusterId", properties.clusterID),
        ]
        for case (let name, let text?) in texts { fields[name] = .string(text) }
        if let mode = properties.deliveryMode { fields["deliveryMode"] = .integer(Int64(mode)) }
        if let priority = properties.priority { fields["priority"] = .integer(Int64(priority)) }
        if let timestamp = properties.timestamp { fields["timestamp"] = .integer(Int64(clamping: timestamp)) }
        if let headers = properties.headers { fields["headers"] = value(of: headers) }
        return .object(fields)
    }

    private static func value(of table: FieldTable) -> JSONValue {
        .object(Dictionary(table.entries.map { ($0.name, value(of: $0.value)) }) { first, _ in first })
    }

    private static func value(of field: FieldValue) -> JSONValue {
        switch field {
        case .boolean(let value): .bool(value)
        case .int8(let value): .integer(Int64(value))
        case .uint8(let value): .integer(Int64(value))
        case .int16(let value): .integer(Int64(value))
        case .uint16(let value): .integer(Int64(value))
        case .int32(let value): .integer(Int64(value))
        case .uint32(let value): .integer(Int64(value))
        case .int64(let value): .integer(value)
        case .float(let value): value.isFinite ? .number(Double(value)) : .string("\(value)")
        case .double(let value): value.isFinite ? .number(value) : .string("\(value)")
        case .decimal(let scale, let value):
            .object(["decimal": .integer(Int64(value)), "scale": .integer(Int64(scale))])
        case .string(let value): .string(value)
        case .bytes(let value): .object(["base64": .string(Data(value).base64EncodedString())])
        case .timestamp(let value): .object(["timestamp": .integer(Int64(clamping: value))])
        case .table(let table): StoredProperties.value(of: table)
        case .array(let values): .array(values.map { StoredProperties.value(of: $0) })
        case .void: .null
        }
    }
}
