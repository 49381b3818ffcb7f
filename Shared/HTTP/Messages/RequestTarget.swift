/// A request's target, taken apart and decoded strictly: a broken escape, bytes that are no UTF-8 and NUL are refused.
struct RequestTarget {
    /// The decoded segments of the path; none for `/`.
    let segments: [String]
    /// The decoded query items in order.
    let query: [(name: String, value: String)]

    /// Takes apart a target in origin form (`/path?query`) or absolute form (`http://host/path?query`).
    ///
    /// - Throws: `Problem` 400.
    init(_ target: [UInt8]) throws(Problem) {
        guard target.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw Self.problem("it holds control characters") }
        var rest = target[...]
        for scheme in ["http://", "https://"] where rest.starts(with: scheme.utf8) {
            rest = rest.dropFirst(scheme.utf8.count).drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
            if rest.first != UInt8(ascii: "/") { rest = [UInt8(ascii: "/")] + rest }
        }
        guard rest.first == UInt8(ascii: "/") else { throw Self.problem("it must start with a slash") }
        let path = rest.prefix { $0 != UInt8(ascii: "?") }.dropFirst()
        guard !path.contains(UInt8(ascii: "#")) else { throw Self.problem("it holds a fragment") }
        var segments: [String] = []
        if !path.isEmpty {
            for segment in path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
                guard let decoded = PercentEncoding.decode(segment, plusIsSpace: false) else {
                    throw Self.problem("the path's percent-encoding is broken")
                }
                segments.append(decoded)
            }
        }
        self.segments = segments
        guard let query = FormURLEncoded.decode(rest.drop { $0 != UInt8(ascii: "?") }.dropFirst()) else {
            throw Self.problem("the query's percent-encoding is broken")
        }
        self.query = query
    }

    private static func problem(_ reason: String) -> Problem {
        .malformedRequest("The request target cannot be read: \(reason).")
    }
}
