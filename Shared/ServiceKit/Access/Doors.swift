import HTTP

/// Lets a program's requests in: the name that they are addressed to, and who sends them.
///
/// One place for all routes, so that none can be forgotten: `RouterAssembly` leads every request through it.
struct Doors: Sendable {
    let hosts: HostPolicy
    let operations: OperationsAccess
    let api: APIAccess

    /// The request with who sends it.
    ///
    /// - Throws: a `Problem` (401, 403, 421) when the request may not go on.
    func admit(_ request: HTTPRequest, to route: Wiring.Route) throws -> HTTPRequest {
        try hosts.check(request)
        var request = request
        request.caller = nil
        switch route.access {
        case .anyone:
            if !["GET", "HEAD"].contains(request.method), LoopbackOnly.isFromAnotherSite(request) {
                throw Problem(
                    status: 403,
                    slug: "another-site",
                    title: "A page of another site may not do that",
                    detail: "Send the request from a program, or from a page that this program serves."
                )
            }
        case .callers: request.caller = try api.caller(of: request)
        case .operators(let role): request.caller = try operations.caller(of: request, as: role)
        }
        return request
    }
}
