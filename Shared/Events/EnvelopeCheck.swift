#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// What a service is about to say, held to more than every reader holds it to.
extension Envelope {
    /// The longest attribute in bytes that is written: an AMQP property and a routing key hold no more.
    static let longestAttribute = 255
    /// The longest attribute in bytes that is read, but for the type.
    static let longestReadAttribute = 2_048

    /// The envelope as JSON bytes, if `init(decoding:limits:)` would read them.
    ///
    /// For the way out, where it costs next to nothing: attributes are looked at eight bytes at a time, and data for what its encoder
    /// can write: NUL and nesting.
    ///
    /// - Throws: `EventFault` that names what no subscriber could read.
    public func encoded(within limits: EventLimits) throws(EventFault) -> [UInt8] {
        try Self.check("id", id)
        try Self.check("source", source)
        try Self.check("type", type.rawValue)
        if let subject { try Self.check("subject", subject) }
        if let time { try Self.check("time", time) }
        if let correlationID { try Self.check("correlationid", correlationID) }
        if let causationID { try Self.check("causationid", causationID, most: Self.longestReadAttribute) }
        if let traceparent { try Self.check("traceparent", traceparent) }
        let bytes = encoded()
        guard bytes.count <= limits.size else {
            throw EventFault(
                .tooLarge,
                "\(type) has \(bytes.count) bytes, at most \(limits.size) are allowed"
            )
        }
        guard !Self.holdsNUL(data) else { throw EventFault(.nul, "the data of \(type) holds U+0000") }
        // The envelope is the first level.
        guard !Self.isDeeper(data, than: limits.depth - 1) else {
            throw EventFault(
                .tooDeep,
                "the data of \(type) is nested too deep, \(limits.depth) levels are allowed with the envelope's"
            )
        }
        return bytes
    }

    private static func check(
        _ name: StaticString,
        _ value: String,
        most: Int = longestAttribute
    ) throws(EventFault) {
        let count = value.utf8.count
        guard count > 0, count <= most else {
            throw EventFault(.invalidAttribute, "\(name) must have 1 to \(most) bytes, it has \(count)")
        }
        guard !isPrintableASCII(value), hasControls(value) else { return }
        throw EventFault(.invalidAttribute, "\(name) must not contain control characters")
    }

    /// Whether there is a scalar below U+0020 or from U+007F to U+009F; the latter's two bytes begin with C2.
    static func hasControls(_ text: String) -> Bool {
        var last: UInt8 = 0
        for byte in text.utf8 {
            if byte < 0x20 || byte == 0x7F || (last == 0xC2 && byte < 0xA0) { return true }
            last = byte
        }
        return false
    }

    /// Whether there are only bytes from 0x20 to 0x7E; false also where that is not easily told.
    private static func isPrintableASCII(_ text: String) -> Bool {
        text.utf8.withContiguousStorageIfAvailable { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            let ones: UInt64 = 0x0101_0101_0101_0101
            let highs: UInt64 = 0x8080_8080_8080_8080
            var position = 0
            var found: UInt64 = 0
            while position + 8 <= bytes.count {
                let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                // High already, 0x7F (one more makes it high), or less than 0x20 (as much less makes it high).
                found |= word | (word &+ ones) | (word &- ones &* 0x20)
                position += 8
            }
            guard found & highs == 0 else { return false }
            while position < bytes.count {
                guard bytes[position] &- 0x20 < 0x5F else { return false }
                position += 1
            }
            return true
        } ?? false
    }

    /// Whether JSON has an escaped NUL; a plain one is never written.
    private static func holdsNUL(_ json: [UInt8]) -> Bool {
        let escape: StaticString = "u0000"
        return json.withUnsafeBytes { json in
            guard let start = json.baseAddress else { return false }
            var position = 0
            while position < json.count,
                let found = memchr(start + position, Int32(UInt8(ascii: "\\")), json.count - position)
            {
                let next = UnsafeRawPointer(found) - start + 1
                if json.count - next >= escape.utf8CodeUnitCount,
                    memcmp(start + next, escape.utf8Start, escape.utf8CodeUnitCount) == 0
                {
                    return true
                }
                // What follows a backslash is escaped by it, another backslash too.
                position = next + 1
            }
            return false
        }
    }

    /// Whether JSON has more levels of nesting than that.
    private static func isDeeper(_ json: [UInt8], than limit: Int) -> Bool {
        json.withUnsafeBufferPointer { json in
            // Mostly there are not even so many objects and arrays; "[" and "{" are the two bytes that are 0x5B but for one bit.
            var opened = 0
            for byte in json { opened &+= (byte & 0xDF) == 0x5B ? 1 : 0 }
            guard opened > limit else { return false }
            var depth = 0
            var isText = false
            var position = 0
            while position < json.count {
                switch json[position] {
                case UInt8(ascii: "\\") where isText: position += 1
                case UInt8(ascii: "\""): isText.toggle()
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    if !isText { depth += 1 }
                    if depth > limit { return true }
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    if !isText { depth -= 1 }
                default: break
                }
                position += 1
            }
            return false
        }
    }
}
