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
    ///
    /// - Parameter fault: what is wrong with the token that was given; nil where none was.
    static func unauthorized(_ fault: String?, realm: String) -> Problem {
        // RFC 6750, section 3.1: who gave no token is told of no error.
        let error = fault == nil ? "" : ", error=\"invalid_token\""
        return Problem(
            .unauthorized,
            detail: fault ?? "There is none. Send the header `Authorization: Bearer TOKEN`.",
            headers: ["WWW-Authenticate": "Bearer realm=\"\(realm)\"\(error)"]
        )
    }

    /// What is wrong with a token that nobody knows.
    static let unknownToken = "The token is not a right one."
}
