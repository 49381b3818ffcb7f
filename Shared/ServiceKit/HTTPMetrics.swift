import HTTP
import Telemetry

/// Counts and times the requests of each route.
struct HTTPMetrics: Sendable {
    let registry: MetricsRegistry

    /// The same handler, measured.
    func measured(_ route: Wiring.Route) -> Router.Handler {
        return { request in
            let clock = ContinuousClock()
            let start = clock.now
            func finish(_ status: Int) {
                histogram(of: route).observe(start.duration(to: clock.now))
                counter(of: route, status: status).increment()
            }
            do {
                let response = try await route.handler(request)
                finish(response.status)
                return response
            } catch {
                finish((error as? Problem)?.status ?? 500)
                throw error
            }
        }
    }

    // Both are made by the first request: the metrics show no routes that nobody asks for.

    private func histogram(of route: Wiring.Route) -> Histogram {
        registry.histogram(
            "http_server_request_duration_seconds",
            help: "Time from a request to its answer.",
            labels: ["http_request_method": route.method, "http_route": route.pattern]
        )
    }

    private func counter(of route: Wiring.Route, status: Int) -> Counter {
        registry.counter(
            "http_server_requests_total",
            help: "Requests answered, by route and status.",
            labels: [
                "http_request_method": route.method, "http_route": route.pattern,
                "http_response_status_code": String(status),
            ]
        )
    }
}
