import HTTP
import Synchronization
import Telemetry

/// Collects what a wiring closure registers.
///
/// Thread-safe.
final class Wiring: Sendable {
    struct Route: Sendable {
        let method: String
        let pattern: String
        let access: RouteAccess
        let handler: Router.Handler
    }

    struct Parts: Sendable {
        var routes: [Route] = []
        var checks: [Readiness.Probe] = []
        var backgrounds: [Lifecycle.Part] = []
        var closers: [@Sendable () async -> Void] = []
    }

    private struct State {
        var parts = Parts()
        var isSealed = false
    }

    private let state = Mutex(State())
    private let logger: Logger

    init(logger: Logger) {
        self.logger = logger
    }

    func route(
        _ method: String,
        _ pattern: String,
        _ access: RouteAccess,
        _ handler: @escaping Router.Handler
    ) {
        register { $0.routes.append(Route(method: method, pattern: pattern, access: access, handler: handler)) }
    }

    func check(_ name: String, _ check: @escaping @Sendable () async -> String?) {
        register { $0.checks.append(.single(name, check)) }
    }

    func background(_ name: String, _ run: @escaping @Sendable () async throws -> Void) {
        register { $0.backgrounds.append(Lifecycle.Part(name: name, mayEnd: true, run: run)) }
    }

    func onClose(_ close: @escaping @Sendable () async -> Void) {
        register { $0.closers.append(close) }
    }

    /// Ends the wiring and gives what was registered.
    func seal() -> Parts {
        state.withLock { state in
            state.isSealed = true
            return state.parts
        }
    }

    private func register(_ change: (inout Parts) -> Void) {
        let isLate = state.withLock { state in
            if !state.isSealed { change(&state.parts) }
            return state.isSealed
        }
        if isLate { logger.error("something was registered after the wiring and is ignored") }
    }
}
