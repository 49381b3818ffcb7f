import Database
import Events
import FoundationEssentials
import HTTP
import JSON
import ShopEvents
import Synchronization
import Telemetry
import TestSupport

@testable import Messaging
@testable import Order

/// Order without a broker: its API, handlers and store on a database of its own that is gone afterwards.
final class OrderWorld: Sendable {
    let database: Database
    let events: EventStore
    let subscriber = Subscriber()
    let router: Router
    let clock = OrderClock()

    private init(database: Database, contexts: Set<Shop.Context>) {
        self.database = database
        events = EventStore(
            database: database,
            source: "/order-service",
            limits: EventLimits(),
            timeouts: TimeoutDesk(
                table: DeliveryTable(subscriber: "order", ordering: .perSubject, afterDeadLetter: .hold),
                onScheduled: Signal()
            ),
            onCommit: { _ in }
        )
        let clock = clock
        let products = contexts.contains(.inventory) ? ProductPicture() : nil
        let api = OrderAPI(
            database: database,
            events: events,
            products: products,
            contexts: contexts,
            now: { clock.read() }
        )
        var router = Router()
        for route in OrderAPI.routes {
            router.on(route.method, route.pattern) { request in try await route.answer(api, request) }
        }
        self.router = router
        OrderHandlers(now: { clock.read() }).register(on: subscriber)
        products?.register(on: subscriber)
    }

    /// Lends a world.
    ///
    /// - Parameter hasInventory: whether the shop has one, which knows the prices and reserves first.
    static func with(hasInventory: Bool = false, _ body: (OrderWorld) async throws -> Void) async throws {
        try await with(hasInventory ? [.inventory] : [], body)
    }

    /// Lends a world of a shop with these contexts.
    static func with(_ contexts: Set<Shop.Context>, _ body: (OrderWorld) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "order-\(UUIDv7.make())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try await Database.open(
            "sqlite:\(folder.appending(path: "order.db").path)",
            migrations: [MessagingRuntime.migrations, OrderStore.migrations],
            logger: .silent
        )
        do {
            try await body(OrderWorld(database: database, contexts: contexts))
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    /// Sends a request to the API.
    func send(
        _ method: String,
        _ path: String,
        query: [(name: String, value: String)] = [],
        headers: [(String, String)] = [],
        body: String? = nil,
        by caller: Caller? = .local
    ) async -> HTTPResponse {
        var request = HTTPRequest(method: method, path: path)
        request.query = query
        request.caller = caller
        for (name, value) in headers { request.headers.add(name, value) }
        if let body {
            request.headers["Content-Type"] = "application/json"
            request.body = Array(body.utf8)
        }
        return await router.respond(to: request, logger: .silent)
    }

    /// Places the order of the fixtures and gives its id.
    func place() async throws -> String {
        let answer = await send("POST", "/orders", body: OrderFixtures.body)
        return try JSONValue(parsing: answer.body)["id"]?.text ?? ""
    }

    /// Hands an event to its handler, as the inbox would.
    func deliver(_ event: some Event) async throws {
        let envelope = Envelope(
            id: UUIDv7.make(),
            source: type(of: event).source ?? "/order-service",
            type: type(of: event).type,
            subject: event.subject,
            time: Timestamp.now().description,
            correlationID: "flow-\(event.subject)",
            data: try event.encodedData()
        )
        let delivery = Delivery(envelope: envelope, attempt: 1, database: database, events: events) { _ in .processed }
        guard let handler = subscriber.handler(of: envelope.type) else {
            throw HandlerError.permanent("event.unknown-type", "there is no handler")
        }
        try await handler(delivery)
    }

    /// The events in the store, oldest first.
    func stored() async throws -> [Envelope] {
        try await database.read { transaction in
            try transaction.query("SELECT envelope FROM warren_events ORDER BY position").map { row in
                try Envelope(decoding: try row["envelope"])
            }
        }
    }

    /// Their types without the common beginning.
    func storedTypes() async throws -> [String] {
        try await stored().map { String($0.type.rawValue.dropFirst("dev.warren.".count)) }
    }

    /// How many rows a table has.
    func count(_ table: String) async throws -> Int {
        try await database.read { transaction in
            try transaction.first("SELECT COUNT(*) AS rows FROM \(table)").map { try $0["rows"] } ?? 0
        }
    }
}

/// A clock that stands until it is moved.
final class OrderClock: Sendable {
    private let time = Mutex<Int64>(1_767_225_600_000)
    /// Milliseconds since 1970.
    func read() -> Int64 { time.withLock { $0 } }
    func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}
