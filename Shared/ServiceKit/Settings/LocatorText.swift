/// The parts of an absolute URL that settings check and logs show.
///
/// It knows no more of URLs than that: who uses one parses it whole.
struct LocatorText {
    let scheme: String
    let host: String
    let port: Int?
    /// Whether there are no credentials, no path and nothing after it.
    let isBare: Bool

    init?(_ text: String) {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }), let separator = Self.schemeEnd(of: text) else {
            return nil
        }
        scheme = text[..<separator.lowerBound].lowercased()
        let rest = text[separator.upperBound...]
        let authority = rest.prefix { !"/?#".contains($0) }
        let hostAndPort = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        isBare = hostAndPort.count == rest.count
        var afterHost: Substring
        if hostAndPort.hasPrefix("[") {
            guard let bracket = hostAndPort.firstIndex(of: "]") else { return nil }
            host = String(hostAndPort[hostAndPort.index(after: hostAndPort.startIndex)..<bracket])
            afterHost = hostAndPort[hostAndPort.index(after: bracket)...]
        } else {
            host = String(hostAndPort.prefix { $0 != ":" })
            afterHost = hostAndPort.dropFirst(host.count)
        }
        guard !host.isEmpty else { return nil }
        guard !afterHost.isEmpty else {
            port = nil
            return
        }
        guard afterHost.removeFirst() == ":", afterHost.allSatisfy({ $0.isASCII && $0.isNumber }),
            let number = Int(afterHost), number <= 65_535
        else { return nil }
        port = number
    }

    /// The text with a password, the query and the fragment taken out: for logs and help.
    ///
    /// Text that is no URL is not shown at all, for nobody knows where in it a secret is.
    static func redacted(_ text: String) -> String {
        guard LocatorText(text) != nil, let separator = schemeEnd(of: text) else { return "(not shown)" }
        let authority = text[separator.upperBound...].prefix { !"/?#".contains($0) }
        let rest = text[authority.endIndex...]
        let path = rest.prefix { !"?#".contains($0) }
        let hidden = path.count < rest.count ? "?(not shown)" : ""
        guard let at = authority.lastIndex(of: "@") else { return text[..<authority.endIndex] + path + hidden }
        let user = authority[..<at].prefix { $0 != ":" }
        return text[..<separator.upperBound] + user + authority[at...] + path + hidden
    }

    private static func schemeEnd(of text: String) -> Range<String.Index>? {
        guard let colon = text.firstIndex(of: ":"), colon > text.startIndex, text[colon...].hasPrefix("://"),
            text[..<colon].allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+-.".contains($0)) })
        else { return nil }
        return colon..<text.index(colon, offsetBy: 3)
    }
}
