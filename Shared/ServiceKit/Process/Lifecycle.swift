import HTTP
import Telemetry

/// Runs a program until it is asked to stop or a part of it fails.
///
/// HTTP is first, and answers whatever the rest is at; then the wiring, then the parts. They stop in order: HTTP, the wiring or
/// the parts, the close hooks.
struct Lifecycle: Sendable {
    /// Something that runs until it is cancelled.
    struct Part: Sendable {
        let name: String
        /// Whether it may return before.
        let mayEnd: Bool
        let run: @Sendable () async throws -> Void
    }

    /// What a program consists of once it is wired.
    struct Wired: Sendable {
        /// Started once it is wired, cancelled together.
        var parts: [Part] = []
        /// Called one after the other, the last one first.
        var closers: [@Sendable () async -> Void] = []
        var readiness = Readiness(probes: [])
    }

    /// Why a program cannot be started, in the log's words.
    struct StartFailure: Error {
        let message: StaticString
        let cause: any Error
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
        case wired(Wired)
        case notWired(any Error)
        case stopRequested
        case ended(part: String, error: (any Error)?)
    }

    let servers: [Server]
    /// Wires the program; called once all of HTTP is served, and cancelled where the program has to stop before it has ended.
    let wire: @Sendable () async throws -> Wired
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
        var wiring: Task<Wired?, Never>?
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
                wiring = startWiring(reportingTo: report)
            case .wired(let wired):
                running = wired.parts.map { ($0.name, start($0, reportingTo: report)) }
                watch = Task { await logReadiness(wired.readiness) }
            case .notWired(let error):
                if let failure = error as? StartFailure {
                    logger.error(failure.message, [LogField("error", error: failure.cause)])
                } else {
                    logger.error("the program cannot be started", [LogField("error", error: error)])
                }
                code = 1
                break loop
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
        let isOrderly = await stopAll(http, wiring, then: running)
        return isOrderly ? code : 1
    }

    private func startWiring(reportingTo report: AsyncStream<Happening>.Continuation) -> Task<Wired?, Never> {
        Task {
            do {
                let wired = try await wire()
                report.yield(.wired(wired))
                return wired
            } catch {
                report.yield(.notWired(error))
                return nil
            }
        }
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
        _ wiring: Task<Wired?, Never>?,
        then running: [(name: String, task: Task<Void, Never>)]
    ) async -> Bool {
        var isOrderly = await end(http, within: budget.http)
        var closers: [@Sendable () async -> Void] = []
        if let wiring {
            wiring.cancel()
            if let wired = await Deadline.value(within: budget.parts, of: { await wiring.value }) {
                closers = wired?.closers ?? []
            } else {
                logger.warning("the start of the program did not end in time")
                isOrderly = false
            }
        }
        if await !end(running, within: budget.parts) { isOrderly = false }
        let all = closers
        let closed: Void? = await Deadline.value(within: budget.closers) {
            for close in all.reversed() { await close() }
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
    private func logReadiness(_ readiness: Readiness) async {
        let clock = ContinuousClock()
        let start = clock.now
        var hasWarned = false
        while !Task.isCancelled {
            let problems = await readiness.findings().filter(\.isFailing)
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
