import HTTP

/// Lets in who is on this machine, as far as the request shows that no one else stands behind them: a proxy that forwards, or
/// a page of another site in a browser.
struct LoopbackOnly: Sendable {
    /// What opens it for others.
    let mend: String

    /// - Throws: a `Problem` (403).
    func check(_ request: HTTPRequest) throws {
        guard request.isLoopback else { throw forbidden("The request comes from another machine.") }
        if Self.isForwarded(request) { throw forbidden("The request was forwarded by a proxy.") }
        // A page of another site can make a browser on this machine send requests here. The browser then names the site,
        // or the name by which it was led here.
        if let host = request.headers["Host"], !HostPolicy.isLoopback(authority: host) {
            throw forbidden("The request is addressed to a name that is not this machine's loopback.")
        }
        if Self.isFromAnotherSite(request) { throw forbidden("The request comes from a page of another site.") }
    }

    /// What proxies add to say for whom they ask, beside everything that begins with `X-Forwarded`; in lower case.
    private static let traces: Set<String> = [
        "forwarded", "via", "x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-host", "x-original-url",
        "x-envoy-external-address", "true-client-ip", "cf-connecting-ip", "fastly-client-ip",
    ]

    /// Whether a proxy has touched the request, whatever it says about it.
    private static func isForwarded(_ request: HTTPRequest) -> Bool {
        request.headers.fields.contains { field in
            let name = field.name.lowercased()
            return name.hasPrefix("x-forwarded") || traces.contains(name)
        }
    }

    /// Whether a browser says that a page of another origin sends the request.
    ///
    /// Another port of this machine is another origin: whatever serves a page there is not this program.
    static func isFromAnotherSite(_ request: HTTPRequest) -> Bool {
        if let origin = request.headers["Origin"] {
            let host = request.headers["Host"] ?? ""
            guard origin.lowercased() == "http://" + host.lowercased() else { return true }
        }
        switch request.headers["Sec-Fetch-Site"]?.lowercased() {
        case nil, "same-origin", "none": return false
        default: return true
        }
    }

    private func forbidden(_ detail: String) -> Problem {
        Problem(.loopbackOnly, detail: "\(detail) \(mend)")
    }
}
