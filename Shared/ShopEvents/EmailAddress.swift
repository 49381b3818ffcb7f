/// An e-mail address in the form that the shop takes: `local@domain` in ASCII, without quotes and comments.
///
/// Narrower than RFC 5321 on purpose: what passes here can stand in an SMTP command and in a header as it is, so that
/// nobody can smuggle a second recipient, a header or a command in an address.
public struct EmailAddress: Sendable, Equatable {
    /// The whole address.
    public let text: String
    /// What follows the `@`.
    public let domain: String

    /// Checks and takes an address; nil when it is longer than 254 bytes or not of the form above.
    public init?(_ text: String) {
        guard let at = EmailAddress.placeOfAt(in: text) else { return nil }
        self.text = text
        self.domain = String(decoding: text.utf8.dropFirst(at + 1), as: UTF8.self)
    }

    /// Whether a text is such an address; in one pass without memory of its own, as every event with a customer is asked.
    public static func isValid(_ text: String) -> Bool { placeOfAt(in: text) != nil }

    /// Where the `@` is, in bytes, of an address that can be taken.
    ///
    /// Before it RFC 5322's `dot-atom-text` of at most 64 bytes, behind it labels of at most 63 letters, digits and inner
    /// hyphens (RFC 1123, section 2.1).
    private static func placeOfAt(in text: String) -> Int? {
        guard text.utf8.count <= 254 else { return nil }
        var at: Int?
        /// Bytes of the atom or label so far.
        var length = 0
        var last: UInt8 = 0
        var place = 0
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "@"):
                guard at == nil, length > 0, place <= 64 else { return nil }
                at = place
                length = 0
            case UInt8(ascii: "."):
                guard length > 0, at == nil || isLabel(length, last) else { return nil }
                length = 0
            case UInt8(ascii: "-") where at != nil:
                guard length > 0 else { return nil }
                length += 1
            default:
                guard isLetterOrDigit(byte) || (at == nil && isMark(byte)) else { return nil }
                length += 1
            }
            last = byte
            place += 1
        }
        return isLabel(length, last) ? at : nil
    }

    /// Whether a label may end there.
    private static func isLabel(_ length: Int, _ last: UInt8) -> Bool {
        (1...63).contains(length) && last != UInt8(ascii: "-")
    }

    /// What RFC 5322's `atext` has beside letters and digits.
    private static func isMark(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "!"), UInt8(ascii: "#")...UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "/"), UInt8(ascii: "="), UInt8(ascii: "?"),
            UInt8(ascii: "^")...UInt8(ascii: "`"), UInt8(ascii: "{")...UInt8(ascii: "~"):
            true
        default: false
        }
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        default: false
        }
    }
}
