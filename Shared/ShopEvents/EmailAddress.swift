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
        let bytes = Array(text.utf8)
        guard bytes.count <= 254, let at = bytes.firstIndex(of: UInt8(ascii: "@")) else { return nil }
        let local = bytes[..<at]
        let domain = bytes[(at + 1)...]
        guard EmailAddress.isDotAtom(local), EmailAddress.isDomain(domain) else { return nil }
        self.text = text
        self.domain = String(decoding: domain, as: UTF8.self)
    }

    /// RFC 5322 `dot-atom-text` of at most 64 bytes.
    private static func isDotAtom(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count <= 64 else { return false }
        let marks = Array("!#$%&'*+-/=?^_`{|}~".utf8)
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { atom in
            !atom.isEmpty && atom.allSatisfy { isLetterOrDigit($0) || marks.contains($0) }
        }
    }

    /// Labels of letters, digits and inner hyphens (RFC 1123, section 2.1).
    private static func isDomain(_ bytes: ArraySlice<UInt8>) -> Bool {
        let hyphen = UInt8(ascii: "-")
        return bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.count) && label.first != hyphen && label.last != hyphen
                && label.allSatisfy { isLetterOrDigit($0) || $0 == hyphen }
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
