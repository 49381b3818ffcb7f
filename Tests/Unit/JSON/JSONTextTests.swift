import Testing

@testable import JSON

@Suite("A string in JSON")
struct JSONTextTests {
    /// What a string looks like in JSON, made character by character.
    private func expected(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x10: bytes += Array("\\u000\(String(byte, radix: 16))".utf8)
            case 0x10..<0x20: bytes += Array("\\u00\(String(byte, radix: 16))".utf8)
            default: bytes.append(byte)
            }
        }
        return bytes + [UInt8(ascii: "\"")]
    }

    @Test(
        "is escaped where JSON asks for it, wherever it is and whatever stands beside it",
        arguments: [
            "\"", "\\", "\0", "\n", "\u{1F}", " ", "!", "#", "[", "]", "\u{7F}", "\u{80}", "é", "\u{FFFF}", "🐇",
        ]
    )
    func escaping(character: String) throws {
        for length in 0..<20 {
            for position in 0...length {
                for filler in ["x", "!", "é", character] {
                    let text =
                        String(repeating: filler, count: position) + character
                        + String(repeating: filler, count: length - position)
                    var bytes: [UInt8] = []
                    JSONText.append(text, to: &bytes)
                    #expect(bytes == expected(text))
                    // A NUL is written, but never read.
                    guard !text.utf8.contains(0) else { continue }
                    #expect(
                        try StrictJSON.decode([String].self, from: Array("[".utf8) + bytes + Array("]".utf8)) == [text]
                    )
                }
            }
        }
    }

    @Test("is refused with a control character in it, wherever that is", arguments: [1, 9, 0x1F] as [UInt8])
    func controlCharacters(byte: UInt8) {
        for length in 0..<20 {
            for position in 0...length {
                let inside =
                    [UInt8](repeating: 0x21, count: position) + [byte]
                    + [UInt8](repeating: 0x7E, count: length - position)
                let text = [UInt8(ascii: "\"")] + inside + [UInt8(ascii: "\"")]
                #expect(throws: JSONFault.self) { try JSONDocument(text) }
            }
        }
    }
}
