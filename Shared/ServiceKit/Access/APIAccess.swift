import HTTP

/// Who may use a service's own API.
///
/// With `WARREN_API_TOKENS_FILE` named back ends; with `WARREN_JWT_KEY_FILE` customers, who see what is theirs; with neither
/// peers on loopback.
struct APIAccess: Sendable {
    private static let local = LoopbackOnly(
        mend: "Set WARREN_API_TOKENS_FILE or WARREN_JWT_KEY_FILE and send a bearer token."
    )

    /// Nil where there is no file.
    var tokens: (@Sendable () -> AccessTokens)?
    /// Nil where customers have no tokens.
    var webTokens: (@Sendable (String) throws(WebTokenFault) -> WebToken)?

    /// Whether it answers on loopback only.
    var isLocal: Bool { tokens == nil && webTokens == nil }

    /// Who sends the request.
    ///
    /// - Throws: a `Problem` (401, 403) when the request may not go on.
    func caller(of request: HTTPRequest) throws -> Caller {
        guard !isLocal else {
            try Self.local.check(request)
            return .local
        }
        guard let given = request.bearerToken else {
            throw Problem.unauthorized(nil, realm: "api")
        }
        if let entry = tokens?().entry(of: given) { return Caller(.backEnd, entry.name) }
        if let webTokens {
            do throws(WebTokenFault) {
                return Caller(.customer, try webTokens(given).subject)
            } catch {
                throw Problem.unauthorized(error.description, realm: "api")
            }
        }
        throw Problem.unauthorized(Problem.unknownToken, realm: "api")
    }
}
