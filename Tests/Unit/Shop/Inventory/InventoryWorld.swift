import Database
import Events
import FoundationEssentials
import HTTP
import JSON
import ShopEvents
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Inventory
@testable import Messaging

/// Inventory without a broker: its API, handlers and stockroom on a database of its own that is gone afterwards.
///
/// At the end of each test its books are checked.
final class InventoryWorld: Sendable {
    static let start: Int64 = 1_767_225_600_000
    static let rules = Stockroom.Rules(terms: Reservation.Terms(keep: 3_600_000, wait: 30_000), low: 5)

    let database: Database
    let events: EventStore
    let subscriber = Subscriber()
    let router: Router
    let logs = CollectedLogs()
    let clock: Clock

    private init(database: Database, waitingAtOnce: Int) {
        self.database = database
        events = EventStore(
            database: database,
            source: "/inventory-service",
            limits: EventLimits(),
            timeouts: TimeoutDesk(
                table: DeliveryTable(subscriber: "inventory", ordering: .perSubject, afterDeadLetter: .hold),
                onScheduled: Signal()
            ),
            onCommit: { _ in }
        )
        let logger = Logger("inventory", sink: logs)
        var room = Stockroom(rules: Self.rules, logger: logger)
        room.waitingAtOnce = waitingAtOnce
        let clock = Clock()
        let api = InventoryAPI(database: database, events: events, room: room, now: { clock.read() })
        var router = Router()
        for route in InventoryAPI.routes {
            router.on(route.method, route.pattern) { request in try await route.answer(api, request) }
        }
        self.router = router
        self.clock = clock
        InventoryHandlers(room: room, now: { clock.read() }).register(on: subscriber)
    }

    /// A clock that stands until it is moved.
    final class Clock: Sendable {
        private let time = Mutex(InventoryWorld.start)
        /// Milliseconds since 1970.
        func read() -> Int64 { time.withLock { $0 } }
        func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
    }

    /// Lends a world, and checks its books at the end.
    static func with(waitingAtOnce: Int = 200, _ body: (InventoryWorld) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "inventory-\(UUIDv7.make())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try await Database.open(
            "sqlite:\(folder.appending(path: "inventory.db").path)",
            migrations: [MessagingRuntime.migrations, InventoryTables.migrations],
            logger: .silent
        )
        do {
            let world = InventoryWorld(database: database, waitingAtOnce: waitingAtOnce)
            try await body(world)
            #expect(try await world.faultsOfBooks() == [])
        } catch {
            await database.close()
            throw error
        }
        await database.close()
    }

    // MARK: HTTP

    /// Sends a request to the API.
    @discardableResult
    func send(
        _ method: String,
        _ path: String,
        query: [(name: String, value: String)] = [],
        key: String? = nil,
        body: String? = nil,
        by caller: Caller? = .local
    ) async -> HTTPResponse {
        var request = HTTPRequest(method: method, path: path)
        request.query = query
        request.caller = caller
        if let key { request.headers["Idempotency-Key"] = key }
        if let body {
            request.headers["Content-Type"] = "application/json"
            request.body = Array(body.utf8)
        }
        return await router.respond(to: request, logger: .silent)
    }

    /// Lists a product and puts that many on its shelf.
    func stock(_ sku: String, _ count: Int, name: String? = nil) async throws {
        let body = #"{"name": "\#(name ?? "Product \(sku)")", "price": {"amount": 650, "currency": "EUR"}}"#
        #expect([200, 201].contains(await send("PUT", "/products/\(sku)", body: body).status))
        guard count > 0 else { return }
        #expect(await send("POST", "/products/\(sku)/stock", body: #"{"change": \#(count)}"#).status == 200)
    }

    /// Tries to reserve, as a client; gives the status.
    @discardableResult
    func reserve(_ id: String, _ lines: [(String, Int)]) async -> Int {
        let lines = lines.map { #"{"sku": "\#($0.0)", "quantity": \#($0.1)}"# }.joined(separator: ",")
        return await send("POST", "/reservations", body: #"{"id": "\#(id)", "lines": [\#(lines)]}"#).status
    }

    /// On hand and reserved.
    func shelf(_ sku: String) async throws -> [Int] {
        let stock = try await database.read { try ProductStore().find(sku, in: $0) }?.stock
        return stock.map { [$0.onHand, $0.reserved] } ?? []
    }

    // MARK: Events

    private static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace")
    private static let total = Money(amount: 1300, currency: "EUR")

    func place(_ order: String, _ lines: [(String, Int)]) async throws {
        let lines = lines.map { OrderLine(sku: $0.0, quantity: $0.1, unitPrice: 650) }
        try await deliver(OrderPlaced(orderID: order, customer: Self.customer, lines: lines, total: Self.total))
    }

    func confirm(_ order: String) async throws {
        try await deliver(OrderConfirmed(orderID: order, customer: Self.customer, total: Self.total))
    }

    func cancel(_ order: String) async throws {
        try await deliver(OrderCancelled(orderID: order, customer: Self.customer, total: Self.total))
    }

    func cancelLines(_ order: String, _ lines: [(String, Int)]) async throws {
        try await deliver(
            OrderLinesCancelled(
                orderID: order,
                customer: Self.customer,
                number: 1,
                lines: lines.map { OrderLine(sku: $0.0, quantity: $0.1, unitPrice: 650) },
                total: Self.total
            )
        )
    }

    func reject(_ order: String) async throws {
        try await deliver(OrderRejected(orderID: order, customer: Self.customer, reason: "payment-declined"))
    }

    /// Hands an event to its handler, as the inbox would.
    func deliver(_ event: some Event) async throws {
        let envelope = Envelope(
            id: UUIDv7.make(),
            source: "/order-service",
            type: type(of: event).type,
            subject: event.subject,
            time: Timestamp.now().description,
            correlationID: "flow-\(event.subject)",
            data: try event.encodedData()
        )
        try await deliver(envelope, receipt: { _ in .processed })
    }

    private func deliver(
        _ envelope: Envelope,
        receipt: @escaping @Sendable (Transaction) throws -> Delivery.Outcome
    ) async throws {
        let delivery = Delivery(envelope: envelope, attempt: 1, database: database, events: events, receipt: receipt)
        guard let handler = subscriber.handler(of: envelope.type) else {
            throw HandlerError.permanent("event.unknown-type", "there is no handler")
        }
        try await handler(delivery)
    }

    // MARK: Timeouts

    /// A timeout that waits.
    struct Timeout: Sendable {
        let key: String
        let envelope: Envelope
    }

    /// What waits for its time, by its key.
    func timeout(_ key: String) async throws -> Timeout? { try await timeouts().first { $0.key == key } }

    /// All that waits for its time.
    func timeouts() async throws -> [Timeout] {
        try await database.read { transaction in
            try transaction.query(
                """
                SELECT t.key, d.body FROM warren_timeouts t JOIN warren_deliveries d ON d.id = t.delivery_id
                WHERE d.status = 'scheduled' ORDER BY t.key
                """
            ).map { Timeout(key: try $0["key"], envelope: try Envelope(decoding: try $0["body"])) }
        }
    }

    /// Lets the time of a timeout come, whatever has become of it: one that was taken back does nothing.
    func fire(_ timeout: Timeout?) async throws {
        let envelope = try #require(timeout).envelope
        try await deliver(envelope) { transaction in
            let taken = try transaction.execute(
                "UPDATE warren_deliveries SET status = 'processed' WHERE event_id = $1 AND status = 'scheduled'",
                envelope.id
            )
            return taken == 1 ? .processed : .duplicate
        }
    }

    /// Hands the event of a timeout to its handler although it was taken back, as if it had been due just before.
    func fireAllTheSame(_ timeout: Timeout?) async throws {
        try await deliver(try #require(timeout).envelope, receipt: { _ in .processed })
    }

    // MARK: What became of it

    /// The events in the store, oldest first.
    func stored() async throws -> [Envelope] {
        try await database.read { transaction in
            try transaction.query("SELECT envelope FROM warren_events ORDER BY position").map { row in
                try Envelope(decoding: try row["envelope"])
            }
        }
    }

    /// What was said of a subject: types without their common beginning, with the reason or the level where there is one.
    func said(of subject: String) async throws -> [String] {
        try await stored().filter { $0.subject == subject }.map { envelope in
            let data = try JSONValue(parsing: envelope.data)
            let detail = data["reason"]?.text ?? data["level"]?.text
            return envelope.type.rawValue.dropFirst("dev.warren.".count) + (detail.map { " " + $0 } ?? "")
        }
    }

    /// Where a reservation stands.
    func state(_ id: String) async throws -> Reservation.State? {
        try await database.read { try ReservationStore().find(id, in: $0) }?.reservation.state
    }

    /// What is wrong with the books: stock that is not the sum of its movements, promises without a reservation, deadlines
    /// without a timeout, a level that was not said.
    func faultsOfBooks() async throws -> [String] {
        let timeouts = Set(try await timeouts().map(\.key).filter { !$0.hasPrefix("waiting-line:") })
        return try await database.read { transaction in
            var faults: [String] = []
            var promised: [String: Int] = [:]
            var deadlines: Set<String> = []
            var waiting = 0
            for row in try transaction.query("SELECT owner, id FROM reservations") {
                let found = try ReservationStore().find(try row["id"], of: try row.value("owner"), in: transaction)
                guard let reservation = found?.reservation else { continue }
                if let deadline = reservation.deadline { deadlines.insert(reservation.key(of: deadline.kind)) }
                if reservation.state == .waiting { waiting += reservation.lines.count }
                guard reservation.state == .held else { continue }
                for line in reservation.lines { promised[line.sku, default: 0] += line.quantity }
            }
            for product in try ProductStore().page(words: [], after: "", limit: 1000, in: transaction) {
                let sum = try transaction.first(
                    "SELECT COALESCE(SUM(change), 0) FROM stock_movements WHERE sku = $1",
                    product.sku
                )
                let moved: Int = try sum.map { try $0[0] } ?? 0
                if moved != product.stock.onHand { faults.append("\(product.sku): on hand is not what was moved") }
                if promised[product.sku, default: 0] != product.stock.reserved {
                    faults.append("\(product.sku): reserved is not what is held")
                }
                if product.saidLevel != product.stock.level(low: Self.rules.low) {
                    faults.append("\(product.sku): the level was not said")
                }
            }
            if timeouts != deadlines { faults.append("timeouts: \(timeouts.symmetricDifference(deadlines).sorted())") }
            let lines: Int = try transaction.first("SELECT COUNT(*) FROM waiting_lines").map { try $0[0] } ?? 0
            if lines != waiting { faults.append("\(lines) lines wait, of \(waiting)") }
            return faults
        }
    }
}

/// Keeps what is logged.
final class CollectedLogs: LogSink {
    private let kept = Mutex<[String]>([])
    var messages: [String] { kept.withLock { $0 } }
    func write(_ record: LogRecord) { kept.withLock { $0.append("\(record.message)") } }
}
