internal import AMQP
import FoundationEssentials

/// What came with a message beside its body, as it is kept in a row: a JSON object that an operator can read.
///
/// Headers keep their values; bytes are `{"base64": …}`, times `{"timestamp": …}` in seconds since 1970.
struct StoredProperties: Sendable {
    private enum Source: Sendable {
        case message(MessageProperties, exchange: String, routingKey: String)
        case text(String)
    }

    private let source: Source

    init(_ message: IncomingMessage) {
        source = .message(message.message.properties, exchange: message.exchange, routingKey: message.routingKey)
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
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            // Every value below is encodable as it stands; numbers that JSON cannot hold are written as text.
            let value = StoredProperties.value(of: properties, exchange: exchange, routingKey: routingKey)
            guard let data = try? encoder.encode(value) else { return "{}" }
            return String(decoding: data, as: UTF8.self)
        }
    }

    private static func value(of properties: MessageProperties, exchange: String, routingKey: String) -> PlainValue {
        var fields: [String: PlainValue] = ["exchange": .text(exchange), "routingKey": .text(routingKey)]
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
        for case (let name, let text?) in texts { fields[name] = .text(text) }
        if let mode = properties.deliveryMode { fields["deliveryMode"] = .integer(Int64(mode)) }
        if let priority = properties.priority { fields["priority"] = .integer(Int64(priority)) }
        if let timestamp = properties.timestamp { fields["timestamp"] = .unsigned(timestamp) }
        if let headers = properties.headers { fields["headers"] = value(of: headers) }
        return .object(fields)
    }

    private static func value(of table: FieldTable) -> PlainValue {
        .object(Dictionary(table.entries.map { ($0.name, value(of: $0.value)) }) { first, _ in first })
    }

    private static func value(of field: FieldValue) -> PlainValue {
        switch field {
        case .boolean(let value): .boolean(value)
        case .int8(let value): .integer(Int64(value))
        case .uint8(let value): .integer(Int64(value))
        case .int16(let value): .integer(Int64(value))
        case .uint16(let value): .integer(Int64(value))
        case .int32(let value): .integer(Int64(value))
        case .uint32(let value): .integer(Int64(value))
        case .int64(let value): .integer(value)
        case .float(let value): value.isFinite ? .real(Double(value)) : .text("\(value)")
        case .double(let value): value.isFinite ? .real(value) : .text("\(value)")
        case .decimal(let scale, let value):
            .object(["decimal": .integer(Int64(value)), "scale": .integer(Int64(scale))])
        case .string(let value): .text(value)
        case .bytes(let value): .object(["base64": .text(Data(value).base64EncodedString())])
        case .timestamp(let value): .object(["timestamp": .unsigned(value)])
        case .table(let table): StoredProperties.value(of: table)
        case .array(let values): .array(values.map { StoredProperties.value(of: $0) })
        case .void: .null
        }
    }
}

/// A JSON value that can be encoded.
private enum PlainValue: Encodable {
    case null
    case boolean(Bool)
    case integer(Int64)
    case unsigned(UInt64)
    case real(Double)
    case text(String)
    case array([PlainValue])
    case object([String: PlainValue])

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .unsigned(let value): try container.encode(value)
        case .real(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .array(let values): try container.encode(values)
        case .object(let fields): try container.encode(fields)
        }
    }
}
