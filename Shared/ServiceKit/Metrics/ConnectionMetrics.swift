import HTTP
import Telemetry

extension MetricsRegistry {
    /// What a program's servers have to do with their clients' connections.
    ///
    /// - Parameter servers: by name, `http` and `operations`.
    func registerConnectionMetrics(_ servers: [(name: String, statistics: @Sendable () -> HTTPServer.Statistics)]) {
        @Sendable func all(
            _ figures: (String, HTTPServer.Statistics) -> MetricsRegistry.Samples
        ) -> MetricsRegistry.Samples {
            servers.flatMap { figures($0.name, $0.statistics()) }
        }
        gauge("http_server_connections", help: "Open connections, by whether they wait for a request.") {
            all { server, now in
                [
                    (["server": server, "state": "waiting"] as MetricLabels, Double(now.waiting)),
                    (["server": server, "state": "active"] as MetricLabels, Double(now.active)),
                ]
            }
        }
        gauge("http_server_connections_limit", help: "The most connections that there may be.") {
            all { server, now in [(["server": server] as MetricLabels, Double(now.limit))] }
        }
        counter("http_server_connections_accepted_total", help: "Connections accepted.") {
            all { server, now in [(["server": server] as MetricLabels, Double(now.accepted))] }
        }
        counter("http_server_connections_closed_total", help: "Connections that the server closed, by reason.") {
            all { server, now in
                HTTPServer.Statistics.Closing.allCases.map { reason in
                    (["reason": reason.rawValue, "server": server] as MetricLabels, Double(now.closed[reason] ?? 0))
                }
            }
        }
    }
}
