/// What the fields of a head must agree on before anybody acts on them (RFC 9112, sections 3.2, 6 and 11.2).
enum FieldRules {
    /// Fields that may stand once: where two disagree, one reader takes the first and another the last.
    static let single = [
        "Host", "Content-Length", "Transfer-Encoding", "Content-Type", "Authorization", "Origin", "Expect",
        "Idempotency-Key", "Sec-Fetch-Site",
    ]

    /// Codings that exist and are not read here; everything else in `Transfer-Encoding` is a trick or a slip.
    private static let codings: Set<String> = ["gzip", "x-gzip", "deflate", "compress", "x-compress"]

    /// How long the body is, or why that is not certain.
    static func body(_ headers: HTTPHeaders, isVersion10: Bool) throws(HeadFault) -> RequestHead.Body {
        let length = headers["Content-Length"]
        guard let encoding = headers["Transfer-Encoding"] else {
            guard let length else { return .none }
            // Nineteen digits hold every number that fits, and leading zeros end somewhere.
            guard (1...19).contains(length.utf8.count), length.utf8.allSatisfy(isDigit), let count = Int(length) else {
                throw HeadFault("Content-Length is not a number.")
            }
            return count == 0 ? .none : .length(count)
        }
        guard length == nil else { throw HeadFault("The length of the body is stated more than once.") }
        guard !isVersion10 else { throw HeadFault("HTTP/1.0 has no Transfer-Encoding.") }
        if encoding.lowercased() == "chunked" { return .chunked }
        var names = encoding.lowercased().split(separator: ",", omittingEmptySubsequences: false).map {
            String($0.filter { $0 != " " && $0 != "\t" })
        }
        if names.last == "chunked" { names.removeLast() }
        guard !names.isEmpty, codings.isSuperset(of: names) else {
            throw HeadFault("Transfer-Encoding is not chunked.")
        }
        throw HeadFault(
            Problem(.transferEncoding, detail: "Transfer-Encoding can only be chunked.")
        )
    }

    /// Whether it is certain whom the request is for: `Host` is there, is a host, and a target in absolute form says the same.
    static func checkHost(_ host: String?, target: RequestTarget, isRequired: Bool) throws(HeadFault) {
        guard let host else {
            guard !isRequired else { throw HeadFault("There is no Host.") }
            guard target.authority == nil else { throw HeadFault("The target names a host, and there is no Host.") }
            return
        }
        guard isAuthority(host.utf8) else { throw HeadFault("Host is not one.") }
        if let authority = target.authority, authority != host.lowercased() {
            throw HeadFault("The target and Host name different hosts.")
        }
    }

    /// Whether the bytes are `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
    static func isAuthority(_ bytes: some BidirectionalCollection<UInt8>) -> Bool {
        let host: [UInt8]
        var rest = Array(bytes)[...]
        if rest.first == UInt8(ascii: "[") {
            guard let end = rest.firstIndex(of: UInt8(ascii: "]")) else { return false }
            host = Array(rest[1..<end])
            rest = rest[(end + 1)...]
            guard host.contains(UInt8(ascii: ":")), host.allSatisfy({ isHexadecimal($0) || $0 == 0x3A || $0 == 0x2E })
            else { return false }
        } else {
            host = Array(rest.prefix { $0 != UInt8(ascii: ":") })
            rest = rest.dropFirst(host.count)
            guard !host.isEmpty, host.allSatisfy(isHostByte) else { return false }
        }
        guard !rest.isEmpty else { return true }
        let port = rest.dropFirst()
        guard rest.first == UInt8(ascii: ":"), (1...5).contains(port.count), port.allSatisfy(isDigit) else {
            return false
        }
        return port.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) } <= 65_535
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: isDigit(byte) || (lowercased(byte) >= UInt8(ascii: "a") && lowercased(byte) <= UInt8(ascii: "z"))
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool { hexadecimalValue(byte) != nil }
}
