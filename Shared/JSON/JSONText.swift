/// Strings to and from their JSON form.
public enum JSONText {
    /// The text of a string's inside (without the quotes) that has been checked.
    public static func unescape(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "\\")) else { return String(decoding: bytes, as: UTF8.self) }
        var units: [UInt16] = []
        var result = ""
        var plain = bytes.startIndex
        var position = bytes.startIndex
        while position < bytes.endIndex {
            guard bytes[position] == UInt8(ascii: "\\"), position + 1 < bytes.endIndex else {
                position += 1
                continue
            }
            result += String(decoding: bytes[plain..<position], as: UTF8.self)
            let code = bytes[position + 1]
            position += 2
            switch code {
            case UInt8(ascii: "b"): result.unicodeScalars.append("\u{08}")
            case UInt8(ascii: "f"): result.unicodeScalars.append("\u{0C}")
            case UInt8(ascii: "n"): result.unicodeScalars.append("\n")
            case UInt8(ascii: "r"): result.unicodeScalars.append("\r")
            case UInt8(ascii: "t"): result.unicodeScalars.append("\t")
            case UInt8(ascii: "u"):
                units.append(unit(bytes[position..<min(position + 4, bytes.endIndex)]))
                position = min(position + 4, bytes.endIndex)
                if let last = units.last, last & 0xFC00 == 0xD800 { break }
                result += String(decoding: units, as: UTF16.self)
                units.removeAll()
            default: result.unicodeScalars.append(Unicode.Scalar(code))
            }
            plain = position
        }
        return result + String(decoding: bytes[plain..<bytes.endIndex], as: UTF8.self)
    }

    /// Appends the text as a JSON string with its quotes.
    ///
    /// Only what JSON demands is escaped.
    public static func append(_ text: String, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        func append(_ utf8: UnsafeBufferPointer<UInt8>) {
            var position = 0
            while position < utf8.count {
                let end = endOfPlain(UnsafeRawBufferPointer(utf8), from: position, highIsPlain: true)
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[position..<end]))
                position = end + 1
                if end < utf8.count { appendEscaped(utf8[end], to: &bytes) }
            }
        }
        if text.utf8.withContiguousStorageIfAvailable(append) == nil {
            var text = text
            text.withUTF8(append)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        if byte < 0x20 {
            bytes.append(contentsOf: "\\u00".utf8)
            bytes.append(digit(byte >> 4))
            bytes.append(digit(byte & 0xF))
        } else {
            bytes.append(UInt8(ascii: "\\"))
            bytes.append(byte)
        }
    }

    /// Where the bytes end that may stand in a JSON string as they are, from a position on: at a control character, a
    /// quote or a backslash, and at a byte above 0x7F unless `highIsPlain`.
    static func endOfPlain(_ bytes: UnsafeRawBufferPointer, from start: Int, highIsPlain: Bool) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let wanted: UInt64 = highIsPlain ? 0 : highs
        var position = start
        // Eight at a time (S. E. Anderson, "Bit Twiddling Hacks": a word with a byte equal to, or less than, n). The
        // lowest byte that is marked is marked rightly.
        while position + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            let quote = word ^ (ones &* 0x22)
            let backslash = word ^ (ones &* 0x5C)
            let found =
                (word &- ones &* 0x20) & ~word & highs | (quote &- ones) & ~quote & highs
                | (backslash &- ones) & ~backslash & highs | word & wanted
            if found != 0 { return position + found.trailingZeroBitCount / 8 }
            position += 8
        }
        while position < bytes.count {
            let byte = bytes[position]
            if byte < 0x20 || byte == 0x22 || byte == 0x5C || (byte >= 0x80 && !highIsPlain) { break }
            position += 1
        }
        return position
    }

    /// Whether there are only bytes from 0x20 to 0x7E, among bytes none of which is below 0x20.
    static func isPrintableASCII(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        var position = range.lowerBound
        while position + 8 <= range.upperBound {
            let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            // One more makes a high byte of 0x7F; of two neighbours that overflow the first is marked already.
            guard (word | (word &+ ones)) & highs == 0 else { return false }
            position += 8
        }
        while position < range.upperBound {
            guard bytes[position] < 0x7F else { return false }
            position += 1
        }
        return true
    }

    /// The value of a hexadecimal digit.
    static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    private static func unit(_ digits: ArraySlice<UInt8>) -> UInt16 {
        digits.reduce(0) { $0 << 4 | UInt16(hexadecimal($1) ?? 0) }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? value + UInt8(ascii: "0") : value - 10 + UInt8(ascii: "a")
    }
}
