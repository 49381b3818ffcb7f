import HTTP
import Telemetry

/// Puts a program's routes into one router, each measured.
enum RouterAssembly {
    /// Two handlers for one route.
    struct Conflict: Error, CustomStringConvertible {
        let route: String

        var description: String { "\(route) is registered twice" }
    }

    static func router(of routes: [Wiring.Route], metrics: MetricsRegistry) throws(Conflict) -> Router {
        var router = Router()
        var seen: Set<String> = []
        let measuring = HTTPMetrics(registry: metrics)
        for route in routes {
            let name = "\(route.method) \(route.pattern)"
            guard seen.insert(name).inserted else { throw Conflict(route: name) }
            router.on(route.method, route.pattern, measuring.measured(route))
        }
        return router
    }
}
