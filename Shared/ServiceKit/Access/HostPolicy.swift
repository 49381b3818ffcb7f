import HTTP

/// The names that a program answers to.
///
/// A page in a browser can have its own name resolve to this machine's address, and then sends requests that are not from
/// another site to the browser. The name in `Host` gives it away.
struct HostPolicy: Sendable {
    private static let loopbackNames: Set<String> = ["127.0.0.1", "localhost", "::1"]

    /// In lower case.
    private let names: Set<String>
    /// Whether addresses other than those of loopback are answered to: an address is no name that can be led astray.
    private let answersToAddresses: Bool

    /// - Parameters:
    ///   - names: the names by which the program is reached beside loopback's.
    ///   - address: where it listens, `host:port`.
    init(names: [String], listeningOn address: String) {
        let bound = Self.host(of: address)
        var all = Set(names.map { $0.lowercased() })
        if let bound { all.insert(bound) }
        self.names = all.union(Self.loopbackNames)
        answersToAddresses = bound.map { !Self.loopbackNames.contains($0) } ?? true
    }

    /// - Throws: a `Problem` (421) for a name that is not the program's.
    func check(_ request: HTTPRequest) throws(Problem) {
        guard let authority = request.headers["Host"] else { return }
        if let host = Self.host(of: authority) {
            if names.contains(host) { return }
            if answersToAddresses, Self.isAddress(host) { return }
        }
        throw Problem(
            .misdirectedRequest,
            detail:
                "The program does not answer to the name in Host. Add it to WARREN_HTTP_HOSTS where it is one of its names."
        )
    }

    /// Whether an authority, `host` or `host:port`, names this machine's loopback.
    static func isLoopback(authority: String) -> Bool {
        host(of: authority).map(loopbackNames.contains) ?? false
    }

    /// The host of `host`, `host:port` or `[address]:port`, in lower case; nil where it is none of them.
    static func host(of authority: String) -> String? {
        let text = authority.lowercased()
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || isPort(rest) else { return nil }
            return String(text[text.index(after: text.startIndex)..<end])
        }
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let host = parts.first, !host.isEmpty, parts.count == 1 || isPort(":" + parts[1]) else { return nil }
        let isHost = host.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        // The dot at the end of a full name says nothing new.
        return isHost ? String(host.hasSuffix(".") ? host.dropLast() : host) : nil
    }

    private static func isPort(_ text: some StringProtocol) -> Bool {
        let digits = text.dropFirst()
        return text.hasPrefix(":") && digits.utf8.allSatisfy { (0x30...0x39).contains($0) } && digits.utf8.count <= 5
    }

    private static func isAddress(_ host: String) -> Bool {
        if host.contains(":") { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { UInt8($0) != nil && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    }
}
