import HTTP
import Telemetry

/// `/livez`, `/readyz` and `/metrics`.
struct HealthRoutes: Sendable {
    let readiness: Readiness
    let metrics: MetricsRegistry
    /// Who may read the metrics.
    let metricsAccess: RouteAccess
    /// Brings up to date what the metrics cannot read themselves.
    let refreshMetrics: @Sendable () async -> Void

    /// For whoever watches over the process.
    var probes: [Wiring.Route] {
        [
            Wiring.Route(method: "GET", pattern: "/livez", access: .anyone) { _ in Self.live },
            Wiring.Route(method: "GET", pattern: "/readyz", access: .anyone) { request in
                Self.answer(await readiness.findings(), isVerbose: request.queryValue("verbose") != nil)
            },
        ]
    }

    /// For whoever watches over what it does.
    var gauges: [Wiring.Route] {
        [
            Wiring.Route(method: "GET", pattern: "/metrics", access: metricsAccess) { _ in
                await refreshMetrics()
                return Self.text(metrics.render(), contentType: "text/plain; version=0.0.4; charset=utf-8")
            }
        ]
    }

    /// The answer of whoever is alive.
    static var live: HTTPResponse { text("ok") }

    /// 200 and `ready`, or 503 and a line per failing check; with `isVerbose` a line per check.
    static func answer(_ findings: [Readiness.Finding], isVerbose: Bool) -> HTTPResponse {
        let failing = findings.filter(\.isFailing)
        var lines = (isVerbose ? findings : failing).map(\.line)
        if failing.isEmpty { lines.append("ready") }
        return text(lines.map { $0 + "\n" }.joined(), status: failing.isEmpty ? 200 : 503)
    }

    private static func text(
        _ text: String,
        status: Int = 200,
        contentType: String = "text/plain; charset=utf-8"
    ) -> HTTPResponse {
        var response = HTTPResponse.text(text, status: status, contentType: contentType)
        response.headers["Cache-Control"] = "no-store"
        return response
    }
}
