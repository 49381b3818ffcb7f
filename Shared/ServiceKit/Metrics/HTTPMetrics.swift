import HTTP
import Telemetry

/// Counts and times the requests of each route, and counts those that no route took.
struct HTTPMetrics: Sendable {
    let registry: MetricsRegistry
    let accessLog: AccessLog

    /// The route's handler behind the doors, measured with them, with a line in the log.
    func measured(_ route: Wiring.Route, behind doors: Doors) -> Router.Handler {
        return { request in
            let clock = ContinuousClock()
            let start = clock.now
            var caller: Caller?
            func finish(_ status: Int) {
                let duration = start.duration(to: clock.now)
                histogram(of: route).observe(duration)
                accessLog.note(route, caller, status: status, duration: duration)
                counter(method: route.method, route: route.pattern, status: status).increment()
            }
            do {
                let admitted = try doors.admit(request, to: route)
                caller = admitted.caller
                let response = try await route.handler(admitted)
                finish(response.status)
                return response
            } catch {
                finish((error as? Problem)?.status ?? 500)
                throw error
            }
        }
    }

    /// What the label `http_route` says of a request that no route took; a pattern starts with a slash.
    static let unmatched = "unmatched"
    /// Methods that have a label of their own; others are `_OTHER`, as OpenTelemetry has it: a client chooses their names.
    private static let methods: Set<String> = [
        "CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE",
    ]

    /// Counts a request that no route took.
    ///
    /// There is one series for each method and status, whatever the paths are.
    func refused(method: String, status: Int) {
        counter(
            method: Self.methods.contains(method) ? method : "_OTHER",
            route: Self.unmatched,
            status: status
        ).increment()
    }

    // Both are made by the first request: the metrics show no routes that nobody asks for.

    private func histogram(of route: Wiring.Route) -> Histogram {
        registry.histogram(
            "http_server_request_duration_seconds",
            help: "Time from a request to its answer.",
            labels: ["http_request_method": route.method, "http_route": route.pattern]
        )
    }

    private func counter(method: String, route: String, status: Int) -> Counter {
        registry.counter(
            "http_server_requests_total",
            help: "Requests answered, by route and status; the route is unmatched where none took them.",
            labels: [
                "http_request_method": method, "http_route": route, "http_response_status_code": String(status),
            ]
        )
    }
}
