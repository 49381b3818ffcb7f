import Database
import Events
import HTTP
import JSON
import Messaging
import MessagingTestKit
import ServiceKit
import ShopEvents
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Points

/// Points with its messaging, its API and a clock that stands; at the end of each test its ledger is checked.
final class PointsWorld: Sendable {
    static let start: Int64 = 1_767_225_600_000
    static let migrations = [PointsTables.migrations]
    static let hears = [
        OrderAccepted.type, OrderConfirmed.type, OrderCancelled.type, OrderRejected.type, PaymentTopUpCaptured.type,
        PaymentTopUpDeclined.type, PaymentTopUpRefunded.type, OrderLinesCancelled.type,
    ]

    let service: TestService
    let desk: PointsDesk
    let logs: CollectedLogs
    let clock: Clock
    private let router: Router

    private init(_ service: TestService, _ desk: PointsDesk, _ logs: CollectedLogs, _ clock: Clock) {
        self.service = service
        self.desk = desk
        self.logs = logs
        self.clock = clock
        let api = PointsAPI(database: service.database, events: service.events, desk: desk, now: { clock.read() })
        var router = Router()
        for route in PointsAPI.routes {
            router.on(route.method, route.pattern) { request in try await route.answer(api, request) }
        }
        self.router = router
    }

    /// A clock that stands until it is moved.
    final class Clock: Sendable {
        private let time = Mutex(PointsWorld.start)
        /// Milliseconds since 1970.
        func read() -> Int64 { time.withLock { $0 } }
        func advance(milliseconds: Int64) { time.withLock { $0 += milliseconds } }
    }

    /// Lends a world where customers earn one point for a hundred, and checks its ledger at the end.
    static func with(
        rate: Int64 = 100,
        deadLetters: Int = 0,
        _ body: (PointsWorld) async throws -> Void
    ) async throws {
        let logs = CollectedLogs()
        let clock = Clock()
        let desk = PointsDesk(rate: Earning.Rate(basisPoints: rate), logger: Logger("points", sink: logs))
        try await withTestService("points", hears: hears, migrations: migrations) { service in
            PointsHandlers(desk: desk, now: { clock.read() }).register(on: service.subscriber)
        } test: { service in
            let world = PointsWorld(service, desk, logs, clock)
            try await body(world)
            #expect(try await world.check().faults == [])
            #expect(try await service.deadLetters().count == deadLetters)
        }
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

    /// Asks for points, and gives the charge's id.
    func charge(_ points: Int64, to customer: String = "ada", currency: String = "EUR") async throws -> String {
        let body = #"{"total": {"amount": \#(points), "currency": "\#(currency)"}, "paymentMethod": "pm_card_visa"}"#
        let answer = await send("POST", "/accounts/\(customer)/charges", body: body)
        #expect(answer.status == 202)
        return try #require(answer.json["id"]?.text)
    }

    /// Buys points, and gives the charge's id.
    @discardableResult
    func buy(_ points: Int64, for customer: String = "ada", currency: String = "EUR") async throws -> String {
        let id = try await charge(points, to: customer, currency: currency)
        try await captured(id, points, currency: currency)
        return id
    }

    // MARK: Events

    static func customer(_ id: String?) -> Customer { Customer(email: "ada@example.com", name: "Ada Lovelace", id: id) }

    static func deductions(_ points: Int64?) -> Deductions? { points.map { Deductions(points: $0) } }

    /// What Order says of an order of 50.00 EUR.
    enum OrderStep: Character, CaseIterable, Sendable {
        case accepted = "A"
        case confirmed = "C"
        case cancelled = "X"
        case rejected = "R"
    }

    func tell(
        _ step: OrderStep,
        _ order: String = "o-1",
        points: Int64? = 800,
        by customer: String? = "ada",
        total: Int64 = 5_000,
        currency: String = "EUR"
    ) async throws {
        let total = Money(amount: total, currency: currency)
        let who = Self.customer(customer)
        let deductions = Self.deductions(points)
        switch step {
        case .accepted:
            try await service.receive(
                OrderAccepted(orderID: order, total: total, customer: points == nil ? nil : who, deductions: deductions)
            )
        case .confirmed:
            try await service.receive(
                OrderConfirmed(orderID: order, customer: who, total: total, deductions: deductions)
            )
        case .cancelled:
            try await service.receive(
                OrderCancelled(orderID: order, customer: who, total: total, deductions: deductions)
            )
        case .rejected:
            try await service.receive(
                OrderRejected(
                    orderID: order,
                    customer: who,
                    reason: "payment-declined",
                    total: total,
                    deductions: deductions
                )
            )
        }
    }

    /// Some lines of an order are cancelled.
    func cancelLines(
        _ number: Int,
        of order: String = "o-1",
        worth cancelled: Int64,
        leaving left: Int64,
        points: Int64? = nil
    ) async throws {
        try await service.receive(
            OrderLinesCancelled(
                orderID: order,
                customer: Self.customer("ada"),
                number: number,
                lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: cancelled)],
                total: Money(amount: left, currency: "EUR"),
                points: points
            )
        )
    }

    func captured(_ charge: String, _ points: Int64, currency: String = "EUR") async throws {
        let total = Money(amount: points, currency: currency)
        try await service.receive(PaymentTopUpCaptured(chargeID: charge, paymentID: "pi_1", total: total))
    }

    func declined(_ charge: String) async throws {
        try await service.receive(PaymentTopUpDeclined(chargeID: charge, reason: "card_declined"))
    }

    func refunded(_ charge: String, _ points: Int64, currency: String = "EUR") async throws {
        let total = Money(amount: points, currency: currency)
        try await service.receive(PaymentTopUpRefunded(chargeID: charge, refundID: "re_1", total: total))
    }

    // MARK: What became of it

    /// What a customer has.
    func balance(of customer: String = "ada", currency: String = "EUR") async throws -> Int64 {
        let account = PointsAccount(customer: customer, currency: currency)
        return try await service.database.read { try Ledger().balance(of: account, in: $0) }
    }

    /// What the ledger says of itself.
    func check() async throws -> LedgerCheck { try await service.database.read { try LedgerCheck(in: $0) } }

    /// What a book comes to.
    func sum(_ book: Posting.Book, currency: String = "EUR") async throws -> Int64 {
        try await check().sums.first { $0.currency == currency }?[book] ?? 0
    }

    /// What was said of a subject: types without their common beginning, with the reason where there is one.
    func said(of subject: String = "o-1") async throws -> [String] {
        try await service.envelopes().filter { $0.subject == subject }.map { envelope in
            let reason = try JSONValue(parsing: envelope.data)["reason"]?.text
            return envelope.type.rawValue.dropFirst("dev.warren.points.".count) + (reason.map { " " + $0 } ?? "")
        }
    }

    func spending(of order: String = "o-1") async throws -> Spending? {
        try await service.database.read { try OrderPointsStore().spending(of: order, in: $0) }
    }

    func earning(of order: String = "o-1") async throws -> Earning? {
        try await service.database.read { try OrderPointsStore().earning(of: order, in: $0) }
    }

    func charge(_ id: String) async throws -> Charge? {
        try await service.database.read { try ChargeStore().find(id, in: $0) }
    }
}

extension HTTPResponse {
    var json: JSONValue { (try? JSONValue(parsing: body)) ?? .null }
    /// The fields at fault.
    var faults: [String] { json["errors"].elements.compactMap { $0["field"]?.text } }
    /// The kind of problem.
    var problem: String? { json["type"]?.text?.split(separator: "/").last.map(String.init) }
}

/// Keeps what is logged.
final class CollectedLogs: LogSink {
    private let kept = Mutex<[String]>([])
    var messages: [String] { kept.withLock { $0 } }
    func write(_ record: LogRecord) { kept.withLock { $0.append("\(record.message)") } }
}
