import Testing

@testable import JSON

@Suite("JSON from outside")
struct JSONScannerTests {
    private func code(_ text: String) -> JSONFault.Code? {
        code(Array(text.utf8))
    }

    private func code(_ bytes: [UInt8]) -> JSONFault.Code? {
        do throws(JSONFault) {
            _ = try JSONDocument(bytes)
            return nil
        } catch {
            return error.code
        }
    }

    @Test(
        "is taken when RFC 8259 allows it",
        arguments: [
            "{}", "[]", "0", "-0", "1.5", "1e-3", "-12.25E+1", #""\u00e9\uD83D\uDE00\/""#, " \t\r\n[ 1 , 2 ] ", "true",
            "null",
            #"{"a":{"a":1},"b":[{"a":1}]}"#, "\"\u{10FFFF}é€\"",
        ]
    )
    func valid(text: String) {
        #expect(code(text) == nil)
    }

    @Test(
        "is refused when it is not JSON",
        arguments: [
            "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "'a'", "01", "1.", ".5", "+1", "1e", "tru", "nul", "[1] x",
            "\"\u{01}\"", #""\x""#, #""\u12g4""#, #""\uD800""#, #""\uDC00""#, #""\uD800\u0041""#, "\"open", "NaN",
        ]
    )
    func malformed(text: String) {
        #expect(code(text) == .malformed)
    }

    @Test("is refused when a name occurs twice, however it is written")
    func duplicates() {
        #expect(code(#"{"a":1,"a":2}"#) == .duplicateKey)
        #expect(code(#"{"a":1,"\u0061":2}"#) == .duplicateKey)
        #expect(code(#"{"x":[{"a":1,"b":2,"a":3}]}"#) == .duplicateKey)
        let many = (0..<1000).map { "\"k\($0)\":0" }.joined(separator: ",")
        #expect(code("{\(many)}") == nil)
        #expect(code("{\(many),\"k999\":0}") == .duplicateKey)
    }

    @Test("is refused when it nests deeper than allowed, without harm to the stack")
    func depth() {
        #expect(code(String(repeating: "[", count: 32) + String(repeating: "]", count: 32)) == nil)
        #expect(code(String(repeating: "[", count: 33) + String(repeating: "]", count: 33)) == .tooDeep)
        #expect(code(String(repeating: "{\"a\":", count: 10_000)) == .tooDeep)
    }

    @Test("is refused when it holds a NUL, plain or escaped")
    func nul() {
        #expect(code("\"a\u{00}b\"") == .nul)
        #expect(code(#""a\u0000b""#) == .nul)
        #expect(code("{}\u{00}") == .nul)
    }

    @Test(
        "is refused when it is not UTF-8",
        arguments: [
            [0xFF], [0xC0, 0xAF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3],
            [0xE2, 0x82],
            [0xF0, 0x9F, 0x98],
        ] as [[UInt8]]
    )
    func utf8(bytes: [UInt8]) {
        #expect(code([UInt8(ascii: "\"")] + bytes + [UInt8(ascii: "\"")]) == .invalidUTF8)
    }
}
