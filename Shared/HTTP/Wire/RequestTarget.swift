/// A request's target, taken apart and decoded strictly: a broken escape, bytes that are no UTF-8 and NUL are refused, and so
/// are segments `.` and `..`, which a proxy may have taken for a step.
struct RequestTarget: Sendable {
    /// The decoded segments of the path; none for `/`.
    let segments: [String]
    /// The decoded query items in order.
    let query: [(name: String, value: String)]
    /// The host and port that an absolute form names, in lower case.
    let authority: String?

    /// Takes apart a target in origin form (`/path?query`) or absolute form (`http://host/path?query`).
    init(_ target: ArraySlice<UInt8>) throws(HeadFault) {
        guard target.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Self.fault("it holds characters that must be percent-encoded")
        }
        var rest = target
        var authority: String?
        let lead = target.prefix(8).map(lowercased)
        for scheme in ["http://", "https://"] where lead.starts(with: scheme.utf8) {
            rest = rest.dropFirst(scheme.utf8.count)
            let bytes = rest.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            guard FieldRules.isAuthority(bytes) else { throw Self.fault("it names no host") }
            authority = String(decoding: bytes, as: UTF8.self).lowercased()
            rest = rest.dropFirst(bytes.count)
            if rest.first != UInt8(ascii: "/") { rest = ([UInt8(ascii: "/")] + rest)[...] }
        }
        self.authority = authority
        guard rest.first == UInt8(ascii: "/") else { throw Self.fault("it must start with a slash") }
        let path = rest.prefix { $0 != UInt8(ascii: "?") }
        guard path.allSatisfy(Self.mayStandInPath) else {
            throw Self.fault("its path holds characters that must be percent-encoded")
        }
        segments = try Self.segments(path.dropFirst())
        let query = rest.dropFirst(path.count + 1)
        // Browsers leave more as it is in a query than RFC 3986 has; these alone they never do.
        guard !query.contains(where: { "\"#<>".utf8.contains($0) }) else {
            throw Self.fault("its query holds characters that must be percent-encoded")
        }
        guard let query = FormURLEncoded.decode(query) else {
            throw Self.fault("the query's percent-encoding is broken")
        }
        self.query = query
    }

    private static func segments(_ path: ArraySlice<UInt8>) throws(HeadFault) -> [String] {
        guard !path.isEmpty else { return [] }
        var segments: [String] = []
        for segment in path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let decoded = PercentEncoding.decode(segment, plusIsSpace: false) else {
                throw fault("the path's percent-encoding is broken")
            }
            guard decoded != ".", decoded != ".." else { throw fault("its path is not resolved") }
            segments.append(decoded)
        }
        return segments
    }

    /// RFC 3986's `pchar`, the slash and the percent sign.
    private static func mayStandInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "["),
            UInt8(ascii: "\\"), UInt8(ascii: "]"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "{"),
            UInt8(ascii: "|"), UInt8(ascii: "}"):
            false
        default: true
        }
    }

    private static func fault(_ reason: String) -> HeadFault {
        HeadFault("The request target cannot be read: \(reason).")
    }
}
