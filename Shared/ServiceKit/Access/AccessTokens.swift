/// Named bearer tokens, as a file holds them: one to a line, `#` begins a comment.
///
///     prometheus  read  6f1c0d0e1f3b4a5c9d8e7f60
///     ada         act   0a9b8c7d6e5f4a3b2c1d0e9f
struct AccessTokens: Sendable, Equatable {
    /// One line of the file.
    struct Entry: Sendable, Equatable {
        let name: String
        let role: OperatorRole
        let token: String
    }

    /// What is wrong with a file; never with a token in it.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// A token has at least as many bytes: what can be guessed opens no door.
    static let shortest = 16

    let entries: [Entry]

    /// Reads a file's text.
    ///
    /// - Parameter hasRoles: whether a line is `name role token`; otherwise it is `name token` and every token may act.
    /// - Throws: `Fault`, which names the line and the mend.
    init(parsing text: String, hasRoles: Bool) throws(Fault) {
        var entries: [Entry] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            func fault(_ what: String) -> Fault { Fault(description: "line \(index + 1): \(what)") }
            guard words.count == (hasRoles ? 3 : 2) else {
                throw fault("write `\(hasRoles ? "NAME ROLE TOKEN" : "NAME TOKEN")`, separated by spaces")
            }
            guard Self.isName(first) else {
                throw fault("a name has 1 to 64 letters, digits, dots, hyphens, underscores or @")
            }
            guard !entries.contains(where: { $0.name == first }) else {
                throw fault("the name \(first) is there twice")
            }
            guard let role = hasRoles ? OperatorRole(rawValue: words[1]) : .act else {
                throw fault("the role is \(OperatorRole.allCases.map(\.rawValue).joined(separator: " or "))")
            }
            let token = words[words.count - 1]
            guard token.utf8.count >= Self.shortest, token.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw fault("a token has at least \(Self.shortest) visible ASCII characters: openssl rand -hex 24")
            }
            guard !entries.contains(where: { $0.token == token }) else {
                throw fault("the token of \(first) is another one's too; give each its own")
            }
            entries.append(Entry(name: first, role: role, token: token))
        }
        guard !entries.isEmpty else { throw Fault(description: "there is no token in it") }
        self.entries = entries
    }

    /// Whose token that is; takes as long whether it is one or not.
    func entry(of token: String) -> Entry? {
        var found: Entry?
        for entry in entries where ConstantTime.areEqual(token, entry.token) { found = entry }
        return found
    }

    private static func isName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
                    UInt8(ascii: "@"):
                    true
                default: false
                }
            }
    }
}
