public import HTTP
import Telemetry

/// Serves a router on a free port of loopback for as long as `body` runs.
public func withServer<Result: Sendable>(
    _ router: Router,
    _ body: (_ url: String) async throws -> Result
) async throws -> Result {
    let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
    let running = Task { try await server.run(grace: .milliseconds(100)) }
    do {
        let result = try await body("http://127.0.0.1:\(try await server.port())")
        running.cancel()
        try await running.value
        return result
    } catch {
        running.cancel()
        try await running.value
        throw error
    }
}
