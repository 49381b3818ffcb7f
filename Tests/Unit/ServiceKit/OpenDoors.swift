import HTTP
import Telemetry

@testable import ServiceKit

extension Doors {
    /// Doors that are open on loopback, or for whoever sends this operator's token.
    static func open(operatorToken: String? = nil) throws -> Doors {
        var operations = OperationsAccess(tokens: nil)
        if let operatorToken {
            let tokens = try AccessTokens(parsing: "ada act \(operatorToken)", hasRoles: true)
            operations = OperationsAccess { tokens }
        }
        return Doors(
            hosts: HostPolicy(names: [], listeningOn: "127.0.0.1:9081"),
            operations: operations,
            api: APIAccess()
        )
    }
}

extension RouterAssembly {
    /// A router behind open doors.
    static func router(
        of routes: [Wiring.Route],
        operatorToken: String? = nil,
        metrics: MetricsRegistry
    ) throws -> Router {
        try router(of: routes, behind: .open(operatorToken: operatorToken), metrics: metrics, logger: .silent)
    }
}
