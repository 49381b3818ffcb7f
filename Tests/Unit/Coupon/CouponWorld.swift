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

@testable import Coupon
@testable import Messaging

extension HTTPResponse {
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    /// The fields that a problem names.
    var faults: [String] { json["errors"].elements.compactMap { $0["field"]?.text } }
    /// The last word of a problem's type.
    var problem: String? { json["type"]?.text?.split(separator: "/").last.map(String.init) }
}

/// Coupon without a broker: its API, handlers and desk on a database of its own that is gone afterwards.
///
/// At the end of each test its books are checked.
final class CouponWorld: Sendable {
    static let start: Int64 = 1_767_225_600_000
    static let terms = Redemption.Terms(keep: 3_600_000, wait: 30_000)
    static let total = Money(amount: 1_300, currency: "EUR")

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
            source: "/coupon-service",
            limits: EventLimits(),
            timeouts: TimeoutDesk(
                table: DeliveryTable(subscriber: "coupon", ordering: .perSubject, afterDeadLetter: .hold),
                onScheduled: Signal()
            ),
            onCommit: { _ in }
        )
        var desk = RedemptionDesk(terms: Self.terms, logger: Logger("coupon", sink: logs))
        desk.waitingAtOnce = waitingAtOnce
        let clock = Clock()
        let api = CouponAPI(database: database, now: { clock.read() })
        var router = Router()
        for route in CouponAPI.routes {
            router.on(route.method, route.pattern) { request in try await route.answer(api, request) }
        }
        self.router = router
        self.clock = clock
        CouponHandlers(desk: desk, now: { clock.read() }).register(on: subscriber)
    }

    /// A clock that stands until it is moved.
    final class Clock: Sendable {
        private let time = Mutex(CouponWorld.start)
        /// Milliseconds since 1970.
        func read() -> Int64 { time.withLock { $0 } }
        func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
    }

    /// Lends a world, and checks its books at the end.
    static func with(waitingAtOnce: Int = 200, _ body: (CouponWorld) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "coupon-\(UUIDv7.make())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try await Database.open(
            "sqlite:\(folder.appending(path: "coupon.db").path)",
            migrations: [MessagingRuntime.migrations, CouponTables.migrations],
            logger: .silent
        )
        do {
            let world = CouponWorld(database: database, waitingAtOnce: waitingAtOnce)
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

    /// Defines coupons.
    func define(_ id: String, _ more: String = "", discount: String = #"{"percent": 10}"#) async throws {
        let body = #"{"discount": \#(discount)\#(more)}"#
        #expect([200, 201].contains(await send("PUT", "/coupons/definitions/\(id)", body: body).status))
    }

    /// Claims a coupon of a definition.
    @discardableResult
    func claim(_ definition: String, _ customer: String = "ada", key: String? = nil) async -> HTTPResponse {
        let body = #"{"customer": "\#(customer)"}"#
        return await send("POST", "/coupons/definitions/\(definition)/claims", key: key, body: body)
    }

    /// The id of a new coupon of a definition of its own: ten percent, for ada.
    func issue(_ definition: String = "TEN") async throws -> String {
        try await define(definition, #", "limitPerCustomer": 1000"#)
        return try #require(await claim(definition).json["id"]?.text)
    }

    /// A coupon in words: `reserved o-1`.
    func standing(of id: String) async throws -> String {
        let coupon = try #require(try await database.read { try CouponStore().find(id, in: $0) })
        return coupon.state.rawValue + (coupon.orderID.map { " " + $0 } ?? "")
    }

    // MARK: Events

    static func customer(_ id: String?) -> Customer {
        Customer(email: "ada@example.com", name: "Ada Lovelace", id: id)
    }

    func place(
        _ order: String,
        _ coupon: String?,
        by customer: String? = "ada",
        total: Money = CouponWorld.total
    ) async throws {
        try await deliver(
            OrderPlaced(
                orderID: order,
                customer: Self.customer(customer),
                lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: total.amount)],
                total: total,
                deductions: coupon.map { Deductions(coupon: $0) }
            )
        )
    }

    func confirm(_ order: String, _ coupon: String?) async throws {
        try await deliver(
            OrderConfirmed(
                orderID: order,
                customer: Self.customer("ada"),
                total: Self.total,
                deductions: coupon.map { Deductions(coupon: $0) }
            )
        )
    }

    func cancel(_ order: String, _ coupon: String?) async throws {
        try await deliver(
            OrderCancelled(
                orderID: order,
                customer: Self.customer("ada"),
                total: Self.total,
                deductions: coupon.map { Deductions(coupon: $0) }
            )
        )
    }

    func reject(_ order: String, _ coupon: String?) async throws {
        try await deliver(
            OrderRejected(
                orderID: order,
                customer: Self.customer("ada"),
                reason: "payment-declined",
                deductions: coupon.map { Deductions(coupon: $0) }
            )
        )
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

    /// What was said of an order: types without their common beginning, with the reason or the discount where there is one.
    func said(of order: String) async throws -> [String] {
        try await stored().filter { $0.subject == order }.map { envelope in
            let data = try JSONValue(parsing: envelope.data)
            let detail = data["reason"]?.text ?? data["discount"]?["amount"]?.integer.map { "\($0)" }
            return envelope.type.rawValue.dropFirst("dev.warren.coupon.".count) + (detail.map { " " + $0 } ?? "")
        }
    }

    /// Where a redemption stands.
    func state(_ order: String) async throws -> Redemption.State? {
        try await database.read { try RedemptionStore().find(order, in: $0) }?.state
    }

    /// What is wrong with the books: coupons that no redemption accounts for, deadlines without a timeout, those that wait for
    /// what is free, and definitions that have not issued what they count.
    func faultsOfBooks() async throws -> [String] {
        let timeouts = Set(try await timeouts().map(\.key))
        return try await database.read { transaction in
            var faults: [String] = []
            var deadlines: Set<String> = []
            var holders: [String: String] = [:]
            var awaited: Set<String> = []
            for row in try transaction.query("SELECT order_id FROM redemptions") {
                guard let redemption = try RedemptionStore().find(try row["order_id"], in: transaction) else {
                    continue
                }
                if let deadline = redemption.deadline { deadlines.insert(redemption.key(of: deadline.kind)) }
                guard let wish = redemption.wish else { continue }
                switch redemption.state {
                case .held: holders[wish.coupon] = "reserved \(redemption.orderID)"
                case .confirmed: holders[wish.coupon] = "used \(redemption.orderID)"
                case .waiting: awaited.insert(wish.coupon)
                case .released, .expired, .rejected: break
                }
            }
            for row in try transaction.query("SELECT id, state, order_id FROM coupons") {
                let id: String = try row["id"]
                let order: String? = try row["order_id"]
                let state: String = try row["state"]
                let words = state + (order.map { " " + $0 } ?? "")
                if words != holders[id, default: "issued"] { faults.append("\(id) is \(words), not as redeemed") }
                if awaited.contains(id), state != "reserved", !timeouts.contains("waiting-redemptions:\(id)") {
                    faults.append("\(id) is waited for, and nobody has it")
                }
            }
            let kept = timeouts.filter { !$0.hasPrefix("waiting-redemptions:") }
            if kept != deadlines { faults.append("timeouts: \(kept.symmetricDifference(deadlines).sorted())") }
            for definition in try DefinitionStore().page(after: "", limit: 1_000, in: transaction) {
                let count = try transaction.first(
                    "SELECT COUNT(*) FROM coupons WHERE definition = $1",
                    definition.id
                )
                let issued: Int = try count.map { try $0[0] } ?? 0
                if issued != definition.issued { faults.append("\(definition.id) counts what it has not issued") }
            }
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
