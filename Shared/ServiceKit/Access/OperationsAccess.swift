import HTTP

/// Who may use the operations API.
///
/// With a file of tokens: whoever sends one, as far as its role goes. Without one: peers on loopback.
struct OperationsAccess: Sendable {
    private static let local = LoopbackOnly(
        mend: "Set WARREN_OPERATIONS_TOKENS_FILE and send one of its tokens as bearer token."
    )

    /// Nil where there is no file.
    let tokens: (@Sendable () -> AccessTokens)?

    /// Who sends the request.
    ///
    /// - Throws: a `Problem` (401, 403) when the request may not go on.
    func caller(of request: HTTPRequest, as role: OperatorRole) throws -> Caller {
        guard let tokens = tokens?() else {
            try Self.local.check(request)
            return .local
        }
        let given = request.bearerToken
        guard let given, let entry = tokens.entry(of: given) else {
            throw Problem.unauthorized(given == nil ? nil : Problem.unknownToken, realm: "operations")
        }
        guard entry.role.allows(role) else {
            throw Problem(
                .roleNotAllowed,
                detail: "The role of \(entry.name) is \(entry.role.rawValue); this needs \(role.rawValue)."
            )
        }
        return Caller(.operator, entry.name)
    }
}
