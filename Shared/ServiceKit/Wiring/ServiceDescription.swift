public import Database
public import HTTP
public import Messaging

/// What a service is made of; `main` hands it to `runService`.
public struct ServiceDescription: Sendable {
    /// The short name, `order`.
    ///
    /// From it follow the queue, the default database `sqlite:order.db` and the event source `/order-service`.
    public var name: String
    /// What the service does, one line of `--help`.
    public var summary: String
    /// The port on loopback where HTTP is served unless a setting says otherwise.
    public var httpPort: Int
    /// Who subscribes to what in the whole system.
    public var topology: Topology
    /// Who subscribes to what where that depends on settings; nil where `topology` always holds.
    public var topologyInSettings: (@Sendable (Settings) -> Topology)?
    /// The tables of the service's own, after those of the kit.
    public var migrations: [MigrationSet]
    /// The settings of the service's own, beside those of the kit.
    public var settings: [SettingDeclaration]
    /// The OpenAPI document of the service's own API, served at `/openapi.yaml` of its public address; where it is nil, the
    /// document there describes what every service has, and no route of this one's own.
    ///
    /// With `resources: [.embedInCode("openapi.yaml")]` in the manifest it is `PackageResources.openapi_yaml`.
    public var openAPI: [UInt8]?
    /// The kinds of problems that the service's own routes answer beside the kit's: each gets its page under `/problems`.
    public var problems: [ProblemKind] = []
    /// In what order the service handles deliveries.
    public var ordering: Subscriber.Ordering = .perSubject
    /// What becomes of a subject's later deliveries when one of them is dead.
    public var afterDeadLetter: Subscriber.AfterDeadLetter = .hold
    /// How failed deliveries are tried again unless `WARREN_RETRY_ATTEMPTS` and its like say otherwise: what a service waits for may
    /// need a schedule of its own.
    public var retryPolicy = RetryPolicy.standard

    /// How often the service says again what those must find who begin to follow it late; nil where it does not.
    ///
    /// It starts only where `WARREN_EVENT_RETENTION` is twice as long at least: otherwise events would be gone before they are said again.
    public var restatementInterval: Setting<Duration>?

    /// Whether the service publishes, consumes, or does both.
    public var role: MessagingRole = .publishesAndConsumes

    /// Describes a service.
    public init(
        name: String,
        summary: String,
        httpPort: Int,
        topology: Topology,
        migrations: [MigrationSet] = [],
        settings: [SettingDeclaration] = []
    ) {
        self.name = name
        self.summary = summary
        self.httpPort = httpPort
        self.topology = topology
        self.migrations = migrations
        self.settings = settings
    }

    func topology(in settings: Settings) -> Topology {
        topologyInSettings?(settings) ?? topology
    }
}
