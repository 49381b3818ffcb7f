import Database
import Events
import Glibc
import HTTP
import Messaging
import Synchronization
import Telemetry

/// The entry point of a service's `main.swift`; does not return.
///
/// Reads the settings (all faults at once, exit 2), serves HTTP, opens and migrates the database, wires, runs messaging and
/// the background parts, and stops in order on SIGTERM or SIGINT within `WARREN_SHUTDOWN_GRACE` (exit 0). A second
/// signal, or the end of the grace, ends the process at once (exit 1), as does a database that cannot be opened or an
/// address that cannot be bound. Until it is wired, `/livez` answers, `/readyz` says what it is at, and everything else is
/// answered by 503 with `Retry-After`. The broker being away is no such fault: the service comes up and says `not ready`.
public func runService(
    _ description: ServiceDescription,
    wire: @escaping @Sendable (ServiceContext) async throws -> Void
) async -> Never {
    let code = await ServiceRun(description: description, process: .current(), wire: wire).run()
    exit(code)
}

/// One run of a service, from its settings to its exit code.
struct ServiceRun: Sendable {
    let description: ServiceDescription
    let process: HostProcess
    let wire: @Sendable (ServiceContext) async throws -> Void

    @concurrent
    func run() async -> Int32 {
        let kit = KitSettings(
            service: description.name,
            httpPort: description.httpPort,
            retryPolicy: description.retryPolicy
        )
        let outcome = Startup.prepare(
            process,
            name: description.name,
            summary: description.summary,
            common: kit.common,
            declarations: kit.declarations + description.settings,
            check: { settings in
                kit.faults(in: settings)
                    + (description.restatementInterval.map { kit.retention.faults(in: settings, restatedEvery: $0) }
                        ?? [])
            }
        )
        switch outcome {
        case .exit(let code): return code
        case .run(let prepared):
            logStart(prepared, kit)
            let code = await start(prepared, kit)
            prepared.logger.info("the program has stopped", [LogField("process.exit_code", code)])
            return withExtendedLifetime(prepared.signals) { code }
        }
    }

    private func logStart(_ prepared: Startup.Prepared, _ kit: KitSettings) {
        let settings = prepared.settings
        let logger = prepared.logger
        logger.info(
            "the program starts",
            [
                LogField("service.name", description.name),
                LogField("service.version", Warren.version),
                LogField("http.address", prepared.address),
                LogField("operations.address", settings[kit.access.operationsAddress]),
                LogField("messaging.broker", settings[kit.broker].map(URLParts.redacted).joined(separator: ",")),
                LogField("database.url", settings[kit.database]),
                LogField("settings.given", settings.given.joined(separator: ",")),
            ]
        )
        if settings[kit.access.operationsTokens] == nil {
            logger.info("the operations API has no tokens and answers on loopback only")
        }
        if settings[kit.access.apiTokens] == nil, settings[kit.access.webKey] == nil {
            logger.info("the service's API has no tokens and answers on loopback only")
        }
    }

    /// Serves HTTP, opens the database, wires and runs; closes the database whatever happens.
    private func start(_ prepared: Startup.Prepared, _ kit: KitSettings) async -> Int32 {
        let logger = prepared.logger
        let opened = OpenedDatabase()
        let budget = Lifecycle.Budget(grace: prepared.grace)
        let code: Int32
        do {
            let catalogue = try ProblemCatalogue(ProblemKind.ofService + description.problems)
            let doors = FrontDoors(pages: ProblemPages(catalogue: catalogue))
            let publicServer = try HTTPServer(
                address: prepared.address,
                router: doors.publicDoor.router,
                limits: prepared.httpLimits,
                logger: logger.labelled("http")
            )
            let operationsServer = try HTTPServer(
                address: prepared.settings[kit.access.operationsAddress],
                router: doors.operationsDoor.router,
                limits: prepared.httpLimits,
                logger: logger.labelled("operations")
            )
            let servers = [(name: "http", server: publicServer), (name: "operations", server: operationsServer)]
            let lifecycle = Lifecycle(
                servers: [
                    Lifecycle.Server(publicServer, "http", portKey: "http.port", budget),
                    Lifecycle.Server(operationsServer, "operations", portKey: "operations.port", budget),
                ],
                wire: {
                    let database = try await open(prepared, kit, doors)
                    opened.keep(database)
                    return try await wired(prepared, kit, database, doors, servers, budget)
                },
                budget: budget,
                stop: process.stop,
                logger: logger
            )
            code = process.stop.isRequested ? 0 : await lifecycle.run()
        } catch {
            logger.error("the program cannot be started", [LogField("error", error: error)])
            code = 1
        }
        // What is left of the grace is the limit: from here on only the database is waited for.
        process.stop.request()
        await opened.database?.close()
        return code
    }

    /// The doors of both addresses.
    private struct FrontDoors: Sendable {
        let pages: ProblemPages
        let publicDoor: FrontDoor
        let operationsDoor: FrontDoor

        init(pages: ProblemPages) {
            self.pages = pages
            publicDoor = FrontDoor(pages: pages)
            operationsDoor = FrontDoor(pages: pages)
        }

        /// Says what the program is at from now on.
        func starting(_ task: String) {
            publicDoor.starting(task)
            operationsDoor.starting(task)
        }
    }

    /// What is closed at the end, once there is something to close.
    private final class OpenedDatabase: Sendable {
        private let kept = Mutex<Database?>(nil)

        var database: Database? { kept.withLock { $0 } }

        func keep(_ database: Database) { kept.withLock { $0 = database } }
    }

    private func open(
        _ prepared: Startup.Prepared,
        _ kit: KitSettings,
        _ doors: FrontDoors
    ) async throws -> Database {
        do {
            return try await Database.open(
                prepared.settings[kit.database],
                migrations: [MessagingRuntime.migrations] + description.migrations,
                logger: prepared.logger.labelled("database"),
                onStep: { step in
                    switch step {
                    case .opening: doors.starting("the database is being opened")
                    case .checking: doors.starting("the database is being checked after an unclean stop")
                    case .migrating(let name): doors.starting("the database is being migrated to \(name)")
                    }
                }
            )
        } catch {
            throw Lifecycle.StartFailure(message: "the database cannot be opened", cause: error)
        }
    }

    private func wired(
        _ prepared: Startup.Prepared,
        _ kit: KitSettings,
        _ database: Database,
        _ doors: FrontDoors,
        _ servers: [(name: String, server: HTTPServer)],
        _ budget: Lifecycle.Budget
    ) async throws -> Lifecycle.Wired {
        doors.starting("the service is being wired")
        let logger = prepared.logger
        let settings = prepared.settings
        let runtime = try MessagingRuntime(
            kit.messagingConfiguration(for: description, in: settings),
            database: database,
            logger: logger.labelled("messaging")
        )
        let metrics = MetricsRegistry()
        runtime.subscriber.use(HandlerTelemetry(registry: metrics, logger: logger.labelled("handlers")))
        let wiring = Wiring(logger: logger)
        try await wire(
            ServiceContext(
                settings: settings,
                database: database,
                events: runtime.events,
                subscriber: runtime.subscriber,
                logger: logger,
                metrics: metrics,
                wiring: wiring,
                runtime: runtime,
                operationsToken: settings[kit.access.operationsToken]
            )
        )
        let parts = wiring.seal()
        let operations = RuntimeOperations(runtime: runtime)
        let backlog = MessagingMetrics(
            source: operations,
            types: subscribedTypes(in: settings),
            logger: logger.labelled("metrics")
        )
        metrics.registerProcessMetrics()
        metrics.registerConnectionMetrics(servers.map { server in (server.name, { server.server.statistics }) })
        metrics.registerBuildInformation(service: description.name)
        metrics.registerMessagingCounters { runtime.counters }
        metrics.registerDatabaseMetrics { database.statistics }
        backlog.register(in: metrics)
        let readiness = Readiness(probes: [Self.probe(of: database), Self.probe(of: runtime)] + parts.checks)
        let health = HealthRoutes(readiness: readiness, metrics: metrics, metricsAccess: .operators(.read)) {
            await backlog.refresh()
        }
        let operationsRoutes = OperationsRoutes(
            service: description.name,
            source: operations,
            logger: logger.labelled("operations")
        )
        let eventRoutes = EventRoutes(service: description.name, log: runtime.eventLog)
        // Requests that wait for events end with the service; they would take up the grace otherwise.
        process.stop.onRequest { runtime.eventLog.stopWaiting() }
        let access = (
            operations: try kit.access.operations(in: settings, logger: logger),
            api: try kit.access.api(in: settings, logger: logger)
        )
        func router(_ routes: [Wiring.Route], on address: String) throws -> Router {
            let guards = Doors(
                hosts: HostPolicy(names: prepared.hosts, listeningOn: address),
                operations: access.operations,
                api: access.api
            )
            return try RouterAssembly.router(of: routes, behind: guards, metrics: metrics, logger: logger)
        }
        let document = [Wiring.Route.document(description.openAPI ?? PackageResources.public_yaml)]
        doors.publicDoor.open(
            try router(health.probes + doors.pages.routes + document + parts.routes, on: prepared.address)
        )
        doors.operationsDoor.open(
            try router(
                health.probes + health.gauges + operationsRoutes.routes + eventRoutes.routes
                    + doors.pages.routes + [.document(PackageResources.openapi_yaml)],
                on: settings[kit.access.operationsAddress]
            )
        )
        let messaging = Lifecycle.Part(name: "messaging", mayEnd: false) { await runtime.run(grace: budget.partsGrace) }
        return Lifecycle.Wired(
            parts: [messaging] + parts.backgrounds,
            closers: parts.closers,
            readiness: readiness
        )
    }

    private func subscribedTypes(in settings: Settings) -> Set<String> {
        let own = description.topology(in: settings).subscriptions.filter { $0.subscriber == description.name }
        return Set(own.flatMap { $0.types.map(\.rawValue) })
    }

    /// Whether the database answers a query, and nothing holds its writer.
    private static func probe(of database: Database) -> Readiness.Probe {
        .single("database") {
            do {
                _ = try await database.read { try $0.first("SELECT 1") != nil }
                return stuckWriter(database.statistics)
            } catch {
                return String(describing: error)
            }
        }
    }

    /// What is wrong when a write takes longer than it may, and cannot be given up.
    static func stuckWriter(_ statistics: Database.Statistics) -> String? {
        let seconds = Int(statistics.presentWriteSeconds)
        guard .seconds(seconds) > Database.writeDeadline else { return nil }
        return "the writer has been at one thing for \(seconds) s, \(statistics.waitingWrites) writes wait: see the log"
    }

    /// The broker's connections.
    private static func probe(of runtime: MessagingRuntime) -> Readiness.Probe {
        Readiness.Probe(name: "broker") {
            let (problems, advisory) = (runtime.problems(), runtime.advisoryChecks)
            let checks = runtime.checks
            let others = problems.map(\.check).filter { !checks.contains($0) }
            return (checks + others).map { name in
                Readiness.Finding(
                    name: name,
                    problem: problems.first { $0.check == name }?.problem,
                    isAdvisory: advisory.contains(name)
                )
            }
        }
    }
}
