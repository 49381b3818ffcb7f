internal import AMQP
internal import Events
import FoundationEssentials
internal import JSON
internal import Telemetry

/// An event as a message carries it, in any of the ways in which other people's programs send one.
///
/// In *structured* mode the body is the event, and the content type says so. In *binary* mode each attribute is a header, with one of
/// three prefixes, the body is the data and the content type the data's. There is no binding of CloudEvents to AMQP 0-9-1:
/// the prefixes are those of the binding to AMQP 1.0 (`cloudEvents:`, `cloudEvents_`) and of Knative's to RabbitMQ, which
/// the SDKs follow (`ce-`). What comes in binary mode is written in structured mode, so that there is one form behind this one.
struct EventMessage: Sendable {
    /// The event.
    let envelope: Envelope
    /// The event in structured mode.
    let body: [UInt8]

    /// The prefixes of attributes, in lower case.
    private static let prefixes = ["ce-", "cloudevents:", "cloudevents_"]

    init(envelope: Envelope, body: [UInt8]) {
        self.envelope = envelope
        self.body = body
    }

    /// Reads a message.
    ///
    /// - Throws: `EventFault`, whose code and detail name the cause.
    init(_ message: IncomingMessage, limits: EventLimits) throws(EventFault) {
        if message.isOversized {
            throw EventFault(.tooLarge, "more bytes than the client takes in; the body is cut off")
        }
        let properties = message.message.properties
        let mediaType = properties.contentType ?? ""
        body =
            if mediaType == Publication.mediaType, properties.contentEncoding == nil {
                message.message.body
            } else {
                try EventMessage.structured(message.message, MediaType(mediaType), limits)
            }
        envelope = try Envelope(decoding: body, limits: limits)
    }

    private static func structured(
        _ message: Message,
        _ mediaType: MediaType,
        _ limits: EventLimits
    ) throws(EventFault) -> [UInt8] {
        let properties = message.properties
        // Some clients say their charset here.
        let encoding = properties.contentEncoding?.lowercased() ?? ""
        guard ["", "identity", "utf-8", "utf8"].contains(encoding) else {
            throw EventFault(
                .unsupportedEncoding,
                "the content-encoding \(encoding) is not read; send the body as it is, without one"
            )
        }
        switch mediaType.essence {
        case "application/cloudevents+json":
            try check(mediaType)
            return message.body
        case "application/cloudevents-batch+json":
            throw EventFault(.batch, "a batch of events; each has to be a message of its own")
        case let other where other.hasPrefix("application/cloudevents"):
            throw EventFault(
                .unsupportedEncoding,
                "the event format \(other) is not read; send application/cloudevents+json, or binary mode"
            )
        case let other:
            guard let attributes = try attributes(of: properties.headers) else {
                throw EventFault(
                    .notAnEvent,
                    """
                    no CloudEvent: the content-type is \(other.isEmpty ? "absent" : other), not application/cloudevents+json, \
                    and no header has the prefix ce-, cloudEvents: or cloudEvents_
                    """
                )
            }
            return try translate(attributes, message.body, mediaType, limits)
        }
    }

    /// JSON is read in UTF-8 alone, which US-ASCII is a part of.
    private static func check(_ mediaType: MediaType) throws(EventFault) {
        guard let charset = mediaType.charset, !["utf-8", "utf8", "us-ascii"].contains(charset) else { return }
        throw EventFault(.unsupportedEncoding, "the charset \(charset) is not read; send UTF-8")
    }

    /// The attributes among the headers; nil where there is none.
    private static func attributes(of headers: FieldTable?) throws(EventFault) -> [String: String]? {
        var attributes: [String: String] = [:]
        for header in headers?.entries ?? [] {
            let name = header.name.lowercased()
            guard let prefix = prefixes.first(where: { name.hasPrefix($0) }) else { continue }
            let attribute = String(name.dropFirst(prefix.count))
            guard header.value != .void else { continue }
            guard let text = text(of: header.value) else {
                throw EventFault(.invalidAttribute, "the header \(header.name) must be a string")
            }
            guard attribute != "data", attribute != "data_base64" else {
                throw EventFault(.invalidAttribute, "\(header.name): the data is the message's body")
            }
            guard attributes.updateValue(text, forKey: attribute) == nil else {
                throw EventFault(.duplicateKey, "the attribute \(attribute) is there twice")
            }
        }
        return attributes.isEmpty ? nil : attributes
    }

    /// A value in the words of CloudEvents; nil for what is no value of an attribute.
    private static func text(of value: FieldValue) -> String? {
        switch value {
        case .string(let text): text
        case .bytes(let bytes): String(validating: bytes, as: UTF8.self)
        case .boolean(let truth): truth ? "true" : "false"
        case .int8(let number): String(number)
        case .uint8(let number): String(number)
        case .int16(let number): String(number)
        case .uint16(let number): String(number)
        case .int32(let number): String(number)
        case .uint32(let number): String(number)
        case .int64(let number): String(number)
        case .timestamp(let seconds): Timestamp(milliseconds: Int64(clamping: seconds) &* 1_000).description
        case .float, .double, .decimal, .table, .array, .void: nil
        }
    }

    /// Writes in structured mode what came in binary mode.
    private static func translate(
        _ attributes: [String: String],
        _ data: [UInt8],
        _ mediaType: MediaType,
        _ limits: EventLimits
    ) throws(EventFault) -> [UInt8] {
        var attributes = attributes
        if !mediaType.text.isEmpty { attributes["datacontenttype"] = mediaType.text }
        var members = attributes.mapValues { JSONValue.string($0) }
        // Without a type it is JSON if it can be, as it would be in structured mode.
        let isJSON = mediaType.essence.isEmpty ? (try? JSONDocument(data)) != nil : Envelope.isJSON(mediaType.essence)
        if isJSON {
            try check(mediaType)
            // By itself first: it could close the object that it is put into, and go on with attributes.
            try Envelope.check(data, as: limits)
        } else if !data.isEmpty {
            if mediaType.essence.isEmpty { members["datacontenttype"] = .string("application/octet-stream") }
            members["data_base64"] = .string(Data(data).base64EncodedString())
        }
        do {
            var bytes = try StrictJSON.encode(JSONValue.object(members))
            if isJSON, !data.isEmpty {
                bytes.removeLast()
                bytes += Array(#","data":"#.utf8) + data + [UInt8(ascii: "}")]
            }
            return bytes
        } catch {
            throw EventFault(.invalidAttribute, "the attributes cannot be written as JSON: \(error)")
        }
    }
}

/// A content type, as far as it is of interest.
private struct MediaType {
    let text: String
    /// Type and subtype in lower case, without parameters.
    let essence: String
    /// In lower case.
    let charset: String?

    init(_ text: String) {
        self.text = text
        let blanks: Set<Character> = [" ", "\t", "\""]
        let parts: [String] = text.lowercased().split(separator: ";", omittingEmptySubsequences: false).map { part in
            part.filter { !blanks.contains($0) }
        }
        essence = parts.first ?? ""
        let name = "charset="
        charset = parts.dropFirst().first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
    }
}
