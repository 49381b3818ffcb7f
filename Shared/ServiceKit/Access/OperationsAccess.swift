import HTTP

/// Who may use the operations API.
///
/// With a token: whoever sends it. Without one: peers on loopback, as far as the request shows that no one else stands
/// behind them - a proxy that forwards, or a page of another site in a browser on this machine.
struct OperationsAccess: Sendable {
    let token: String?

    /// Throws a `Problem` when the request may not go on.
    func check(_ request: HTTPRequest) throws {
        if let token {
            try checkToken(token, in: request)
        } else {
            try checkLoopback(request)
        }
    }

    private func checkToken(_ token: String, in request: HTTPRequest) throws {
        let given = request.headers["Authorization"].flatMap(Self.bearerToken)
        if let given, Self.areEqual(given, token) { return }
        throw Problem(
            status: 401,
            slug: "unauthorized",
            title: "The operations API needs its bearer token",
            detail: given == nil ? "Send the header `Authorization: Bearer TOKEN`." : "The token is not the right one.",
            headers: ["WWW-Authenticate": "Bearer realm=\"operations\""]
        )
    }

    private func checkLoopback(_ request: HTTPRequest) throws {
        guard request.isLoopback else { throw Self.forbidden("The request comes from another machine.") }
        for name in ["Forwarded", "X-Forwarded-For", "X-Real-IP", "Via"] where request.headers[name] != nil {
            throw Self.forbidden("The request was forwarded by a proxy.")
        }
        // A page of another site can make a browser on this machine send requests here. The browser then names the site,
        // or the name by which it was led here.
        if let host = request.headers["Host"], !Self.isLoopback(authority: host) {
            throw Self.forbidden("The request is addressed to a name that is not this machine's loopback.")
        }
        if let origin = request.headers["Origin"] {
            guard let locator = URLParts(origin), Self.loopbackHosts.contains(locator.host.lowercased()) else {
                throw Self.forbidden("The request comes from a page of another site.")
            }
        }
        if request.headers["Sec-Fetch-Site"]?.lowercased() == "cross-site" {
            throw Self.forbidden("The request comes from a page of another site.")
        }
    }

    private static let loopbackHosts: Set<String> = ["127.0.0.1", "localhost", "::1"]

    private static func isLoopback(authority: String) -> Bool {
        guard let host = URLParts("http://" + authority)?.host.lowercased() else { return false }
        return loopbackHosts.contains(host)
    }

    private static func forbidden(_ detail: String) -> Problem {
        Problem(
            status: 403,
            slug: "loopback-only",
            title: "Without a token the operations API answers on loopback only",
            detail: detail + " Set WARREN_OPERATIONS_TOKEN and send it as bearer token."
        )
    }

    private static func bearerToken(_ header: String) -> String? {
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1].drop { $0 == " " })
    }

    /// Compares in a time that depends on the lengths alone, so that it does not tell how much of a token was right.
    static func areEqual(_ left: String, _ right: String) -> Bool {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        guard !right.isEmpty else { return left.isEmpty }
        var difference = left.count ^ right.count
        for (index, byte) in left.enumerated() {
            difference |= Int(byte ^ right[index % right.count])
        }
        return difference == 0
    }
}
