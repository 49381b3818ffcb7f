import JSON
import Telemetry

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Envelopes to and from bytes.
///
/// Decoding is hostile-input code: everything that `JSONDocument` refuses, and every attribute that is missing or not
/// what CloudEvents 1.0 and this kit's profile allow, is a fault that names it. The profile requires `subject`, `time`
/// and a JSON `data` beside the attributes that CloudEvents requires, and bounds each attribute to 255 bytes without
/// control characters, which is what an AMQP property can hold. Unknown attributes are passed over.
extension Envelope {
    /// Reads an envelope.
    ///
    /// - Throws: the first `EventFault` found.
    public init(decoding bytes: [UInt8], limits: EventLimits = .standard) throws(EventFault) {
        guard bytes.count <= limits.size else {
            throw EventFault(.tooLarge, "\(bytes.count) bytes, at most \(limits.size) are allowed")
        }
        let document: JSONDocument
        do throws(JSONFault) {
            document = try JSONDocument(bytes, maximumDepth: limits.depth)
        } catch {
            throw EventFault(error)
        }
        guard document.kind == .object else {
            throw EventFault(.malformed, "a JSON object is expected")
        }
        // In the order in which `encoded` writes them, so that each is found at once.
        var attributes = Attributes(document: document)
        let version = try attributes.required("specversion")
        guard version == "1.0" else {
            throw EventFault(.invalidAttribute, "specversion must be 1.0, it is \(version)")
        }
        let id = try attributes.required("id")
        let source = try attributes.required("source")
        let type = EventType(rawValue: try attributes.required("type"))
        let subject = try attributes.required("subject")
        let time = try attributes.required("time")
        guard Timestamp(rfc3339: time)?.milliseconds != nil else {
            throw EventFault(.invalidAttribute, "time must be an RFC 3339 time, it is \(time)")
        }
        if let kind = try attributes.optional("datacontenttype"), !Envelope.isJSON(kind) {
            throw EventFault(.invalidAttribute, "datacontenttype must be application/json, it is \(kind)")
        }
        let sequence = try attributes.sequence()
        let correlationID = try attributes.optional("correlationid")
        let causationID = try attributes.optional("causationid")
        let traceparent = try attributes.optional("traceparent")
        guard let data = attributes.member("data") else {
            throw EventFault(.missingAttribute, "data is missing")
        }
        self.init(
            id: id,
            source: source,
            type: type,
            subject: subject,
            time: time,
            sequence: sequence,
            correlationID: correlationID,
            causationID: causationID,
            traceparent: traceparent,
            data: Array(document.text(of: data))
        )
    }

    /// The envelope as JSON bytes.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(data.count + 512)
        func literal(_ text: StaticString) {
            bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
        }
        func attribute(_ name: StaticString, _ value: String?) {
            guard let value else { return }
            literal(name)
            JSONText.append(value, to: &bytes)
        }
        attribute("{\"specversion\":\"1.0\",\"id\":", id)
        attribute(",\"source\":", source)
        attribute(",\"type\":", type.rawValue)
        attribute(",\"subject\":", subject)
        attribute(",\"time\":", time)
        literal(",\"datacontenttype\":\"application/json\"")
        attribute(",\"sequence\":", sequence.map(Envelope.paddedSequence))
        attribute(",\"correlationid\":", correlationID)
        attribute(",\"causationid\":", causationID)
        attribute(",\"traceparent\":", traceparent)
        literal(",\"data\":")
        bytes.append(contentsOf: data)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// One attribute of bytes that `encoded` made; nothing else of them is looked at.
    ///
    /// - Returns: nil when the envelope has no such attribute.
    public static func attribute(_ name: StaticString, ofEncoded bytes: [UInt8]) -> String? {
        bytes.withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return nil }
            /// Where the next such byte is.
            func next(_ byte: StaticString, from position: Int) -> Int? {
                memchr(start + position, Int32(byte.utf8Start.pointee), bytes.count - position).map { found in
                    UnsafePointer(found.assumingMemoryBound(to: UInt8.self)) - start
                }
            }
            /// Where the value of a member begins whose comma is at that position.
            func value(of name: StaticString, at comma: Int) -> Int? {
                let length = name.utf8CodeUnitCount
                guard comma + length + 3 < bytes.count, bytes[comma + 1] == UInt8(ascii: "\""),
                    memcmp(start + comma + 2, name.utf8Start, length) == 0,
                    bytes[comma + 2 + length] == UInt8(ascii: "\""), bytes[comma + 3 + length] == UInt8(ascii: ":")
                else { return nil }
                return comma + 4 + length
            }
            // `encoded` writes the attributes before the data, and no quote inside a string without its backslash.
            var position = 0
            while let comma = next(",", from: position) {
                position = comma + 1
                if value(of: "data", at: comma) != nil { return nil }
                guard let quote = value(of: name, at: comma) else { continue }
                var end = quote + 1
                while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
                    end += bytes[end] == UInt8(ascii: "\\") ? 2 : 1
                }
                guard end < bytes.count else { return nil }
                return JSONText.unescape(Array(bytes[quote + 1..<end])[...])
            }
            return nil
        }
    }

    /// A sequence number as the attribute has it: 20 digits, so that texts sort as numbers do.
    public static func paddedSequence(_ sequence: UInt64) -> String {
        // 20 digits hold every UInt64.
        String(unsafeUninitializedCapacity: 20) { digits in
            var rest = sequence
            for index in (0..<20).reversed() {
                digits[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
            return 20
        }
    }

    /// Whether a media type is JSON in UTF-8.
    static func isJSON(_ mediaType: String) -> Bool {
        if mediaType == "application/json" { return true }
        let essence = mediaType.prefix { $0 != ";" }.lowercased()
        return essence == "application/json" || essence.hasSuffix("+json")
    }
}

/// The attributes of an envelope that is being read.
private struct Attributes {
    let document: JSONDocument
    private var cursor = JSONDocument.MemberCursor()

    init(document: JSONDocument) {
        self.document = document
    }

    mutating func member(_ name: StaticString) -> JSONDocument.Member? {
        document.member(name, after: &cursor)
    }

    mutating func optional(_ name: StaticString) throws(EventFault) -> String? {
        guard let member = member(name), member.kind != .null else { return nil }
        guard let value = document.string(of: member) else {
            throw EventFault(.invalidAttribute, "\(name) must be a string")
        }
        guard !value.isEmpty, value.utf8.count <= 255 else {
            throw EventFault(.invalidAttribute, "\(name) must have 1 to 255 bytes, it has \(value.utf8.count)")
        }
        guard document.isPrintableASCII(member) || !Envelope.hasControls(value) else {
            throw EventFault(.invalidAttribute, "\(name) must not contain control characters")
        }
        return value
    }

    mutating func required(_ name: StaticString) throws(EventFault) -> String {
        guard let value = try optional(name) else {
            throw EventFault(.missingAttribute, "\(name) is missing")
        }
        return value
    }

    mutating func sequence() throws(EventFault) -> UInt64? {
        guard let text = try optional("sequence") else { return nil }
        guard text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let value = UInt64(text), value <= UInt64(Int64.max) else {
            throw EventFault(.invalidAttribute, "sequence must be a decimal number, it is \(text)")
        }
        return value
    }
}

extension EventFault {
    /// What is wrong with the text.
    init(_ fault: JSONFault) {
        let code: Code =
            switch fault.code {
            case .malformed: .malformed
            case .invalidUTF8: .invalidUTF8
            case .duplicateKey: .duplicateKey
            case .nul: .nul
            case .tooDeep: .tooDeep
            }
        self.init(code, fault.description)
    }
}
