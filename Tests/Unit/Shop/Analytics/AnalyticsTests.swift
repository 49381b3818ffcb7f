import Database
import Events
import FoundationEssentials
import HTTP
import ServiceTestSupport
import ShopEvents
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Analytics
@testable import Messaging
@testable import Sandbox

/// Analytics without a broker: its handlers on a database of its own, before the sandbox's data platform.
private struct AnalyticsWorld: Sendable {
    let database: Database
    let subscriber = Subscriber()
    let platform = DataPlatform()
    let events: EventStore

    static func with(
        key: String = "sk_test",
        // The machine may be busy; silence is waited for where it is what a test is about.
        timeout: Duration = .seconds(60),
        answering answer: HTTPResponse? = nil,
        _ body: (AnalyticsWorld) async throws -> Void
    ) async throws {
        let folder = try TemporaryFolder("analytics")
        let database = try await Database.open(
            "sqlite:\(folder.file("analytics.db").path)",
            migrations: [MessagingRuntime.migrations],
            logger: .silent
        )
        let world = AnalyticsWorld(
            database: database,
            events: EventStore(database: database, source: "/analytics-service", limits: EventLimits()) { _ in }
        )
        let routes = Mutex(Router())
        if let answer {
            routes.withLock { $0.on("PUT", "/platform/records/{id}") { _ in answer } }
        } else {
            PlatformAPI(platform: world.platform, key: "sk_test").register { method, pattern, handler in
                routes.withLock { $0.on(method, pattern, handler) }
            }
        }
        let client = HTTPClient()
        defer { client.close() }
        try await withServer(routes.withLock { $0 }) { url in
            let gateway = PlatformGateway(
                url: url + "/",
                key: key,
                timeout: timeout,
                pause: .seconds(15),
                client: client
            )
            AnalyticsHandlers(platform: gateway, logger: .silent).register(on: world.subscriber)
            try await body(world)
        }
        await database.close()
    }

    /// Hands an event to its handler, as the feed would.
    func deliver(
        _ event: some Event,
        id: String = UUIDv7.make(),
        time: String? = "2026-01-01T00:00:00.000Z"
    ) async throws {
        let envelope = Envelope(
            id: id,
            source: "/order-service",
            type: type(of: event).type,
            subject: event.subject,
            time: time,
            sequence: 1,
            correlationID: "flow",
            data: try event.encodedData()
        )
        let handler = try #require(subscriber.handler(of: envelope.type))
        let delivery = Delivery(envelope: envelope, attempt: 1, database: database, events: events) { _ in .processed }
        try await handler(delivery)
    }

    /// How the handler ends with that fault or answer.
    func failure(_ event: some Event = AnalyticsWorld.confirmed) async throws -> HandlerError {
        try #require(await #expect(throws: HandlerError.self) { try await deliver(event) })
    }

    static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace")
    static let total = Money(amount: 2500, currency: "EUR")
    static let confirmed = OrderConfirmed(orderID: "o", customer: customer, total: total)
}

@Suite("Analytics") struct AnalyticsTests {
    @Test func `tells the platform of orders that were confirmed, cancelled and refunded, and nothing of customers`()
        async throws
    {
        try await AnalyticsWorld.with { world in
            let (customer, total) = (AnalyticsWorld.customer, AnalyticsWorld.total)
            try await world.deliver(AnalyticsWorld.confirmed, id: "1")
            try await world.deliver(OrderCancelled(orderID: "o", customer: customer, total: total), id: "2")
            let refunded = OrderRefunded(orderID: "o", customer: customer, total: total, reason: "late-charge")
            try await world.deliver(refunded, id: "3")
            let time = "2026-01-01T00:00:00.000Z"
            func record(_ id: String, _ moment: String, reason: String? = nil) -> DataPlatform.Record {
                DataPlatform.Record(
                    id: id,
                    type: "dev.warren.order.\(moment)",
                    orderID: "o",
                    occurredAt: time,
                    amount: 2500,
                    currency: "EUR",
                    reason: reason
                )
            }
            #expect(
                world.platform.records == [
                    .init(record: record("1", "confirmed"), puts: 1),
                    .init(record: record("2", "cancelled"), puts: 1),
                    .init(record: record("3", "refunded", reason: "late-charge"), puts: 1),
                ]
            )
        }
    }

    @Test func `tells the same again under the same id, which the platform stores once`() async throws {
        try await AnalyticsWorld.with { world in
            for _ in 1...3 { try await world.deliver(AnalyticsWorld.confirmed, id: "1") }
            #expect(world.platform.records.map(\.puts) == [3])
        }
    }

    @Test(
        "waits for a platform that cannot take a record now, and costs it no attempt",
        arguments: [Fault.Kind.error, .errorAfter, .timeout, .unavailable, .rateLimit]
    )
    func notNow(kind: Fault.Kind) async throws {
        try await AnalyticsWorld.with(timeout: .seconds(kind == .timeout ? 2 : 60)) { world in
            world.platform.plan(Fault(kind: kind, delayMilliseconds: 0), count: 1)
            let before = WallClock.milliseconds()
            let error = try await world.failure()
            #expect(error.errorClass == "platform.unavailable")
            guard case .deferred(let until) = error.kind else {
                Issue.record("\(error) is \(error.kind)")
                return
            }
            // The sandbox's 429 says one second; the others nothing.
            let wait: Int64 = kind == .rateLimit ? 1000 : 15_000
            #expect((before + wait...WallClock.milliseconds() + wait).contains(until))
            try await world.deliver(AnalyticsWorld.confirmed, id: "again")
            #expect(world.platform.records.contains { $0.record.id == "again" })
        }
    }

    @Test func `waits for somebody to set the right key`() async throws {
        try await AnalyticsWorld.with(key: "wrong") { world in
            let error = try await world.failure()
            #expect(error.errorClass == "platform.unavailable")
            #expect(error.message.contains("PLATFORM_KEY"))
            guard case .deferred = error.kind else {
                Issue.record("\(error.kind)")
                return
            }
        }
    }

    @Test func `a record whose answer is cut off is stored, and counts as told`() async throws {
        try await AnalyticsWorld.with { world in
            world.platform.plan(Fault(kind: .reset, delayMilliseconds: 0), count: 1)
            try await world.deliver(AnalyticsWorld.confirmed)
            #expect(world.platform.records.count == 1)
        }
    }

    @Test func `another record under a known id is a dead letter, and so is one that the platform refuses`()
        async throws
    {
        try await AnalyticsWorld.with { world in
            try await world.deliver(AnalyticsWorld.confirmed, id: "1")
            let other = OrderConfirmed(orderID: "p", customer: AnalyticsWorld.customer, total: AnalyticsWorld.total)
            let error = try #require(
                await #expect(throws: HandlerError.self) { try await world.deliver(other, id: "1") }
            )
            #expect(error.errorClass == "platform.contradiction" && error.kind == .permanent)
            let timeless = try #require(
                await #expect(throws: HandlerError.self) { try await world.deliver(other, time: nil) }
            )
            #expect(timeless.errorClass == "platform.no-time" && timeless.kind == .permanent)
        }
        try await AnalyticsWorld.with(answering: HTTPResponse(status: 422)) { world in
            let error = try await world.failure()
            #expect(error.errorClass == "platform.refused" && error.kind == .permanent)
        }
    }

    @Test("does not believe an answer that is none", arguments: [204, 302, 408, 503])
    func odd(status: Int) async throws {
        try await AnalyticsWorld.with(answering: HTTPResponse(status: status, headers: ["Retry-After": "soon"])) {
            world in
            if status == 204 {
                try await world.deliver(AnalyticsWorld.confirmed)
            } else {
                #expect(try await world.failure().errorClass == "platform.unavailable")
            }
        }
    }
}
