import HTTP

/// Lets a program's requests in: the name that they are addressed to, and who sends them.
///
/// One place for all routes, so that none can be forgotten: `RouterAssembly` leads every request through it, past `hosts` before
/// its route is sought and through `admit` behind it.
struct Doors: Sendable {
    let hosts: HostPolicy
    let operations: OperationsAccess
    let api: APIAccess

    /// The request with who sends it.
    ///
    /// - Throws: a `Problem` (401, 403) when the request may not go on.
    func admit(_ request: HTTPRequest, to route: Wiring.Route) throws -> HTTPRequest {
        var request = request
        request.caller = nil
        switch route.access {
        case .anyone:
            if !["GET", "HEAD"].contains(request.method), LoopbackOnly.isFromAnotherSite(request) {
                throw Problem(
                    .anotherSite,
                    detail: "Send the request from a program, or from a page that this program serves."
                )
            }
        case .callers: request.caller = try api.caller(of: request)
        case .operators(let role): request.caller = try operations.caller(of: request, as: role)
        }
        return request
    }
}
