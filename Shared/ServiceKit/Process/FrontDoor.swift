import HTTP
import Synchronization
import Telemetry

/// What HTTP answers: until the program is wired, what it is at; from then on its own routes.
///
/// The address is bound before anything else is done, so a liveness probe finds a process that is alive, however long its
/// database takes to be checked. Thread-safe.
final class FrontDoor: Sendable {
    private enum Phase {
        case starting(task: String, since: ContinuousClock.Instant)
        case open(Router)
    }

    private let phase = Mutex(Phase.starting(task: "it is being wired", since: .now))
    private let pages: ProblemPages

    /// - Parameter pages: what is shown of problems, from the first moment on: `starting` is one.
    init(pages: ProblemPages) {
        self.pages = pages
    }

    /// What the server is given.
    var router: Router {
        var router = Router { [self] request, logger in await answer(request, logger) }
        router.onRefusal = { [self] method, status in
            if case .open(let router) = phase.withLock({ $0 }) { router.onRefusal(method, status) }
        }
        return router
    }

    /// Says what the program is at from now on.
    func starting(_ task: String) {
        phase.withLock { phase in
            if case .starting = phase { phase = .starting(task: task, since: .now) }
        }
    }

    /// From now on these routes answer.
    func open(_ router: Router) {
        phase.withLock { $0 = .open(router) }
    }

    private func answer(_ request: HTTPRequest, _ logger: Logger) async -> HTTPResponse {
        switch phase.withLock({ $0 }) {
        case .open(let router):
            await router.respond(to: request, logger: logger)
        case .starting(let task, let since):
            pages.page(for: request) ?? Self.answer(request, task: task, for: since.duration(to: .now))
        }
    }

    /// What is answered while the program is at that task, for so long.
    static func answer(_ request: HTTPRequest, task: String, for time: Duration) -> HTTPResponse {
        let isReading = request.method == "GET" || request.method == "HEAD"
        switch request.path {
        case "/livez" where isReading:
            return HealthRoutes.live
        case "/readyz" where isReading:
            let finding = Readiness.Finding(name: "start", problem: "\(task), for \(time.components.seconds) s")
            return HealthRoutes.answer([finding], isVerbose: false)
        default:
            return Problem(
                .starting,
                detail: "It takes requests once it has started: \(task).",
                headers: ["Retry-After": "1"]
            ).response
        }
    }
}
