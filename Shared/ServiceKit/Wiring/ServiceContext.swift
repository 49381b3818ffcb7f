public import Database
public import HTTP
public import Messaging
public import Telemetry

/// What the wiring closure of a service gets.
///
/// Routes, checks, background parts and close hooks are registered while wiring; later it is too late, and logged.
public struct ServiceContext: Sendable {
    /// The checked settings.
    public let settings: Settings
    /// The service's database, migrated.
    public let database: Database
    /// Where the service's events are appended.
    public let events: EventStore
    /// Where handlers are registered.
    public let subscriber: Subscriber
    /// The service's logger.
    public let logger: Logger
    /// The metrics that `/metrics` shows.
    public let metrics: MetricsRegistry
    let wiring: Wiring
    let runtime: MessagingRuntime
    let operationsToken: String?

    /// Registers a route of the service's own API, on its public address.
    ///
    /// - Parameter access: who may use it; `callers`, unless the route itself makes sure of who sends its requests.
    public func route(
        _ method: String,
        _ pattern: String,
        access: RouteAccess = .callers,
        _ handler: @escaping Router.Handler
    ) {
        wiring.route(method, pattern, access, handler)
    }

    /// A named check for `/readyz`: nil when well, otherwise what is wrong.
    ///
    /// It has two seconds; what it answers is shown to whoever can reach the port, so it holds no secrets.
    public func readinessCheck(_ name: String, _ check: @escaping @Sendable () async -> String?) {
        wiring.check(name, check)
    }

    /// Something that runs beside the service until it stops.
    ///
    /// It is cancelled at the end, together with messaging. It may return before; when it throws, the whole service
    /// stops in order and exits with 1.
    public func background(_ name: String, _ run: @escaping @Sendable () async throws -> Void) {
        wiring.background(name, run)
    }

    /// Something to close at the end, after HTTP and messaging and before the database; the last one registered first.
    public func onClose(_ close: @escaping @Sendable () async -> Void) {
        wiring.onClose(close)
    }
}

/// What the wiring closure of a program without database and messaging gets.
public struct ServerContext: Sendable {
    /// The checked settings.
    public let settings: Settings
    /// The program's logger.
    public let logger: Logger
    /// The metrics that `/metrics` shows.
    public let metrics: MetricsRegistry
    let wiring: Wiring

    /// Registers a route beside those that every program has, for whoever can reach the address.
    public func route(_ method: String, _ pattern: String, _ handler: @escaping Router.Handler) {
        wiring.route(method, pattern, .anyone, handler)
    }

    /// A named check for `/readyz`: nil when well, otherwise what is wrong.
    public func readinessCheck(_ name: String, _ check: @escaping @Sendable () async -> String?) {
        wiring.check(name, check)
    }

    /// Something that runs beside the server until it stops; when it throws, the program stops and exits with 1.
    public func background(_ name: String, _ run: @escaping @Sendable () async throws -> Void) {
        wiring.background(name, run)
    }

    /// Something to close at the end, after HTTP; the last one registered first.
    public func onClose(_ close: @escaping @Sendable () async -> Void) {
        wiring.onClose(close)
    }
}
