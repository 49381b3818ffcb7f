import Telemetry

/// Times the requests of a client, by where they go and how they end.
///
/// Names and labels are OpenTelemetry's in Prometheus form.
struct HTTPClientMetrics: Sendable {
    let registry: MetricsRegistry

    /// Sends a request and notes how long it took, whatever came of it.
    func measured(
        _ request: HTTPClient.Request,
        _ send: () async throws -> HTTPClient.Response
    ) async throws -> HTTPClient.Response {
        let clock = ContinuousClock()
        let start = clock.now
        do {
            let response = try await send()
            observe(request, start.duration(to: clock.now), "http_response_status_code", String(response.status))
            return response
        } catch {
            let kind = (error as? HTTPClient.Failure).map { String(describing: $0.code) } ?? "other"
            observe(request, start.duration(to: clock.now), "error_type", kind)
            throw error
        }
    }

    private func observe(_ request: HTTPClient.Request, _ duration: Duration, _ outcome: String, _ value: String) {
        registry.histogram(
            "http_client_request_duration_seconds",
            help: "Time from a request to the outside to its answer, or to the end of waiting for one.",
            labels: [
                "http_request_method": request.method, "server_address": Self.address(of: request.url),
                "url_template": request.route ?? "other", outcome: value,
            ]
        ).observe(duration)
    }

    /// Host and port of a URL.
    private static func address(of url: String) -> String {
        let shown = redactedURL(url)
        guard let scheme = shown.firstRange(of: "://") else { return "other" }
        return String(shown[scheme.upperBound...].prefix { $0 != "/" })
    }
}
