import HTTP
import Telemetry

/// Runs a program's HTTP server and its other parts until it is asked to stop or one of them fails, then stops them in
/// order: HTTP, the parts, the close hooks.
struct Lifecycle: Sendable {
    /// Something that runs until it is cancelled.
    struct Part: Sendable {
        let name: String
        /// Whether it may return before.
        let mayEnd: Bool
        let run: @Sendable () async throws -> Void
    }

    /// How the time for an orderly stop is shared out.
    ///
    /// What one stage leaves over is not lost: the next begins earlier.
    struct Budget: Sendable {
        let http: Duration
        let parts: Duration
        let closers: Duration

        /// Shares that together end before `grace` does, when the process is ended by force.
        init(grace: Duration) {
            http = grace / 4
            parts = grace / 2
            closers = grace / 5
        }

        /// What the parts themselves are told, so that they are done before they are given up.
        var partsGrace: Duration { parts * 9 / 10 }
    }

    /// An HTTP server of the program.
    struct Server: Sendable {
        let name: String
        /// The key of its port in the log: `http.port`.
        let portKey: StaticString
        /// Serves until it is cancelled; throws when it cannot.
        let serve: @Sendable () async throws -> Void
        /// Waits until HTTP is served and gives the port.
        let port: @Sendable () async throws -> Int
    }

    private enum Happening: Sendable {
        case serving(server: String, port: Int)
        case stopRequested
        case ended(part: String, error: (any Error)?)
    }

    let servers: [Server]
    /// Started once all of HTTP is served, cancelled together.
    let parts: [Part]
    /// Called one after the other, the last one first.
    let closers: [@Sendable () async -> Void]
    let readiness: Readiness
    let budget: Budget
    let stop: StopSignal
    let logger: Logger

    /// Runs until the end, and gives the exit code: 0 after an orderly stop that was asked for.
    @concurrent
    func run() async -> Int32 {
        let (happenings, report) = AsyncStream.makeStream(of: Happening.self)
        stop.onRequest { report.yield(.stopRequested) }
        let http = servers.map { server in
            let task = start(Part(name: server.name, mayEnd: false, run: server.serve), reportingTo: report)
            Task {
                // Where there is no port, the server's own end says why.
                if let port = try? await server.port() { report.yield(.serving(server: server.name, port: port)) }
            }
            return (name: server.name, task: task)
        }
        var ports: [String: Int] = [:]
        var running: [(name: String, task: Task<Void, Never>)] = []
        var watch: Task<Void, Never>?
        var code: Int32 = 0
        loop: for await happening in happenings {
            switch happening {
            case .serving(let server, let port):
                ports[server] = port
                guard ports.count == servers.count else { continue }
                // In the order of the servers.
                logger.info(
                    "the program serves",
                    servers.map { LogField($0.portKey, ports[$0.name] ?? 0) }
                )
                running = parts.map { ($0.name, start($0, reportingTo: report)) }
                watch = Task { await logReadiness() }
            case .stopRequested:
                break loop
            case .ended(let name, let error):
                let cause = error.map { LogField("error", error: $0) } ?? LogField("error", "it returned")
                logger.error("a part of the program failed", [LogField("part", name), cause])
                code = 1
                break loop
            }
        }
        // A stop from within has the same limit as one from without.
        stop.request()
        watch?.cancel()
        logger.info("the program stops")
        let isOrderly = await stopAll(http, then: running)
        return isOrderly ? code : 1
    }

    private func start(_ part: Part, reportingTo report: AsyncStream<Happening>.Continuation) -> Task<Void, Never> {
        Task {
            do {
                try await part.run()
                if !part.mayEnd { report.yield(.ended(part: part.name, error: nil)) }
            } catch {
                report.yield(.ended(part: part.name, error: error))
            }
        }
    }

    private func stopAll(
        _ http: [(name: String, task: Task<Void, Never>)],
        then running: [(name: String, task: Task<Void, Never>)]
    ) async -> Bool {
        var isOrderly = await end(http, within: budget.http)
        if await !end(running, within: budget.parts) { isOrderly = false }
        let closers = closers
        let closed: Void? = await Deadline.value(within: budget.closers) {
            for close in closers.reversed() { await close() }
        }
        if closed == nil {
            logger.warning("closing did not end in time")
            isOrderly = false
        }
        return isOrderly
    }

    /// Cancels tasks and waits for their ends; false when one of them did not end in time.
    private func end(_ tasks: [(name: String, task: Task<Void, Never>)], within limit: Duration) async -> Bool {
        for entry in tasks { entry.task.cancel() }
        return await withTaskGroup(of: Bool.self) { group in
            for entry in tasks {
                group.addTask {
                    let ended: Void? = await Deadline.value(within: limit) { await entry.task.value }
                    if ended == nil {
                        logger.warning("a part of the program did not stop in time", [LogField("part", entry.name)])
                    }
                    return ended != nil
                }
            }
            return await group.reduce(true) { $0 && $1 }
        }
    }

    /// Says once when the program is first ready, and after some seconds what it waits for until then.
    ///
    /// Readiness has no signal of its own, so it is asked for; only until then.
    private func logReadiness() async {
        let clock = ContinuousClock()
        let start = clock.now
        var hasWarned = false
        while !Task.isCancelled {
            let problems = await readiness.findings().filter { $0.problem != nil }
            if problems.isEmpty {
                let elapsed = start.duration(to: clock.now).components
                let milliseconds = elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
                logger.info("the program is ready", [LogField("ready.after_ms", milliseconds)])
                return
            }
            if !hasWarned && start.duration(to: clock.now) > .seconds(5) {
                let checks = problems.map(\.line).joined(separator: ", ")
                logger.warning("the program is not ready yet", [LogField("ready.problems", checks)])
                hasWarned = true
            }
            do {
                try await Task.sleep(for: hasWarned ? .seconds(1) : .milliseconds(200))
            } catch {
                return
            }
        }
    }
}

extension Lifecycle.Server {
    init(_ server: HTTPServer, _ name: String, portKey: StaticString, _ budget: Lifecycle.Budget) {
        self.init(
            name: name,
            portKey: portKey,
            serve: { try await server.run(grace: budget.http * 9 / 10) },
            port: { try await server.port() }
        )
    }
}
