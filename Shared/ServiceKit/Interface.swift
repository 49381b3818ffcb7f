// The module's interface, to be spread over files named for their concepts as it is implemented.
public import Database
public import HTTP
public import Messaging
public import Telemetry

/// One setting from the environment: `NAME`, or `NAME_FILE` naming a file that holds the value.
public struct Setting<Value: Sendable>: Sendable {
    /// `parse` returns nil when the text is not valid; `expected` says what would be (`a URL`, `a whole number from 1`).
    public init(
        _ name: String, default: String?, secret: Bool = false, expected: String, help: String,
        parse: @escaping @Sendable (String) -> Value?
    ) { fatalError() }
    /// Type-erased, for the list that a service declares.
    public var declaration: SettingDeclaration { fatalError() }
}
extension Setting where Value == String {
    public static func text(_ name: String, default: String?, secret: Bool = false, help: String) -> Setting<String> { fatalError() }
    /// An absolute URL whose scheme is one of `schemes`.
    public static func url(_ name: String, default: String?, schemes: [String], secret: Bool = false, help: String) -> Setting<String> { fatalError() }
}
extension Setting where Value == Int {
    public static func integer(_ name: String, default: Int, in range: ClosedRange<Int>, help: String) -> Setting<Int> { fatalError() }
}
extension Setting where Value == Duration {
    /// `500ms`, `10s`, `5m`, `24h`.
    public static func duration(_ name: String, default: String, help: String) -> Setting<Duration> { fatalError() }
}
public struct SettingDeclaration: Sendable {}

/// Checked settings.
public struct Settings: Sendable {
    public subscript<Value>(setting: Setting<Value>) -> Value { fatalError() }
}

/// What a service is made of; `main` runs it.
public struct ServiceDescription: Sendable {
    /// `order`: the queue, the default database `sqlite:order.db`, and the event source `/order-service`.
    public var name: String
    public var summary: String
    public var httpPort: Int
    public var topology: Topology
    public var migrations: [MigrationSet]
    public var settings: [SettingDeclaration]
    public var ordering: Subscriber.Ordering = .perSubject
    public var afterDeadLetter: Subscriber.AfterDeadLetter = .hold
    public init(
        name: String, summary: String, httpPort: Int, topology: Topology, migrations: [MigrationSet] = [],
        settings: [SettingDeclaration] = []
    ) { fatalError() }
}

/// What the wiring closure gets.
public struct ServiceContext: Sendable {
    public var settings: Settings { fatalError() }
    public var database: Database { fatalError() }
    public var events: EventStore { fatalError() }
    public var subscriber: Subscriber { fatalError() }
    public var logger: Logger { fatalError() }
    /// Registers a route beside those that every service has.
    public func route(_ method: String, _ pattern: String, _ handler: @escaping Router.Handler) { fatalError() }
    /// A named check for `/readyz`: nil when well, otherwise what is wrong.
    public func readinessCheck(_ name: String, _ check: @escaping @Sendable () async -> String?) { fatalError() }
    /// Something that runs beside the service until it stops.
    public func background(_ name: String, _ run: @escaping @Sendable () async throws -> Void) { fatalError() }
    /// Something to close at the end.
    public func onClose(_ close: @escaping @Sendable () async -> Void) { fatalError() }
}

/// The entry point of a service's `main.swift`: `--help`, settings (all faults at once, exit 2), database, migrations,
/// messaging, HTTP, signals, orderly end. Does not return.
public func runService(
    _ description: ServiceDescription, wire: @escaping @Sendable (ServiceContext) async throws -> Void
) async -> Never { fatalError() }

/// The same for a program without database and messaging (the sandbox): settings, HTTP, `/livez`, `/readyz`, signals.
public func runServer(
    name: String, summary: String, httpPort: Int, settings: [SettingDeclaration],
    wire: @escaping @Sendable (ServerContext) async throws -> Void
) async -> Never { fatalError() }
public struct ServerContext: Sendable {
    public var settings: Settings { fatalError() }
    public var logger: Logger { fatalError() }
    public func route(_ method: String, _ pattern: String, _ handler: @escaping Router.Handler) { fatalError() }
}
