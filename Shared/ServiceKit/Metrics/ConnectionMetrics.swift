import HTTP
import Telemetry

extension MetricsRegistry {
    /// The server's connections: how many there are, and why some were closed before their clients did.
    func registerConnectionMetrics(_ statistics: @escaping @Sendable () -> HTTPServer.Statistics) {
        gauge("http_server_connections", help: "Open connections, by whether they wait for a request.") {
            let now = statistics()
            return [(["state": "waiting"], Double(now.waiting)), (["state": "active"], Double(now.active))]
        }
        gauge("http_server_connections_limit", help: "The most connections that there may be.") {
            [(.none, Double(statistics().limit))]
        }
        counter("http_server_connections_accepted_total", help: "Connections accepted.") {
            [(.none, Double(statistics().accepted))]
        }
        counter("http_server_connections_closed_total", help: "Connections that the server closed, by reason.") {
            let closed = statistics().closed
            return HTTPServer.Statistics.Closing.allCases.map { reason in
                (["reason": reason.rawValue], Double(closed[reason] ?? 0))
            }
        }
    }
}
