internal import FoundationEssentials
internal import JSON
import Telemetry

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// Envelopes in structured mode, the JSON format of CloudEvents 1.0, to and from bytes.
///
/// Decoding is hostile-input code: everything that `JSONDocument` refuses, and every attribute that is missing or not
/// what CloudEvents allows, is a fault that names it. An attribute has at most 2,048 bytes, the type, which is a routing
/// key, 255. Subject, time and data may be absent, and so may what this kit says in extensions: one that it knows, but has
/// another form than the kit gives it, is a foreign extension and kept as such. Only a trace context that is not
/// valid is dropped.
extension Envelope {
    /// Reads an event.
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
            throw EventFault(error, in: bytes)
        }
        guard document.kind == .object else {
            guard document.kind == .array else { throw EventFault(.malformed, "a JSON object is expected") }
            throw EventFault(.batch, "an array of events; each has to be a message of its own")
        }
        // In the order in which `encoded` writes them, so that each is found at once.
        var attributes = Attributes(document: document)
        let version = try attributes.required("specversion")
        guard version == "1.0" else {
            throw EventFault(.invalidAttribute, "specversion must be 1.0, it is \(version)")
        }
        let id = try attributes.required("id")
        let source = try attributes.required("source")
        let type = EventType(rawValue: try attributes.required("type", most: Envelope.longestAttribute))
        let subject = try attributes.optional("subject")
        let time = try attributes.optional("time")
        if let time, Timestamp(rfc3339: time)?.milliseconds == nil {
            throw EventFault(.invalidAttribute, "time must be an RFC 3339 time, it is \(time)")
        }
        let dataContentType = try attributes.optional("datacontenttype")
        let sequence = attributes.known("sequence").flatMap(Envelope.number)
        let correlationID = attributes.known("correlationid", most: Envelope.longestAttribute)
        let causationID = attributes.known("causationid")
        let traceparent = attributes.known("traceparent").flatMap(Envelope.traceContext)
        let data = try attributes.data(isJSON: dataContentType.map(Envelope.isJSON) ?? true, depth: limits.depth - 1)
        var foreign: [String: JSONValue] = [:]
        if attributes.hasMore || (sequence == nil && attributes.has("sequence")) {
            var named = Attributes.core
            if sequence != nil { named.insert("sequence") }
            if correlationID != nil { named.insert("correlationid") }
            if causationID != nil { named.insert("causationid") }
            foreign = try document.extensions(but: named)
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
            dataContentType: dataContentType ?? Envelope.json,
            data: data,
            extensions: foreign
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
        attribute(",\"datacontenttype\":", dataContentType)
        attribute(",\"sequence\":", sequence.map(Envelope.paddedSequence))
        attribute(",\"correlationid\":", correlationID)
        attribute(",\"causationid\":", causationID)
        attribute(",\"traceparent\":", traceparent)
        for (name, value) in extensions.sorted(by: { $0.key < $1.key }) where !isSaid(name) {
            // Every value that was read can be written.
            guard let json = try? StrictJSON.encode(value) else { continue }
            literal(",")
            JSONText.append(name, to: &bytes)
            literal(":")
            bytes.append(contentsOf: json)
        }
        if !hasJSONData {
            if !data.isEmpty { attribute(",\"data_base64\":", Data(data).base64EncodedString()) }
        } else if !data.isEmpty {
            literal(",\"data\":")
            bytes.append(contentsOf: data)
        }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// Whether an attribute of that name is written already.
    private func isSaid(_ name: String) -> Bool {
        switch name {
        case "sequence": sequence != nil
        case "correlationid": correlationID != nil
        case "causationid": causationID != nil
        case "traceparent": true
        default: Attributes.core.contains(name)
        }
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

    /// Whether a media type is JSON's: `*/json` or `*/*+json`, whatever its parameters (CloudEvents, JSON format, 3.1.1).
    public static func isJSON(_ mediaType: String) -> Bool {
        if mediaType == json { return true }
        let essence = mediaType.prefix { $0 != ";" && $0 != " " }.lowercased()
        return essence.hasSuffix("/json") || (essence.contains("/") && essence.hasSuffix("+json"))
    }

    /// A trace context that may be passed on; one of a version to come is read as far as ours goes.
    private static func traceContext(_ text: String) -> String? {
        Traceparent(text).map { text.utf8.count == 55 ? text : $0.description }
    }

    /// A sequence number, where the text is one: others count in their own ways.
    private static func number(_ text: String) -> UInt64? {
        guard text.utf8.allSatisfy({ $0 &- 0x30 < 10 }), let value = Int64(text) else { return nil }
        return UInt64(value)
    }
}

/// The attributes of an event that is being read.
private struct Attributes {
    /// What no extension is called.
    static let core: Set<String> = [
        "specversion", "id", "source", "type", "subject", "time", "datacontenttype", "traceparent", "data",
        "data_base64",
    ]

    let document: JSONDocument
    private var cursor = JSONDocument.MemberCursor()
    private var found = 0
    private var isForeign = false

    init(document: JSONDocument) {
        self.document = document
    }

    /// Whether there are attributes that were not asked for, or have another form.
    var hasMore: Bool { isForeign || found < document.memberCount }

    func has(_ name: StaticString) -> Bool {
        document.member(name).map { $0.kind != .null } ?? false
    }

    private mutating func member(_ name: StaticString) -> JSONDocument.Member? {
        guard let member = document.member(name, after: &cursor) else { return nil }
        found += 1
        return member
    }

    mutating func optional(
        _ name: StaticString,
        most: Int = Envelope.longestReadAttribute
    ) throws(EventFault) -> String? {
        guard let member = member(name), member.kind != .null else { return nil }
        guard let value = document.string(of: member) else {
            throw EventFault(.invalidAttribute, "\(name) must be a string")
        }
        guard !value.isEmpty, value.utf8.count <= most else {
            throw EventFault(.invalidAttribute, "\(name) must have 1 to \(most) bytes, it has \(value.utf8.count)")
        }
        guard isFreeOfControls(member, value) else {
            throw EventFault(.invalidAttribute, "\(name) must not contain control characters")
        }
        return value
    }

    mutating func required(
        _ name: StaticString,
        most: Int = Envelope.longestReadAttribute
    ) throws(EventFault) -> String {
        guard let value = try optional(name, most: most) else {
            throw EventFault(.missingAttribute, "\(name) is missing")
        }
        return value
    }

    /// An extension that the kit knows, where it has the kit's form.
    mutating func known(_ name: StaticString, most: Int = Envelope.longestReadAttribute) -> String? {
        guard let member = member(name), member.kind != .null else { return nil }
        guard let value = document.string(of: member), !value.isEmpty, value.utf8.count <= most,
            isFreeOfControls(member, value)
        else {
            isForeign = true
            return nil
        }
        return value
    }

    private func isFreeOfControls(_ member: JSONDocument.Member, _ value: String) -> Bool {
        document.isPrintableASCII(member) || !Envelope.hasControls(value)
    }

    /// The payload; empty without one.
    mutating func data(isJSON: Bool, depth: Int) throws(EventFault) -> [UInt8] {
        let member = member("data")
        // Only where it can be: nobody looks for it otherwise.
        if found < document.memberCount, let encoded = document.member("data_base64"), encoded.kind != .null {
            guard member.map({ $0.kind == .null }) ?? true else {
                throw EventFault(.invalidAttribute, "data and data_base64 exclude each other")
            }
            guard let text = document.string(of: encoded), let decoded = Data(base64Encoded: text) else {
                throw EventFault(.invalidAttribute, "data_base64 must be a string of Base64")
            }
            return try Envelope.checked(Array(decoded), isJSON: isJSON, depth: depth)
        }
        guard let member else { return [] }
        if isJSON { return Array(document.text(of: member)) }
        guard member.kind != .null else { return [] }
        guard let text = document.string(of: member) else {
            throw EventFault(.invalidAttribute, "data must be a string where datacontenttype is not JSON's")
        }
        return Array(text.utf8)
    }
}

extension Envelope {
    /// Holds data, as the bytes of a JSON value, to what it may be inside of an event.
    ///
    /// - Throws: `EventFault`.
    public static func check(_ data: [UInt8], as limits: EventLimits) throws(EventFault) {
        _ = try checked(data, isJSON: true, depth: limits.depth - 1)
    }

    /// Data that came as bytes: where it is to be JSON, it is, and no deeper than allowed.
    static func checked(_ data: [UInt8], isJSON: Bool, depth: Int) throws(EventFault) -> [UInt8] {
        guard isJSON, !data.isEmpty else { return data }
        do throws(JSONFault) {
            _ = try JSONDocument(data, maximumDepth: depth)
        } catch {
            let fault = EventFault(error, in: data)
            throw EventFault(fault.code, "data: \(fault.detail)")
        }
        return data
    }
}

extension JSONDocument {
    /// The members of the outermost object that are not null and have another name, as values.
    fileprivate func extensions(but names: Set<String>) throws(EventFault) -> [String: JSONValue] {
        var extensions: [String: JSONValue] = [:]
        for (name, member) in members where member.kind != .null && !names.contains(name) {
            do {
                extensions[name] = Self.canonical(try JSONValue(parsing: Array(text(of: member))))
            } catch {
                throw EventFault(.invalidAttribute, "\(name) cannot be read: \(error)")
            }
        }
        return extensions
    }

    /// The same value, with one form for each number, however it was written: `2.5e3` is 2500, as it is written again.
    private static func canonical(_ value: JSONValue) -> JSONValue {
        switch value {
        case .number(let number) where number == number.rounded() && abs(number) < 0x1p63: .integer(Int64(number))
        case .array(let elements): .array(elements.map(canonical))
        case .object(let members): .object(members.mapValues(canonical))
        default: value
        }
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

    /// The same, or what the bytes are instead of JSON in UTF-8, where that can be told from how they begin.
    init(_ fault: JSONFault, in bytes: [UInt8]) {
        let cause: String? =
            if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
                "it begins with a byte-order mark, which JSON must not have (RFC 8259, section 8.1)"
            } else if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF])
                || (bytes.count > 1 && (bytes[0] == 0) != (bytes[1] == 0))
            {
                "it seems to be UTF-16 or UTF-32; only UTF-8 is read"
            } else if bytes.starts(with: [0x1F, 0x8B]) {
                "it is compressed (gzip); send it as it is"
            } else if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
                "it is compressed (Zstandard); send it as it is"
            } else {
                nil
            }
        if let cause { self.init(.unsupportedEncoding, cause) } else { self.init(fault) }
    }
}
