import FoundationEssentials

/// Encoded words (RFC 2047): text that is not ASCII, in a header.
enum EncodedWord {
    /// The text as it is where that is ASCII and fits into a line, otherwise as encoded words, further ones on lines of their
    /// own.
    ///
    /// A line that holds an encoded word has 76 characters at most, the name of its header included (section 2); any other 998.
    ///
    /// - Parameters:
    ///   - column: how many characters stand before it on its line.
    ///   - always: encodes ASCII too.
    static func encode(_ text: String, column: Int, always: Bool = false) -> String {
        let isPlain = text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !text.contains("=?")
        if isPlain, !always, column + text.utf8.count <= 998 { return text }
        var words: [String] = []
        var piece: [UInt8] = []
        // A word holds whole scalars; of its characters 12 are around the base64. A further line begins with a space.
        var room = (maximumLine - column - 12) / 4 * 3
        for scalar in text.unicodeScalars {
            let bytes = Array(String(scalar).utf8)
            if piece.count + bytes.count > room {
                words.append(word(piece))
                piece = []
                room = (maximumLine - 1 - 12) / 4 * 3
            }
            piece += bytes
        }
        if !piece.isEmpty { words.append(word(piece)) }
        return words.joined(separator: "\r\n ")
    }

    /// The most characters of a line with an encoded word.
    static let maximumLine = 76

    private static func word(_ bytes: [UInt8]) -> String { "=?utf-8?B?\(Data(bytes).base64EncodedString())?=" }
}

/// The transfer encoding quoted-printable (RFC 2045, section 6.7).
enum QuotedPrintable {
    /// Encodes text: lines of 76 characters at most, ended by CRLF, however they ended before.
    static func encode(_ text: String) -> [UInt8] {
        var result: [UInt8] = []
        for line in lines(of: Array(text.utf8)) {
            var length = 0
            for (index, byte) in line.enumerated() {
                let isLast = index == line.endIndex - 1
                let encoded = encode(byte, isLast: isLast)
                // The last of a line needs no room for the mark of a soft break behind it.
                if length + encoded.count > (isLast ? 76 : 75) {
                    result += Array("=\r\n".utf8)
                    length = 0
                }
                result += encoded
                length += encoded.count
            }
            result += [0x0D, 0x0A]
        }
        return result
    }

    private static func encode(_ byte: UInt8, isLast: Bool) -> [UInt8] {
        switch byte {
        case UInt8(ascii: "="): break
        case 0x21...0x7E: return [byte]
        // White space at the end of a line may be lost on the way.
        case 0x20, 0x09: if !isLast { return [byte] }
        default: break
        }
        let digits = Array("0123456789ABCDEF".utf8)
        return [UInt8(ascii: "="), digits[Int(byte >> 4)], digits[Int(byte & 0xF)]]
    }

    /// The lines, ended by CRLF, LF or CR; none for what follows the last end.
    private static func lines(of bytes: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        var index = 0
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            guard byte == 0x0D || byte == 0x0A else {
                line.append(byte)
                continue
            }
            if byte == 0x0D, index < bytes.count, bytes[index] == 0x0A { index += 1 }
            lines.append(line)
            line = []
        }
        if !line.isEmpty { lines.append(line) }
        return lines
    }
}
