public import HTTP

/// The client's key that makes its `POST` repeatable.
///
/// It belongs to its caller: the same text of another caller is another key.
public struct IdempotencyKey: Sendable, Hashable {
    /// The name of the header field.
    public static let header = "Idempotency-Key"

    /// The key without its quotes.
    public let text: String
    /// Whose it is (`Caller.text`).
    public let caller: String

    /// Reads the header's value: a quoted structured string, as the IETF draft has it, or the bare key, as Stripe has
    /// it.
    ///
    /// Both forms of one key are the same key.
    ///
    /// - Throws: a `Problem` (422) that says what is wrong.
    public init(_ value: String, of caller: String) throws {
        let trimmed = value.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        var bytes = Array(trimmed)
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        let key = bytes.first == UInt8(ascii: "\"") ? IdempotencyKey.unquoted(bytes) : IdempotencyKey.bare(bytes)
        guard let key, (1...255).contains(key.count) else {
            throw IdempotencyKey.invalid("must be 1 to 255 printable ASCII characters, bare or as a quoted string")
        }
        text = String(decoding: key, as: UTF8.self)
        self.caller = caller
    }

    /// The key of a request; nil when it has none.
    ///
    /// - Throws: a `Problem` (422) when it is not valid or not the only one.
    public static func of(_ request: HTTPRequest, by caller: Caller) throws -> IdempotencyKey? {
        let values = request.headers.values(header)
        guard values.count <= 1 else { throw invalid("must be there once") }
        return try values.first.map { try IdempotencyKey($0, of: caller.text) }
    }

    private static func invalid(_ detail: String) -> Problem {
        .invalidRequest([Problem.Fault(field: header, detail: detail)])
    }

    private static func bare(_ bytes: [UInt8]) -> [UInt8]? {
        bytes.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") } ? bytes : nil
    }

    /// RFC 8941, section 3.3.3.
    private static func unquoted(_ bytes: [UInt8]) -> [UInt8]? {
        var key: [UInt8] = []
        var rest = bytes.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return rest.isEmpty ? key : nil
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
                else { return nil }
                key.append(escaped)
            case 0x20...0x7E: key.append(byte)
            default: return nil
            }
        }
        return nil
    }
}
