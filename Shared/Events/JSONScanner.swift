/// Checks bytes from outside against RFC 8259 and this kit's rules in one pass, before anything is decoded.
///
/// It refuses what decoders let pass or take differently: duplicate names (also when escaped differently), NUL, invalid
/// UTF-8, lone surrogates, deep nesting, and integers written as `1e3` or `10.0`. It allocates for nothing but escaped
/// names and keeps what an envelope needs: the members of the outermost object.
struct JSONScanner {
    /// What a value is.
    enum Kind {
        case object
        case array
        case string
        case number
        case literal
    }

    /// A member of the outermost object: its name and where its value lies.
    struct Member {
        var name: String
        var kind: Kind
        var range: Range<Int>
    }

    private let bytes: [UInt8]
    private let maximumDepth: Int
    private var position = 0
    private(set) var members: [Member] = []

    init(_ bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    /// Checks the whole text.
    /// - Returns: what the outermost value is; when it is an object, `members` holds its members.
    mutating func scan() throws(EventFault) -> Kind {
        members.reserveCapacity(16)
        skipSpace()
        let kind = try value(depth: 1)
        skipSpace()
        guard position == bytes.count else { throw malformed("something follows the end of the value") }
        return kind
    }

    private mutating func value(depth: Int) throws(EventFault) -> Kind {
        guard position < bytes.count else { throw malformed("the text ends where a value is expected") }
        switch bytes[position] {
        case UInt8(ascii: "{"):
            try object(depth: depth)
            return .object
        case UInt8(ascii: "["):
            try array(depth: depth)
            return .array
        case UInt8(ascii: "\""):
            _ = try string()
            return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number()
            return .number
        case UInt8(ascii: "t"):
            try literal("true")
            return .literal
        case UInt8(ascii: "f"):
            try literal("false")
            return .literal
        case UInt8(ascii: "n"):
            try literal("null")
            return .literal
        default:
            throw malformed("unexpected character where a value is expected")
        }
    }

    private mutating func object(depth: Int) throws(EventFault) {
        guard depth <= maximumDepth else { throw tooDeep }
        position += 1
        var names = NameSet()
        skipSpace()
        if consume(UInt8(ascii: "}")) { return }
        while true {
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw malformed("a name in double quotes is expected")
            }
            let start = position + 1
            let hasEscapes = try string()
            let raw = start..<(position - 1)
            let fingerprint: UInt64
            if hasEscapes {
                fingerprint = NameSet.fingerprint(Array(JSONText.unescape(bytes[raw]).utf8)[...])
            } else {
                fingerprint = NameSet.fingerprint(bytes[raw])
            }
            guard names.insert(fingerprint) else {
                throw EventFault(
                    .duplicateKey,
                    "the name \"\(JSONText.unescape(bytes[raw].prefix(100)))\" occurs twice in one object"
                )
            }
            skipSpace()
            guard consume(UInt8(ascii: ":")) else { throw malformed("a colon is expected after a name") }
            skipSpace()
            let valueStart = position
            let kind = try value(depth: depth + 1)
            if depth == 1 {
                members.append(Member(name: JSONText.unescape(bytes[raw]), kind: kind, range: valueStart..<position))
            }
            skipSpace()
            if consume(UInt8(ascii: "}")) { return }
            guard consume(UInt8(ascii: ",")) else { throw malformed("a comma or a closing brace is expected") }
            skipSpace()
        }
    }

    private mutating func array(depth: Int) throws(EventFault) {
        guard depth <= maximumDepth else { throw tooDeep }
        position += 1
        skipSpace()
        if consume(UInt8(ascii: "]")) { return }
        while true {
            _ = try value(depth: depth + 1)
            skipSpace()
            if consume(UInt8(ascii: "]")) { return }
            guard consume(UInt8(ascii: ",")) else { throw malformed("a comma or a closing bracket is expected") }
            skipSpace()
        }
    }

    /// Passes over a string, the quotes included, and says whether it holds escapes.
    private mutating func string() throws(EventFault) -> Bool {
        position += 1
        var hasEscapes = false
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            case 0:
                throw EventFault(.nul, "a NUL at byte \(position)")
            case 1..<0x20:
                throw malformed("a control character in a string must be escaped")
            case 0x20..<0x80:
                position += 1
            default:
                try multibyte()
            }
        }
        throw malformed("the text ends inside a string")
    }

    private mutating func escape() throws(EventFault) {
        guard position + 1 < bytes.count else { throw malformed("the text ends inside a string") }
        switch bytes[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            let unit = try codeUnit(at: position + 2)
            guard unit != 0 else { throw EventFault(.nul, "an escaped NUL at byte \(position)") }
            position += 6
            if unit & 0xFC00 == 0xD800 {
                guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
                    bytes[position + 1] == UInt8(ascii: "u"),
                    try codeUnit(at: position + 2) & 0xFC00 == 0xDC00
                else { throw malformed("half of a surrogate pair") }
                position += 6
            } else if unit & 0xFC00 == 0xDC00 {
                throw malformed("half of a surrogate pair")
            }
        default:
            throw malformed("an unknown escape")
        }
    }

    private func codeUnit(at start: Int) throws(EventFault) -> UInt16 {
        guard start + 4 <= bytes.count else { throw malformed("the text ends inside a string") }
        var unit: UInt16 = 0
        for byte in bytes[start..<start + 4] {
            guard let digit = JSONText.hexadecimal(byte) else {
                throw malformed("four hexadecimal digits are expected")
            }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }

    /// One scalar of two to four bytes, by the table of the Unicode Standard (3-7, well-formed UTF-8).
    private mutating func multibyte() throws(EventFault) {
        let first = bytes[position]
        let second: ClosedRange<UInt8>
        let count: Int
        switch first {
        case 0xC2...0xDF: (count, second) = (2, 0x80...0xBF)
        case 0xE0: (count, second) = (3, 0xA0...0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: (count, second) = (3, 0x80...0xBF)
        case 0xED: (count, second) = (3, 0x80...0x9F)
        case 0xF0: (count, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (count, second) = (4, 0x80...0xBF)
        case 0xF4: (count, second) = (4, 0x80...0x8F)
        default: throw invalidUTF8
        }
        guard position + count <= bytes.count, second.contains(bytes[position + 1]) else { throw invalidUTF8 }
        for byte in bytes[position + 2..<position + count] where byte & 0xC0 != 0x80 { throw invalidUTF8 }
        position += count
    }

    private mutating func number() throws(EventFault) {
        let start = position
        _ = consume(UInt8(ascii: "-"))
        guard position < bytes.count, isDigit(bytes[position]) else { throw malformed("a digit is expected") }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            skipDigits()
        }
        var isInteger = true
        var fractionIsZero = true
        var exponent = false
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            isInteger = false
            position += 1
            let digits = position
            skipDigits()
            guard position > digits else { throw malformed("a digit is expected after the decimal point") }
            fractionIsZero = bytes[digits..<position].allSatisfy { $0 == UInt8(ascii: "0") }
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            isInteger = false
            exponent = true
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            let digits = position
            skipDigits()
            guard position > digits else { throw malformed("a digit is expected in the exponent") }
        }
        if isInteger { return }
        // A decoder would take these for integers; whoever wrote them may have rounded.
        var isIntegral = fractionIsZero && !exponent
        if exponent, let value = Double(String(decoding: bytes[start..<position], as: UTF8.self)) {
            guard value.isFinite else { throw malformed("a number is out of range") }
            isIntegral = value == value.rounded()
        }
        if isIntegral {
            throw EventFault(
                .inexactInteger,
                "the whole number at byte \(start) must be written without a fraction or an exponent"
            )
        }
    }

    private mutating func literal(_ text: StaticString) throws(EventFault) {
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { throw malformed("an unknown word") }
        for index in 0..<count where text.utf8Start[index] != bytes[position + index] {
            throw malformed("an unknown word")
        }
        position += count
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func skipDigits() {
        while position < bytes.count, isDigit(bytes[position]) { position += 1 }
    }

    private mutating func consume(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

    private func malformed(_ detail: String) -> EventFault {
        if position < bytes.count, bytes[position] == 0 {
            return EventFault(.nul, "a NUL at byte \(position)")
        }
        if position < bytes.count, bytes[position] >= 0x80 {
            return EventFault(.malformed, "a character outside of ASCII at byte \(position) that is not in a string")
        }
        return EventFault(.malformed, "\(detail), at byte \(position)")
    }

    private var tooDeep: EventFault {
        EventFault(.tooDeep, "more than \(maximumDepth) levels of nesting at byte \(position)")
    }

    private var invalidUTF8: EventFault {
        EventFault(.invalidUTF8, "byte \(position) does not belong to UTF-8")
    }
}

/// The names of one object, as 64-bit fingerprints: quick for a few, linear for very many.
private struct NameSet {
    private var few: [UInt64] = []
    private var many: Set<UInt64> = []

    mutating func insert(_ fingerprint: UInt64) -> Bool {
        if !many.isEmpty { return many.insert(fingerprint).inserted }
        if few.contains(fingerprint) { return false }
        few.append(fingerprint)
        if few.count > 24 { many = Set(few) }
        return true
    }

    /// FNV-1a.
    ///
    /// Two names that collide can only make their own message refused.
    static func fingerprint(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return hash
    }
}
