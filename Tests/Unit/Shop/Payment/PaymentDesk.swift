import Database
import Events
import Foundation
import HTTP
import ServiceTestSupport
import ShopEvents
import Synchronization
import Telemetry

@testable import Messaging
@testable import Payment
@testable import Sandbox

/// Payment at work for a test: its handlers over a real database, its gateway over HTTP, and the sandbox at the other
/// end, whose clock the test moves.
final class PaymentDesk: Sendable {
    let database: Database
    let events: EventStore
    let hooks = ProviderHooks()
    private let gateway: StripeGateway
    private let impatient: StripeGateway
    private let sandbox: Provider
    private let clock: TestClock

    /// How a delivery ended.
    enum Ending: Equatable {
        case done
        case transient(String)
        case permanent(String)
        /// Put off, without costing an attempt.
        case deferred(String)
        case crashed
    }

    /// What a test throws where a process would die.
    struct Crash: Error {}

    private init(
        database: Database,
        gateway: StripeGateway,
        impatient: StripeGateway,
        sandbox: Provider,
        clock: TestClock
    ) {
        self.database = database
        self.gateway = gateway
        self.impatient = impatient
        self.sandbox = sandbox
        self.clock = clock
        self.events = EventStore(
            database: database,
            source: "/payment-service",
            limits: .standard,
            timeouts: TimeoutDesk(
                table: DeliveryTable(subscriber: "payment", ordering: .perSubject, afterDeadLetter: .proceed),
                onScheduled: Signal()
            ),
            onCommit: { _ in }
        )
    }

    /// How long Payment waits for an answer that the provider has been told not to give.
    ///
    /// For all others it has a minute: the machine may be busy.
    private static let silence: Duration = .seconds(2)

    /// Opens the desk for as long as `body` runs.
    static func open(_ body: (PaymentDesk) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("payment-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try await Database.open(
            "sqlite:\(folder.path)/payment.db",
            migrations: [MessagingRuntime.migrations, PaymentStore.migrations],
            logger: .silent
        )
        let clock = TestClock()
        let sandbox = Provider(logger: .silent, now: { clock.now })
        let routes = Mutex(Router())
        ProviderAPI(provider: sandbox, key: "sk_test").register { method, pattern, handler in
            routes.withLock { $0.on(method, pattern, handler) }
        }
        let client = HTTPClient()
        do {
            try await withServer(routes.withLock { $0 }) { url in
                func gateway(_ timeout: Duration) -> StripeGateway {
                    StripeGateway(url: url, key: "sk_test", timeout: timeout, client: client)
                }
                let desk = PaymentDesk(
                    database: database,
                    gateway: gateway(.seconds(60)),
                    impatient: gateway(silence),
                    sandbox: sandbox,
                    clock: clock
                )
                try await body(desk)
            }
        } catch {
            client.close()
            await database.close()
            throw error
        }
        client.close()
        await database.close()
    }

    // MARK: Deliveries

    /// Delivers a request for payment once.
    /// - Parameter crashing: the process dies before the delivery's transaction commits.
    @discardableResult
    func request(
        _ order: String = "order-1",
        method: PaymentMethod = .visa,
        amount: Int64 = 1250,
        currency: String = "EUR",
        crashing: Bool = false
    ) async throws -> Ending {
        try await requestToken(order, token: method.rawValue, amount: amount, currency: currency, crashing: crashing)
    }

    /// The same with any payment method.
    func requestToken(
        _ order: String = "order-1",
        token: String,
        amount: Int64 = 1250,
        currency: String = "EUR",
        crashing: Bool = false
    ) async throws -> Ending {
        let isSilent = [PaymentMethod.timeoutOnce.rawValue, PaymentMethod.slow.rawValue].contains(token)
        if isSilent, hooks.isFirst(order) { hooks.expectSilence(1) }
        let event = OrderPaymentRequested(
            orderID: order,
            total: Money(amount: amount, currency: currency),
            paymentMethod: token
        )
        return try await ending { try await $0.paymentRequested(event, commit: commit(crashing)) }
    }

    /// Delivers a cancellation once.
    @discardableResult
    func cancel(_ order: String = "order-1", crashing: Bool = false) async throws -> Ending {
        let event = OrderCancelled(
            orderID: order,
            customer: Customer(email: "ann@example.org", name: "Ann"),
            total: Money(amount: 1250, currency: "EUR")
        )
        return try await ending { try await $0.orderCancelled(event, commit: commit(crashing)) }
    }

    /// Delivers a rejection once.
    ///
    /// - Parameter saysTotal: whether it may come before the order has asked, as one for want of stock does.
    @discardableResult
    func reject(_ order: String = "order-1", saysTotal: Bool = true) async throws -> Ending {
        let total = saysTotal ? Money(amount: 1250, currency: "EUR") : nil
        return try await ending { try await $0.orderEnded(order, total: total, commit: commit(false)) }
    }

    /// Delivers a timeout once: it is time to ask what became of a refund.
    func checkRefund(_ order: String = "order-1", number: Int) async throws -> Ending {
        let check = RefundCheck(orderID: order, number: number)
        return try await ending { try await $0.refundCheck(check, commit: commit(false)) }
    }

    /// Delivers a partial cancellation once.
    func cancelLines(
        _ number: Int,
        of order: String = "order-1",
        refund: Int64?,
        crashing: Bool = false
    ) async throws -> Ending {
        let event = OrderLinesCancelled(
            orderID: order,
            customer: Customer(email: "ann@example.org", name: "Ann"),
            number: number,
            lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: refund ?? 0)],
            total: Money(amount: 1, currency: "EUR"),
            refund: refund.map { Money(amount: $0, currency: "EUR") }
        )
        return try await partEnding { try await $0.linesCancelled(event, commit: commit(crashing)) }
    }

    /// Delivers a timeout once: it is time to ask what became of the refund of a part.
    func checkPart(_ part: Int, number: Int) async throws -> Ending {
        let check = PartRefundCheck(orderID: "order-1", part: part, number: number)
        return try await partEnding { try await $0.refundCheck(check, commit: commit(false)) }
    }

    /// Delivers a request to pay for points once.
    @discardableResult
    func requestPoints(_ charge: String, method: PaymentMethod = .visa) async throws -> Ending {
        let event = PointsChargeRequested(
            chargeID: charge,
            total: Money(amount: 1250, currency: "EUR"),
            paymentMethod: method.rawValue
        )
        return try await ending { try await $0.pointsRequested(event, commit: commit(false)) }
    }

    // MARK: Webhooks

    static let secret = "whsec_test"

    /// Sends a webhook as the provider does, or as somebody else does.
    func webhook(
        _ body: [UInt8],
        signedWith secret: String? = PaymentDesk.secret,
        seconds ago: Int64 = 0,
        known: String = PaymentDesk.secret
    ) async -> HTTPResponse {
        let routes = Mutex(Router())
        let api = WebhookAPI(
            events: events,
            signature: WebhookSignature(secret: known),
            logger: .silent,
            now: { [clock] in clock.now }
        )
        api.register { method, pattern, _, handler in routes.withLock { $0.on(method, pattern, handler) } }
        var request = HTTPRequest(method: "POST", path: "/webhooks/provider")
        request.headers["Content-Type"] = "application/json; charset=utf-8"
        request.headers["Stripe-Signature"] = secret.flatMap(WebhookSignature.init(secret:))
            .map { $0.sign(body, at: clock.now / 1000 - ago) }
        request.body = body
        return await routes.withLock { $0 }.respond(to: request, logger: .silent)
    }

    /// The provider's events so far, as their webhooks have them, oldest first.
    func providerEvents() throws -> [[UInt8]] {
        let events = sandbox.control { state, now in
            state.settle(at: now)
            return state.events.kept
        }
        return try events.map { try HTTPResponse.json($0).body }
    }

    /// Sends webhooks, and follows the notices of those that are taken.
    /// - Returns: how each notice ended.
    @discardableResult
    func follow(_ bodies: [[UInt8]]) async throws -> [Ending] {
        var endings: [Ending] = []
        for body in bodies where await webhook(body).status == 202 {
            endings.append(try await notice(try JSONDecoder().decode(WebhookMessage.self, from: Data(body))))
        }
        return endings
    }

    /// Follows a notice once.
    func notice(_ message: WebhookMessage) async throws -> Ending {
        try await notice(message.type, intent: message.intent ?? "", dispute: message.dispute)
    }

    /// The same, of whatever is said.
    func notice(
        _ what: String,
        intent: String,
        dispute: String? = nil,
        books: (any ProviderBooks)? = nil
    ) async throws -> Ending {
        let notice = ProviderNotice(eventID: "evt", what: what, intent: intent, dispute: dispute, subject: intent)
        return try await ending { payments in
            try await NoticeHandlers(
                events: events,
                books: books ?? gateway,
                provider: gateway,
                payments: payments,
                logger: .silent,
                now: { [clock] in clock.now }
            ).noticed(notice, commit: commit(false))
        }
    }

    /// What the ledger says that each account has; accounts with nothing are left out.
    func balances() async throws -> [String: Int64] {
        let balances = try await database.read { try PaymentLedger().balances(in: $0) }
        return (balances["EUR"] ?? [:]).filter { $0.value != 0 }
    }

    /// A day's reconciliation, the clock's.
    func reconciliation() async throws -> Reconciliation {
        let day = clock.now / 86_400_000 * 86_400
        return try await Reconciler(database: database, books: gateway).compare(dayFrom: day)
    }

    /// The timeouts that have been scheduled, by their keys.
    func scheduled() async throws -> [String] {
        try await database.read { transaction in
            try transaction.query("SELECT key FROM warren_timeouts ORDER BY delivery_id").map { try $0["key"] }
        }
    }

    private func commit(_ crashing: Bool) -> PaymentHandlers.Commit {
        { [events] body in
            try await events.write { transaction in
                try body(transaction)
                if crashing { throw Crash() }
            }
        }
    }

    private var provider: HookedProvider { HookedProvider(gateway: gateway, impatient: impatient, hooks: hooks) }

    private func ending(_ body: (PaymentHandlers) async throws -> Void) async throws -> Ending {
        let handlers = PaymentHandlers(
            events: events,
            provider: provider,
            logger: .silent,
            now: { [clock] in clock.now }
        )
        return try await end { try await body(handlers) }
    }

    private func partEnding(_ body: (PartRefundHandlers) async throws -> Void) async throws -> Ending {
        let handlers = PartRefundHandlers(
            events: events,
            provider: provider,
            logger: .silent,
            now: { [clock] in clock.now }
        )
        return try await end { try await body(handlers) }
    }

    private func end(_ body: () async throws -> Void) async throws -> Ending {
        do {
            try await body()
            return .done
        } catch let error as HandlerError {
            switch error.kind {
            case .transient: return .transient(error.errorClass)
            case .permanent: return .permanent(error.errorClass)
            case .deferred(let until):
                guard until > clock.now else { throw error }
                return .deferred(error.errorClass)
            }
        } catch is Crash {
            return .crashed
        }
    }

    // MARK: What is there to be seen

    /// The row of an order.
    func payment(_ order: String = "order-1") async throws -> Payment? {
        try await database.read { try PaymentStore().find(order, in: $0) }
    }

    /// The types of the events about an order, in order, without what they have in common.
    func told(_ order: String = "order-1") async throws -> [String] {
        try await database.read { transaction in
            try transaction.query("SELECT type FROM warren_events WHERE subject = $1 ORDER BY position", order).map {
                let type: String = try $0["type"]
                return String(type.dropFirst("dev.warren.payment.".count))
            }
        }
    }

    /// How often the provider has charged and refunded an order.
    func moved(_ order: String = "order-1") -> [Int] {
        let ledger = sandbox.control { $0.ledger(at: $1) }
        return [ledger.chargesByOrder[order] ?? 0, ledger.refundsByOrder[order] ?? 0]
    }

    /// The refunds that the provider has made of an order, or makes, oldest first; those that failed are left out.
    func refundedAmounts(_ order: String = "order-1") -> [Int64] {
        sandbox.control { $0.ledger(at: $1) }.refunds
            .filter { $0.metadata["order_id"] == order && $0.status != .failed }.map(\.amount)
    }

    /// Plans a fault of the provider.
    func plan(
        _ kind: Fault.Kind,
        for operation: Fault.Operation,
        count: Int = 1,
        delayMilliseconds: Int64 = 3000
    ) {
        if kind == .timeout { hooks.expectSilence(count) }
        sandbox.control { state, _ in
            state.plan(Fault(kind: kind, delayMilliseconds: delayMilliseconds), for: operation, count: count)
        }
    }

    /// Ends planned faults.
    func clearFaults() {
        sandbox.control { state, _ in state.clearFaults() }
    }

    /// Does something at the provider past Payment, as an operator would.
    func atProvider(_ body: @Sendable (inout ProviderState, Int64) -> ProviderReply) -> ProviderReply {
        sandbox.control(body)
    }

    /// Lets time pass for the provider and for Payment.
    func wait(milliseconds: Int64) {
        clock.advance(milliseconds)
    }
}

/// A clock that stands still until it is moved.
final class TestClock: Sendable {
    private let time = Mutex<Int64>(1_700_000_000_000)
    var now: Int64 { time.withLock { $0 } }
    func advance(_ milliseconds: Int64) { time.withLock { $0 += milliseconds } }
}

/// What a test does in the middle of a conversation with the provider.
final class ProviderHooks: Sendable {
    typealias Hook = @Sendable () async throws -> Void

    struct Hooks: Sendable {
        /// Before a charge is sent.
        var beforeCharge: Hook?
        /// After the provider's answer to a charge, before Payment sees it.
        var afterCharge: Hook?
        /// After a key was used up.
        var afterBlock: Hook?
        /// The provider's look-up lags behind: it finds nothing.
        var isLookUpBlind = false
        /// The key is not known to the provider any more: using it up succeeds whatever was done under it.
        var isKeyForgotten = false
    }

    private let hooks = Mutex(Hooks())
    private let silences = Mutex(0)
    private let orders = Mutex<Set<String>>([])

    /// The provider refuses every charge for a reason that no customer can mend, such as a wrong secret key.
    func refuseCharges() {
        set { hooks in
            hooks.beforeCharge = {
                throw ProviderFailure(kind: .refused, errorClass: "payment.provider-refused", reason: "status 401")
            }
        }
    }

    /// So many of the next charges and refunds are not answered in time.
    func expectSilence(_ count: Int) { silences.withLock { $0 += count } }

    /// Whether the call that is about to be made is one of them.
    func takeSilence() -> Bool {
        silences.withLock { left in
            defer { left = max(0, left - 1) }
            return left > 0
        }
    }

    /// Whether the order is requested for the first time.
    func isFirst(_ order: String) -> Bool { orders.withLock { $0.insert(order).inserted } }

    var now: Hooks { hooks.withLock { $0 } }
    func set(_ change: @Sendable (inout Hooks) -> Void) { hooks.withLock { change(&$0) } }
}

private struct HookedProvider: PaymentProvider {
    let gateway: StripeGateway
    let impatient: StripeGateway
    let hooks: ProviderHooks

    /// For the call that is about to be made.
    private var caller: StripeGateway { hooks.takeSilence() ? impatient : gateway }

    func takes(_ total: Money) -> Bool { gateway.takes(total) }
    func charge(_ payment: Payment, _ charge: Payment.Charge) async throws -> ChargeStatus {
        try await hooks.now.beforeCharge?()
        let status = try await caller.charge(payment, charge)
        try await hooks.now.afterCharge?()
        return status
    }
    func lookUpCharge(of payment: Payment) async throws -> ChargeStatus {
        hooks.now.isLookUpBlind ? .none : try await gateway.lookUpCharge(of: payment)
    }
    func block(_ payment: Payment, _ charge: Payment.Charge) async throws -> String {
        var charge = charge
        if hooks.now.isKeyForgotten {
            charge = Payment.Charge(paymentMethod: charge.paymentMethod, key: UUID().uuidString, keyAt: 0)
        }
        let intent = try await gateway.block(payment, charge)
        try await hooks.now.afterBlock?()
        return intent
    }
    func cancel(intent: String, of payment: Payment) async throws {
        try await gateway.cancel(intent: intent, of: payment)
    }
    func refund(_ payment: Payment, paymentID: String, key: String) async throws -> RefundStatus {
        try await caller.refund(payment, paymentID: paymentID, key: key)
    }
    func refund(_ part: PartRefund, of payment: Payment, paymentID: String) async throws -> RefundStatus {
        try await caller.refund(part, of: payment, paymentID: paymentID)
    }
    func lookUpRefund(of part: PartRefund, of payment: Payment, paymentID: String) async throws -> RefundStatus {
        try await gateway.lookUpRefund(of: part, of: payment, paymentID: paymentID)
    }
    func lookUpRefund(of payment: Payment, paymentID: String) async throws -> RefundStatus {
        try await gateway.lookUpRefund(of: payment, paymentID: paymentID)
    }
}
