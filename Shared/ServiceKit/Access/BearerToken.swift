import HTTP

extension HTTPRequest {
    /// The token of `Authorization: Bearer TOKEN` (RFC 6750); nil where there is none, or more than one such header.
    var bearerToken: String? {
        let values = headers.values("Authorization")
        guard values.count == 1 else { return nil }
        let parts = values[0].split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let token = parts[1].drop { $0 == " " }
        return token.isEmpty ? nil : String(token)
    }
}

extension Problem {
    /// 401: who asks has to say who they are.
    static func unauthorized(_ title: String, wasGiven: Bool, realm: String) -> Problem {
        Problem(
            status: 401,
            slug: "unauthorized",
            title: title,
            detail: wasGiven ? "The token is not a right one." : "Send the header `Authorization: Bearer TOKEN`.",
            headers: ["WWW-Authenticate": "Bearer realm=\"\(realm)\""]
        )
    }
}
