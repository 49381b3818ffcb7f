/// What is wrong with bytes that should be JSON, and where.
struct JSONFault: Error, Equatable {
    /// What is wrong, as the end of a sentence.
    let reason: String
    /// The byte at which it was found, from 0.
    let offset: Int
}

/// Checks that bytes are strict JSON (RFC 8259) before they are decoded.
///
/// `JSONDecoder` takes the first of duplicate keys, lets NUL pass and goes 512 levels deep; what one reader takes for the
/// first and another for the last value is how checks are passed by. Refused are: duplicate keys (compared after their
/// escapes are undone), more than `maximumDepth` levels, NUL in any form, lone surrogates, invalid UTF-8, a byte order
/// mark, and whatever else the grammar does not allow.
struct JSONScanner {
    /// The deepest nesting of arrays and objects that is let through.
    static let maximumDepth = 32

    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0
    private var numbers: [Range<Int>] = []

    /// Checks the bytes.
    ///
    /// - Returns: where the numbers are, in order.
    /// - Throws: `JSONFault` for the first fault.
    @discardableResult
    static func check(_ bytes: [UInt8]) throws(JSONFault) -> [Range<Int>] {
        var scanner = JSONScanner(bytes: bytes)
        scanner.skipSpace()
        try scanner.value()
        scanner.skipSpace()
        guard scanner.offset == bytes.count else { throw scanner.fault("there is more after the value") }
        return scanner.numbers
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func fault(_ reason: String) -> JSONFault { JSONFault(reason: reason, offset: offset) }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func value() throws(JSONFault) {
        switch current {
        case UInt8(ascii: "{"): try object()
        case UInt8(ascii: "["): try array()
        case UInt8(ascii: "\""): _ = try string(keep: false)
        case UInt8(ascii: "t"): try literal("true")
        case UInt8(ascii: "f"): try literal("false")
        case UInt8(ascii: "n"): try literal("null")
        case let byte? where byte == UInt8(ascii: "-") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte):
            try number()
        case nil: throw fault("it ends where a value is expected")
        default: throw fault("a value is expected")
        }
    }

    private mutating func enter() throws(JSONFault) {
        depth += 1
        guard depth <= Self.maximumDepth else { throw fault("it is nested deeper than \(Self.maximumDepth) levels") }
        offset += 1
        skipSpace()
    }

    private mutating func object() throws(JSONFault) {
        try enter()
        var keys: Set<[UInt8]> = []
        while current != UInt8(ascii: "}") {
            if !keys.isEmpty {
                try expect(",", "a comma or a closing brace is expected")
                skipSpace()
            }
            guard current == UInt8(ascii: "\"") else { throw fault("a key in quotes is expected") }
            let start = offset
            let key = try string(keep: true)
            guard keys.insert(key).inserted else {
                throw JSONFault(
                    reason: "the key \"\(String(decoding: key, as: UTF8.self))\" occurs twice",
                    offset: start
                )
            }
            skipSpace()
            try expect(":", "a colon is expected")
            skipSpace()
            try value()
            skipSpace()
        }
        offset += 1
        depth -= 1
    }

    private mutating func array() throws(JSONFault) {
        try enter()
        var isFirst = true
        while current != UInt8(ascii: "]") {
            if !isFirst {
                try expect(",", "a comma or a closing bracket is expected")
                skipSpace()
            }
            isFirst = false
            try value()
            skipSpace()
        }
        offset += 1
        depth -= 1
    }

    private mutating func expect(_ scalar: Unicode.Scalar, _ reason: String) throws(JSONFault) {
        guard current == UInt8(ascii: scalar) else { throw fault(current == nil ? "it ends too early" : reason) }
        offset += 1
    }

    private mutating func literal(_ text: StaticString) throws(JSONFault) {
        for byte in text.description.utf8 {
            guard current == byte else { throw fault("a value is expected") }
            offset += 1
        }
    }

    private mutating func number() throws(JSONFault) {
        let start = offset
        if current == UInt8(ascii: "-") { offset += 1 }
        if current == UInt8(ascii: "0") {
            offset += 1
        } else {
            try digits()
        }
        if current == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            try digits()
        }
        numbers.append(start..<offset)
    }

    private mutating func digits() throws(JSONFault) {
        let start = offset
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { offset += 1 }
        guard offset > start else { throw fault("a digit is expected") }
    }

    /// Passes a string; returns its bytes without escapes when they are to be kept.
    private mutating func string(keep: Bool) throws(JSONFault) -> [UInt8] {
        offset += 1
        var kept: [UInt8] = []
        while true {
            guard let byte = current else { throw fault("it ends in a string") }
            switch byte {
            case UInt8(ascii: "\""):
                offset += 1
                return kept
            case UInt8(ascii: "\\"):
                let scalar = try escape()
                if keep { kept.append(contentsOf: Array(String(scalar).utf8)) }
            case 0x20..<0x80:
                offset += 1
                if keep { kept.append(byte) }
            case 0..<0x20:
                throw fault("a control character stands in a string")
            default:
                let length = try scalarLength()
                if keep { kept.append(contentsOf: bytes[offset..<offset + length]) }
                offset += length
            }
        }
    }

    private mutating func escape() throws(JSONFault) -> Unicode.Scalar {
        let start = offset
        offset += 1
        guard let byte = current else { throw fault("it ends in a string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): break
        default: throw JSONFault(reason: "an escape is unknown", offset: start)
        }
        let first = try hexadecimal()
        guard first != 0 else { throw JSONFault(reason: "a string holds NUL", offset: start) }
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard
            first < 0xDC00, current == UInt8(ascii: "\\"), offset + 1 < bytes.count,
            bytes[offset + 1] == UInt8(ascii: "u")
        else { throw JSONFault(reason: "a surrogate stands alone", offset: start) }
        offset += 2
        let second = try hexadecimal()
        guard
            (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x1_0000 + (UInt32(first) - 0xD800) << 10 + (UInt32(second) - 0xDC00))
        else { throw JSONFault(reason: "a surrogate stands alone", offset: start) }
        return scalar
    }

    private mutating func hexadecimal() throws(JSONFault) -> UInt16 {
        var value: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80 else {
                throw fault("four hexadecimal digits are expected")
            }
            value = value << 4 | UInt16(digit)
            offset += 1
        }
        return value
    }

    /// The length of the UTF-8 sequence that starts here, which has more than one byte (RFC 3629).
    private func scalarLength() throws(JSONFault) -> Int {
        func continuation(_ index: Int, _ range: ClosedRange<UInt8> = 0x80...0xBF) -> Bool {
            offset + index < bytes.count && range.contains(bytes[offset + index])
        }
        let isValid: Bool
        let length: Int
        switch bytes[offset] {
        case 0xC2...0xDF:
            length = 2
            isValid = continuation(1)
        case 0xE0...0xEF:
            length = 3
            let second: ClosedRange<UInt8> =
                switch bytes[offset] {
                case 0xE0: 0xA0...0xBF
                case 0xED: 0x80...0x9F
                default: 0x80...0xBF
                }
            isValid = continuation(1, second) && continuation(2)
        case 0xF0...0xF4:
            length = 4
            let second: ClosedRange<UInt8> =
                switch bytes[offset] {
                case 0xF0: 0x90...0xBF
                case 0xF4: 0x80...0x8F
                default: 0x80...0xBF
                }
            isValid = continuation(1, second) && continuation(2) && continuation(3)
        default:
            throw fault("it is not UTF-8")
        }
        guard isValid else { throw fault("it is not UTF-8") }
        return length
    }
}
