internal import AMQP
internal import AMQPInMemory
public import Database
public import Events
internal import FoundationEssentials
public import Messaging
internal import Telemetry

/// Lends a service that runs with its real messaging - event store, forwarder, inbox, retries, dead letters - on a broker in
/// memory and a database that is removed at the end.
///
///     try await withTestService("loyalty", hears: [OrderConfirmed.type], migrations: [points]) { service in
///         LoyaltyHandlers().register(on: service.subscriber)
///     } test: { service in
///         try await service.receive(OrderConfirmed(…))
///         #expect(try await service.published(PointsGranted.self).map(\.points) == [19])
///         #expect(try await service.deadLetters().isEmpty)
///     }
///
/// No time has to pass: `advance(by:)` lets what waits become due. Any number of services may run at once.
///
/// - Parameters:
///   - name: the service, as in its `ServiceDescription`.
///   - types: the events that its queue gets.
///   - migrations: the tables of its own.
///   - retryPolicy: by default an hour between attempts, so that none is made while the test looks; six of them, as usual.
///   - wire: registers the handlers, before anything runs.
///   - test: uses the service while it runs.
/// - Throws: what `wire` and `test` throw; `DatabaseError` when the database cannot be made.
public func withTestService<Result: Sendable>(
    _ name: String,
    hears types: [EventType] = [],
    migrations: [MigrationSet] = [],
    ordering: Subscriber.Ordering = .perSubject,
    afterDeadLetter: Subscriber.AfterDeadLetter = .hold,
    retryPolicy: RetryPolicy = TestService.retryPolicy,
    wire: (TestService) async throws -> Void,
    test: (TestService) async throws -> Result
) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "warren-test-\(UUIDv7.make())")
    defer { try? FileManager.default.removeItem(at: folder) }
    var configuration = MessagingConfiguration(
        service: name,
        source: "/\(name)-service",
        brokerURLs: [],
        topology: Topology([.init(name, to: types)])
    )
    configuration.retryPolicy = retryPolicy
    configuration.ordering = ordering
    configuration.afterDeadLetter = afterDeadLetter
    let service = try await TestService(
        configuration,
        migrations: migrations,
        at: folder.appending(path: "\(name).db").path
    )
    let outcome: Swift.Result<Result, any Error>
    do {
        try await wire(service)
        outcome = .success(try await service.running { try await test(service) })
    } catch {
        outcome = .failure(error)
    }
    await service.database.close()
    return try outcome.get()
}

/// A service under test; `withTestService` lends one.
public final class TestService: Sendable {
    /// An hour between attempts, six of them: none is made by itself while a test looks.
    public static let retryPolicy = RetryPolicy(attempts: 6, base: .seconds(3600), factor: 1, cap: .seconds(3600))
    /// Nothing that a test waits for may take longer.
    private static let patience = Duration.seconds(60)

    /// Where handlers are registered.
    public var subscriber: Subscriber { runtime.subscriber }
    /// Where the service's own events are appended.
    public var events: EventStore { runtime.events }
    /// The service's database, migrated.
    public let database: Database
    private let runtime: MessagingRuntime
    private let network = InMemoryNetwork()
    private let consumer: InMemoryConsumer
    private let outside: InMemoryPublisher
    private let configuration: MessagingConfiguration

    init(_ configuration: MessagingConfiguration, migrations: [MigrationSet], at path: String) async throws {
        database = try await Database.open(
            "sqlite:\(path)",
            migrations: [MessagingRuntime.migrations] + migrations,
            logger: .silent
        )
        let topology = configuration.brokerTopology
        consumer = network.makeConsumer(
            queue: configuration.service,
            prefetch: configuration.prefetch,
            topology: topology
        )
        let net = network.makeConsumer(queue: Topology.deadLetterQueue(of: configuration.service), topology: topology)
        outside = network.makePublisher(topology: topology)
        runtime = MessagingRuntime(
            configuration,
            database: database,
            publisher: network.makePublisher(topology: topology, window: configuration.forwarderWindow),
            consumer: consumer,
            brokerDeadLetterConsumer: net,
            logger: .silent
        )
        self.configuration = configuration
    }

    /// Runs messaging beside `body`, and ends it in order.
    func running<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        let parts = [Task { await outside.run() }, Task { await runtime.run(grace: .seconds(10)) }]
        func end() async {
            for part in parts { part.cancel() }
            for part in parts { await part.value }
        }
        do {
            for await state in runtime.states where state == .ready { break }
            let result = try await body()
            await end()
            return result
        } catch {
            await end()
            throw error
        }
    }

    /// Publishes an event as another service would, and returns when this one has done with it: handled, put off, or dead, and
    /// what the handler appended is published.
    ///
    /// - Parameters:
    ///   - id: give the same one twice to deliver the event twice.
    ///   - source: where it comes from; by default where its contract says, or from `/elsewhere`.
    /// - Throws: `TestServiceError` when no queue gets the event, or it takes longer than a minute.
    public func receive(_ event: some Event, id: String? = nil, source: String? = nil) async throws {
        let type = Swift.type(of: event)
        let envelope = Envelope(
            id: id ?? UUIDv7.make(),
            source: source ?? type.source ?? "/elsewhere",
            type: type.type,
            subject: event.subject,
            time: Timestamp.now().description,
            correlationID: event.subject,
            data: try event.encodedData()
        )
        do {
            try await outside.publish(envelope.publication)
        } catch let error as AMQPError where error.code == .returned {
            throw TestServiceError(
                description: "the queue of \(configuration.service) does not get \(envelope.type): add it to `hears`"
            )
        }
        try await settle()
    }

    /// Waits until nothing is left to do before time passes: every event is published, every delivery handled or waiting.
    ///
    /// `receive` and `advance` do so by themselves; it is for what a test appends.
    public func settle() async throws {
        let deadline = ContinuousClock.now + Self.patience
        while ContinuousClock.now < deadline {
            // What has come in meanwhile may have left behind what the look before has not seen.
            let delivered = consumer.statistics.delivered
            if isQueueEmpty, try await runtime.hasSettled(), isQueueEmpty, consumer.statistics.delivered == delivered {
                return
            }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw TestServiceError(description: "\(configuration.service) was still at work after \(Self.patience)")
    }

    /// Lets that much time pass for what waits - retries, deferrals, timeouts - and waits until what is due is done.
    ///
    /// It is the kit's own waiting that passes: times in the service's own tables and `WallClock` stay what they are.
    public func advance(by time: Duration) async throws {
        try await settle()
        try await runtime.skip(time)
        try await settle()
    }

    /// Lets time pass up to the next retry, deferral or timeout.
    ///
    /// - Returns: how much it was; nil when nothing waits for its time.
    @discardableResult
    public func advanceToNextDue() async throws -> Duration? {
        try await settle()
        guard let time = try await runtime.untilNextDue() else { return nil }
        try await advance(by: time)
        return time
    }

    /// The events of that type that the service has published, in their order.
    public func published<E: Event>(_ type: E.Type) async throws -> [E] {
        try await envelopes().filter { $0.type == E.type }.map { try E(decodingData: $0.data) }
    }

    /// Everything that the service has published, in its order.
    public func envelopes() async throws -> [Envelope] {
        var found: [Envelope] = []
        var position: Int64 = 0
        while true {
            var query = EventLogQuery()
            query.after = position
            query.limit = 1000
            let page = try await runtime.eventLog.page(query)
            found += try page.envelopes.map { try Envelope(decoding: $0) }
            guard page.next < page.head else { return found }
            position = page.next
        }
    }

    /// What the service has given up on, newest first.
    public func deadLetters() async throws -> [DeadLetter] {
        try await runtime.deadLetters.list(DeadLetterFilter(), after: nil, limit: 1000)
    }

    /// Tries a dead letter again, as `warren dead-letters retry` does.
    public func retry(_ letter: DeadLetter) async throws {
        _ = try await runtime.deadLetters.retry(letter.id, actor: "test", reason: "test")
        try await settle()
    }

    /// What waits.
    public func backlog() async throws -> Backlog {
        try await runtime.backlog()
    }

    private var isQueueEmpty: Bool {
        let queue = configuration.service
        return network.withBroker { $0.readyCount(of: queue) == 0 && $0.unackedCount(of: queue) == 0 }
    }
}

/// A test cannot go on.
public struct TestServiceError: Error, CustomStringConvertible {
    /// Why.
    public let description: String
}
