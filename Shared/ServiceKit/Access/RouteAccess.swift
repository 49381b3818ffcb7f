/// What a token of the operations API is good for.
public enum OperatorRole: String, Sendable, CaseIterable {
    /// To look.
    case read
    /// To look and to act.
    case act

    func allows(_ role: OperatorRole) -> Bool { self == .act || role == .read }
}

/// Who may use a route.
public enum RouteAccess: Sendable, Hashable {
    /// Whoever can reach the address; the route itself makes sure of what it needs, as a signed webhook does.
    ///
    /// What is no `GET` is refused all the same where a browser says that a page of another site sends it.
    case anyone
    /// Those who may use the service's own API: on loopback, or named by a token. `HTTPRequest.caller` is there.
    case callers
    /// Those who may use the operations API, in that role.
    case operators(OperatorRole)
}
