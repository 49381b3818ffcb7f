import HTTP
import JSON
import ServiceKit

/// What can be done with orders, as their customer would do it.
struct OrderClient: Sendable {
    /// What is ordered, by whom, and how it is paid.
    struct Draft: Sendable {
        var email = "ada@example.com"
        var name = "Ada Example"
        var sku = "book-1"
        var quantity: Int64 = 1
        /// Minor units.
        var unitPrice: Int64 = 1999
        var currency = "EUR"
        var paymentMethod = "pm_card_visa"

        /// As `POST /orders` takes it.
        var body: JSONValue {
            [
                "customer": ["email": .string(email), "name": .string(name)],
                "currency": .string(currency),
                "lines": [["sku": .string(sku), "quantity": .integer(quantity), "unitPrice": .integer(unitPrice)]],
                "paymentMethod": .string(paymentMethod),
            ]
        }
    }

    let client: ServiceClient

    /// Places an order.
    ///
    /// Under one key, however often, it is placed once.
    func place(_ draft: Draft, idempotencyKey: String) async throws -> JSONValue {
        do {
            return try await client.post(
                "/orders",
                body: draft.body,
                headers: ["Idempotency-Key": "\"\(idempotencyKey)\""]
            )
        } catch let failure as CommandFailure where failure.code == .notMet {
            let mend = "It may be placed. Repeat it with --idempotency-key \(idempotencyKey), and it is placed once."
            throw CommandFailure(.notMet, failure.message, mend: mend)
        }
    }

    func show(_ id: String) async throws -> JSONValue {
        try await client.get("/orders/\(PercentEncoding.encode(id))", timeout: .seconds(10))
    }

    func cancel(_ id: String) async throws -> JSONValue {
        try await client.post("/orders/\(PercentEncoding.encode(id))/cancel", body: [:])
    }

    /// Says what stays of an order.
    func keep(_ quantities: [(sku: String, quantity: Int64)], of id: String) async throws -> JSONValue {
        let lines = quantities.map { JSONValue.object(["sku": .string($0.sku), "quantity": .integer($0.quantity)]) }
        return try await client.put("/orders/\(PercentEncoding.encode(id))/lines", body: ["lines": .array(lines)])
    }

    /// Looks at an order until it has come to what is waited for.
    ///
    /// A service that is away for a while is waited for too.
    ///
    /// - Throws: `CommandFailure` with `.notMet` when the time is up or the order can never come to it, `.unreachable`
    ///   when the time is up and the service was away, `.notFound` when there is no such order.
    func wait(
        for goal: OrderGoal,
        order id: String,
        timeout: Duration,
        note: @Sendable (String) -> Void
    ) async throws -> JSONValue {
        var last: JSONValue?
        var absence: CommandFailure?
        let found = try await untilFound(within: timeout) { () -> JSONValue? in
            let order: JSONValue
            do {
                order = try await show(id)
            } catch let failure as CommandFailure where failure.code == .unreachable || failure.code == .notMet {
                if absence == nil { note("\(failure.message); still waiting") }
                absence = failure
                return nil
            }
            absence = nil
            last = order
            switch goal.verdict(on: order) {
            case .met: return order
            case .open: return nil
            case .impossible(let why):
                throw CommandFailure(.notMet, "order \(id) will never be \(goal.rawValue): \(why)")
            }
        }
        if let found { return found }
        if let absence { throw absence }
        let state = last.map(OrderGoal.describe) ?? "unknown"
        throw CommandFailure(
            .notMet,
            "order \(id) is not \(goal.rawValue) after \(DurationText.describe(timeout)): it is \(state)",
            mend: "`warren status` shows what waits, `warren dead-letters list --subject \(id)` what failed."
        )
    }
}

/// What an order can be waited for to come to.
enum OrderGoal: String, Sendable, CaseIterable {
    case confirmed
    case rejected
    case cancelled
    /// The customer of a cancelled order has the money back.
    case refunded

    /// How an order stands to a goal.
    enum Verdict: Sendable, Equatable {
        case met
        case open
        case impossible(String)
    }

    /// How this order stands to the goal.
    ///
    /// Final states are `rejected`, and `cancelled` but for its refund.
    func verdict(on order: JSONValue) -> Verdict {
        let status = order["status"]?.text ?? ""
        let payment = order.member(at: "payment.status")?.text ?? ""
        let description = "it is \(Self.describe(order))"
        switch self {
        case .confirmed, .rejected, .cancelled:
            if status == rawValue { return .met }
            if status == "rejected" || status == "cancelled" { return .impossible(description) }
            return self == .rejected && status == "confirmed" ? .impossible(description) : .open
        case .refunded:
            if payment == rawValue { return .met }
            return payment == "declined" || payment == "voided" ? .impossible(description) : .open
        }
    }

    /// Writes how an order stands: `cancelled (payment captured)`.
    static func describe(_ order: JSONValue) -> String {
        let status = order["status"]?.text ?? "in an unknown state"
        guard let payment = order.member(at: "payment.status")?.text else { return status }
        let reason = order.member(at: "payment.reason")?.text.map { ": \($0)" } ?? ""
        return "\(status) (payment \(payment)\(reason))"
    }
}
