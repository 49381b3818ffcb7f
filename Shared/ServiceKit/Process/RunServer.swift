import Glibc
public import HTTP
import Telemetry

/// The entry point of a program without database and messaging; does not return.
///
/// `problems` are the kinds that its routes answer beside the kit's.
///
/// Settings, HTTP with `/livez`, `/readyz` and `/metrics`, signals and the orderly end are those of `runService`.
public func runServer(
    name: String,
    summary: String,
    httpPort: Int,
    settings: [SettingDeclaration],
    problems: [ProblemKind] = [],
    wire: @escaping @Sendable (ServerContext) async throws -> Void
) async -> Never {
    let run = ServerRun(
        name: name,
        summary: summary,
        httpPort: httpPort,
        declarations: settings,
        problems: problems,
        process: .current(),
        wire: wire
    )
    exit(await run.run())
}

/// One run of such a program, from its settings to its exit code.
struct ServerRun: Sendable {
    let name: String
    let summary: String
    let httpPort: Int
    let declarations: [SettingDeclaration]
    let problems: [ProblemKind]
    let process: HostProcess
    let wire: @Sendable (ServerContext) async throws -> Void

    @concurrent
    func run() async -> Int32 {
        let common = CommonSettings(httpPort: httpPort)
        let outcome = Startup.prepare(
            process,
            name: name,
            summary: summary,
            common: common,
            declarations: common.declarations + declarations
        )
        switch outcome {
        case .exit(let code): return code
        case .run(let prepared):
            prepared.logger.info(
                "the program starts",
                [
                    LogField("service.name", name),
                    LogField("service.version", Warren.version),
                    LogField("http.address", prepared.address),
                    LogField("settings.given", prepared.settings.given.joined(separator: ",")),
                ]
            )
            let code = await start(prepared)
            prepared.logger.info("the program has stopped", [LogField("process.exit_code", code)])
            return withExtendedLifetime(prepared.signals) { code }
        }
    }

    private func start(_ prepared: Startup.Prepared) async -> Int32 {
        let budget = Lifecycle.Budget(grace: prepared.grace)
        do {
            let pages = ProblemPages(catalogue: try ProblemCatalogue(ProblemKind.ofProgram + problems))
            let door = FrontDoor(pages: pages)
            let server = try HTTPServer(
                address: prepared.address,
                router: door.router,
                limits: prepared.httpLimits,
                logger: prepared.logger.labelled("http")
            )
            let lifecycle = Lifecycle(
                servers: [Lifecycle.Server(server, "http", portKey: "http.port", budget)],
                wire: { try await wired(prepared, door, server, pages) },
                budget: budget,
                stop: process.stop,
                logger: prepared.logger
            )
            return process.stop.isRequested ? 0 : await lifecycle.run()
        } catch {
            prepared.logger.error("the program cannot be started", [LogField("error", error: error)])
            return 1
        }
    }

    private func wired(
        _ prepared: Startup.Prepared,
        _ door: FrontDoor,
        _ server: HTTPServer,
        _ pages: ProblemPages
    ) async throws -> Lifecycle.Wired {
        let logger = prepared.logger
        let metrics = MetricsRegistry()
        let wiring = Wiring(logger: logger)
        try await wire(
            ServerContext(settings: prepared.settings, logger: logger, metrics: metrics, wiring: wiring)
        )
        let parts = wiring.seal()
        metrics.registerProcessMetrics()
        metrics.registerConnectionMetrics([("http", { server.statistics })])
        metrics.registerBuildInformation(service: name)
        let readiness = Readiness(probes: parts.checks)
        let health = HealthRoutes(readiness: readiness, metrics: metrics, metricsAccess: .anyone, refreshMetrics: {})
        let doors = Doors(
            hosts: HostPolicy(names: prepared.hosts, listeningOn: prepared.address),
            operations: OperationsAccess(tokens: nil),
            api: APIAccess()
        )
        door.open(
            try RouterAssembly.router(
                of: health.probes + health.gauges + pages.routes + parts.routes,
                behind: doors,
                metrics: metrics,
                logger: logger
            )
        )
        return Lifecycle.Wired(parts: parts.backgrounds, closers: parts.closers, readiness: readiness)
    }
}
