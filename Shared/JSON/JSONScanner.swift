/// Checks a text against RFC 8259 and this module's rules in one pass, and indexes it.
///
/// It refuses what decoders let pass or take differently: duplicate names (also when escaped differently), NUL, invalid
/// UTF-8, lone surrogates and deep nesting. Beside the index it allocates for escaped names and large objects only.
struct JSONScanner {
    private let bytes: [UInt8]
    private let maximumDepth: Int
    private var position = 0
    private var nodes: [JSONDocument.Node] = []
    /// The fingerprints of the names of the objects that are open, the innermost last.
    private var names: [UInt64] = []

    init(_ bytes: [UInt8], maximumDepth: Int) {
        self.bytes = bytes
        self.maximumDepth = maximumDepth
    }

    /// Checks the whole text.
    ///
    /// - Returns: the index; the first node is the outermost value.
    mutating func scan() throws(JSONFault) -> [JSONDocument.Node] {
        nodes.reserveCapacity(16 + bytes.count / 24)
        names.reserveCapacity(32)
        skipSpace()
        try value(depth: 1)
        skipSpace()
        guard position == bytes.count else { throw malformed("something follows the end of the value") }
        return nodes
    }

    /// Opens a node; `close` says where it ends.
    private mutating func open(_ kind: JSONDocument.Kind) -> Int {
        nodes.append(.init(kind: kind, start: UInt32(position), end: 0, next: 0, count: 0))
        return nodes.count - 1
    }

    private mutating func close(_ node: Int, end: Int, count: Int = 0) {
        nodes[node].end = UInt32(end)
        nodes[node].next = UInt32(nodes.count)
        nodes[node].count = UInt32(count)
    }

    private mutating func value(depth: Int) throws(JSONFault) {
        guard position < bytes.count else { throw malformed("the text ends where a value is expected") }
        switch bytes[position] {
        case UInt8(ascii: "{"):
            try object(depth: depth)
        case UInt8(ascii: "["):
            try array(depth: depth)
        case UInt8(ascii: "\""):
            _ = try string()
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number()
        case UInt8(ascii: "t"):
            try literal("true", .yes)
        case UInt8(ascii: "f"):
            try literal("false", .no)
        case UInt8(ascii: "n"):
            try literal("null", .null)
        default:
            throw malformed("unexpected character where a value is expected")
        }
    }

    private mutating func object(depth: Int) throws(JSONFault) {
        guard depth <= maximumDepth else { throw tooDeep }
        let node = open(.object)
        position += 1
        var object = NameSet(after: names)
        var count = 0
        skipSpace()
        if consume(UInt8(ascii: "}")) { return close(node, end: position) }
        while true {
            guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else {
                throw malformed("a name in double quotes is expected")
            }
            let start = position + 1
            let hasEscapes = try string()
            let raw = start..<(position - 1)
            let fingerprint =
                hasEscapes
                ? NameSet.fingerprint(Array(JSONText.unescape(bytes[raw]).utf8)[...]) : NameSet.fingerprint(bytes[raw])
            guard object.insert(fingerprint, into: &names) else {
                throw JSONFault(
                    .duplicateKey,
                    "the name \"\(JSONText.unescape(bytes[raw].prefix(100)))\" occurs twice in one object",
                    at: start - 1
                )
            }
            skipSpace()
            guard consume(UInt8(ascii: ":")) else { throw malformed("a colon is expected after a name") }
            skipSpace()
            try value(depth: depth + 1)
            count += 1
            skipSpace()
            if consume(UInt8(ascii: "}")) {
                object.leave(&names)
                return close(node, end: position, count: count)
            }
            guard consume(UInt8(ascii: ",")) else { throw malformed("a comma or a closing brace is expected") }
            skipSpace()
        }
    }

    private mutating func array(depth: Int) throws(JSONFault) {
        guard depth <= maximumDepth else { throw tooDeep }
        let node = open(.array)
        position += 1
        var count = 0
        skipSpace()
        if consume(UInt8(ascii: "]")) { return close(node, end: position) }
        while true {
            try value(depth: depth + 1)
            count += 1
            skipSpace()
            if consume(UInt8(ascii: "]")) { return close(node, end: position, count: count) }
            guard consume(UInt8(ascii: ",")) else { throw malformed("a comma or a closing bracket is expected") }
            skipSpace()
        }
    }

    /// Indexes a string, and says whether it holds escapes.
    private mutating func string() throws(JSONFault) -> Bool {
        position += 1
        let node = open(.plainString)
        var hasEscapes = false
        while position < bytes.count {
            position = bytes.withUnsafeBytes { JSONText.endOfPlain($0, from: position, highIsPlain: false) }
            guard position < bytes.count else { break }
            let byte = bytes[position]
            switch byte {
            case UInt8(ascii: "\""):
                if hasEscapes { nodes[node].kind = .escapedString }
                close(node, end: position)
                position += 1
                return hasEscapes
            case UInt8(ascii: "\\"):
                hasEscapes = true
                try escape()
            case 0:
                throw JSONFault(.nul, "there is a NUL", at: position)
            case 1..<0x20:
                throw malformed("a control character in a string must be escaped")
            default:
                try multibyte()
            }
        }
        throw malformed("the text ends inside a string")
    }

    private mutating func escape() throws(JSONFault) {
        guard position + 1 < bytes.count else { throw malformed("the text ends inside a string") }
        switch bytes[position + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            position += 2
        case UInt8(ascii: "u"):
            let unit = try codeUnit(at: position + 2)
            guard unit != 0 else { throw JSONFault(.nul, "there is an escaped NUL", at: position) }
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

    private func codeUnit(at start: Int) throws(JSONFault) -> UInt16 {
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
    private mutating func multibyte() throws(JSONFault) {
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

    private mutating func number() throws(JSONFault) {
        let node = open(.integer)
        _ = consume(UInt8(ascii: "-"))
        guard position < bytes.count, isDigit(bytes[position]) else { throw malformed("a digit is expected") }
        if bytes[position] == UInt8(ascii: "0") {
            position += 1
        } else {
            skipDigits()
        }
        if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
            nodes[node].kind = .real
            position += 1
            try digits("a digit is expected after the decimal point")
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            nodes[node].kind = .real
            position += 1
            if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
                position += 1
            }
            try digits("a digit is expected in the exponent")
        }
        close(node, end: position)
    }

    private mutating func digits(_ reason: String) throws(JSONFault) {
        guard position < bytes.count, isDigit(bytes[position]) else { throw malformed(reason) }
        skipDigits()
    }

    private mutating func literal(_ text: StaticString, _ kind: JSONDocument.Kind) throws(JSONFault) {
        let node = open(kind)
        let count = text.utf8CodeUnitCount
        guard position + count <= bytes.count else { throw malformed("an unknown word") }
        for index in 0..<count where text.utf8Start[index] != bytes[position + index] {
            throw malformed("an unknown word")
        }
        position += count
        close(node, end: position)
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

    private func malformed(_ reason: String) -> JSONFault {
        if position < bytes.count, bytes[position] == 0 {
            return JSONFault(.nul, "there is a NUL", at: position)
        }
        if position < bytes.count, bytes[position] >= 0x80 {
            return JSONFault(.malformed, "a character outside of ASCII stands outside of a string", at: position)
        }
        return JSONFault(.malformed, reason, at: position)
    }

    private var tooDeep: JSONFault {
        JSONFault(.tooDeep, "there are more than \(maximumDepth) levels of nesting", at: position)
    }

    private var invalidUTF8: JSONFault {
        JSONFault(.invalidUTF8, "there is a byte that does not belong to UTF-8", at: position)
    }
}

/// The names of one object, as 64-bit fingerprints: quick for a few, linear for very many.
private struct NameSet {
    /// More are kept in a set.
    private static let few = 24

    /// Where those of this object begin among all.
    private let start: Int
    private var many: Set<UInt64> = []

    init(after names: [UInt64]) {
        start = names.count
    }

    mutating func insert(_ fingerprint: UInt64, into names: inout [UInt64]) -> Bool {
        if !many.isEmpty { return many.insert(fingerprint).inserted }
        for index in start..<names.count where names[index] == fingerprint { return false }
        names.append(fingerprint)
        if names.count - start > Self.few { many = Set(names[start...]) }
        return true
    }

    /// The object has ended.
    func leave(_ names: inout [UInt64]) {
        names.removeLast(names.count - start)
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
