import Database
import HTTP
import Telemetry

/// Puts a program's routes into one router, each behind the doors and measured.
enum RouterAssembly {
    /// Two handlers for one route.
    struct Conflict: Error, CustomStringConvertible {
        let route: String

        var description: String { "\(route) is registered twice" }
    }

    static func router(
        of routes: [Wiring.Route],
        behind doors: Doors,
        metrics: MetricsRegistry,
        logger: Logger
    ) throws(Conflict) -> Router {
        var router = Router()
        var seen: Set<String> = []
        let measuring = HTTPMetrics(registry: metrics, accessLog: AccessLog(logger: logger.labelled("access")))
        router.onRefusal = { method, status in measuring.refused(method: method, status: status) }
        router.screen = { (request) throws(Problem) in try doors.hosts.check(request) }
        for route in routes {
            // Two patterns that differ only in the names of their parameters match the same paths.
            let shape = route.pattern.split(separator: "/", omittingEmptySubsequences: false)
                .map { $0.hasPrefix("{") ? "{}" : $0 }.joined(separator: "/")
            guard seen.insert("\(route.method) \(shape)").inserted else {
                throw Conflict(route: "\(route.method) \(route.pattern)")
            }
            router.on(route.method, route.pattern, measuring.measured(alike(route, logger), behind: doors))
        }
        return router
    }

    /// The route with the answers that all routes have in common: a database that cannot be used now is 503 everywhere.
    private static func alike(_ route: Wiring.Route, _ logger: Logger) -> Wiring.Route {
        Wiring.Route(method: route.method, pattern: route.pattern, access: route.access) { request in
            do {
                return try await route.handler(request)
            } catch let error as DatabaseError where error.isTransient {
                logger.warning(
                    "a request failed on the database",
                    [
                        LogField("http.request.method", route.method), LogField("http.route", route.pattern),
                        LogField("error", error: error),
                    ]
                )
                throw Problem(.unavailable, headers: ["Retry-After": "1"])
            }
        }
    }
}
