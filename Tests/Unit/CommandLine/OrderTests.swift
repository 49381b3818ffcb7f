import JSON
import ServiceKit
import Synchronization
import Testing

@testable import CommandLine

/// An order as the service answers it.
func order(_ status: String, payment: String, id: String = "o-1") -> JSONValue {
    [
        "id": .string(id), "status": .string(status), "payment": ["status": .string(payment)],
        "total": ["amount": .integer(1999), "currency": "EUR"],
        "customer": ["email": "ada@example.com", "name": "Ada"],
    ]
}

/// Answers one after the other; the last one again and again.
final class Sequence<Value: Sendable>: Sendable {
    private let values: Mutex<[Value]>

    init(_ values: Value...) { self.values = Mutex(values) }

    func next() -> Value { values.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] } }
}

@Suite("warren order")
struct OrderTests {
    @Test("places an order as the API wants it, under a new idempotency key each time")
    func place() async throws {
        let services = FakeServices { _ in .json(order("placed", payment: "requested"), status: 202) }
        let outcome = await warren(
            "order place --email bob@example.com --name Bob --sku tea --quantity 3 --price 250 --currency CHF"
                + " --payment-method pm_card_mastercard -o jsonl",
            http: services
        )
        #expect(outcome.code == 0)
        #expect(outcome.records.first?["id"]?.text == "o-1")
        let request = try #require(services.requests.first)
        #expect(services.lines == ["POST http://127.0.0.1:8081/orders"])
        #expect(
            try JSONValue(parsing: request.body) == [
                "customer": ["email": "bob@example.com", "name": "Bob"], "currency": "CHF",
                "lines": [["sku": "tea", "quantity": .integer(3), "unitPrice": .integer(250)]],
                "paymentMethod": "pm_card_mastercard",
            ]
        )
        _ = await warren("order place", http: services)
        let keys = services.requests.compactMap { $0.headers["Idempotency-Key"] }
        #expect(Set(keys).count == 2)
        _ = await warren("order place --idempotency-key mine", http: services)
        #expect(services.requests.last?.headers["Idempotency-Key"] == "\"mine\"")
    }

    @Test("sends no operator's token with a customer's request")
    func credentials() async {
        let services = FakeServices { _ in .json(order("placed", payment: "requested")) }
        let environment = ["WARREN_OPERATIONS_TOKEN": "secret"]
        _ = await warren("order place", environment: environment, http: services)
        _ = await warren("order show o-1", environment: environment, http: services)
        _ = await warren("order list", environment: environment, http: services)
        #expect(services.requests.count == 3)
        #expect(services.requests.allSatisfy { $0.headers["Authorization"] == nil })
        #expect(services.requests.allSatisfy { $0.headers["Warren-Actor"] == nil })
        _ = await warren("order list", environment: ["WARREN_API_TOKEN": "shop's"], http: services)
        #expect(services.requests.last?.headers["Authorization"] == "Bearer shop's")
    }

    @Test("goes where the option says, else the variable, else to this machine, and escapes what it asks for")
    func address() async {
        let services = FakeServices { _ in .json(order("placed", payment: "requested")) }
        let environment = ["WARREN_ORDER_URL": "http://order.test/"]
        _ = await warren("order show a/b", environment: environment, http: services)
        _ = await warren(
            "order cancel o-1 --order-url https://other.test",
            environment: environment,
            http: services
        )
        _ = await warren("order list --status placed --after 7 --limit 3", http: services)
        #expect(
            services.lines == [
                "GET http://order.test/orders/a%2Fb", "POST https://other.test/orders/o-1/cancel",
                "GET http://127.0.0.1:8081/orders?limit=3&status=placed&after=7",
            ]
        )
        let wrong = await warren("order list", environment: ["WARREN_ORDER_URL": "order:8081"], http: services)
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("WARREN_ORDER_URL"))
    }

    @Test("says what stays of an order, and shows what was cancelled of it")
    func keep() async throws {
        var divided = order("confirmed", payment: "captured")
        divided["cancelled"] = [
            [
                "number": .integer(1), "lines": [["sku": "tea", "quantity": .integer(2)]],
                "refund": ["amount": .integer(500), "currency": "EUR"], "refundStatus": "requested",
            ]
        ]
        let services = FakeServices { [divided] _ in .json(divided, status: 202) }
        let outcome = await warren("order keep a/b tea=1 cup=0", http: services)
        #expect(outcome.code == 0)
        #expect(services.lines == ["PUT http://127.0.0.1:8081/orders/a%2Fb/lines"])
        #expect(
            try JSONValue(parsing: try #require(services.requests.first).body) == [
                "lines": [["sku": "tea", "quantity": .integer(1)], ["sku": "cup", "quantity": .integer(0)]]
            ]
        )
        #expect(outcome.data.contains("2 tea") && outcome.data.contains("5.00 EUR"))
        for wrong in ["tea", "tea=", "=1", "tea=-1", "tea=x"] {
            let refused = await warren("order keep o-1 \(wrong)", http: services)
            #expect(refused.code == 2 && refused.messages.contains("SKU=QUANTITY"), "\(wrong)")
        }
        #expect(services.lines.count == 1)
    }

    @Test("shows what has happened to an order, in the order in which it did")
    func show() async {
        var full = order("confirmed", payment: "captured")
        full["lines"] = [["sku": "tea", "quantity": .integer(3), "unitPrice": .integer(650)]]
        full["history"] = [
            ["at": "2026-01-01", "status": "placed", "payment": "requested", "event": "dev.warren.order.placed"],
            ["at": "2026-01-02", "status": "confirmed", "payment": "captured", "event": "dev.warren.payment.captured"],
        ]
        let services = FakeServices { [full] _ in .json(full) }
        let outcome = await warren("order show o-1", http: services)
        #expect(outcome.lines.first == "id                  o-1")
        #expect(outcome.lines.contains("total               19.99 EUR"))
        #expect(outcome.lines.contains("lines[0].unitPrice  6.50 EUR"))
        #expect(!outcome.data.contains("history["))
        #expect(outcome.lines.last?.hasSuffix("confirmed  captured   payment.captured") == true)
        #expect(await warren("order show o-1 -o jsonl", http: services).records == [full])
    }

    @Test("shows what ended an order, and how its stock, coupon, points and parcel stand")
    func ended() async {
        var full = order("rejected", payment: "voided")
        full["stockStatus"] = "rejected"
        full["couponStatus"] = "released"
        full["pointsStatus"] = "restored"
        full["shippingStatus"] = "refused"
        full["shippingReason"] = "unknown_address"
        full["due"] = ["amount": .integer(1500), "currency": "EUR"]
        full["deductions"] = ["coupon": "c-1", "discount": .integer(99), "points": .integer(400)]
        func entry(_ status: String, _ event: String, by caller: String? = nil) -> JSONValue {
            [
                "at": "2026-01-01", "status": .string(status), "payment": "requested",
                "event": .string("dev.warren." + event), "by": caller.map { .string($0) } ?? .null,
            ]
        }
        full["history"] = [
            entry("placed", "order.placed", by: "local"), entry("rejected", "stock.rejected"),
            entry("rejected", "payment.voided"),
        ]
        let rejected = await warren("order show o-1", http: FakeServices { [full] _ in .json(full) })
        #expect(
            Array(rejected.lines.prefix(10)) == [
                "id                   o-1", "status               rejected",
                "ended                stock.rejected", "payment.status       voided",
                "stockStatus          rejected", "couponStatus         released",
                "pointsStatus         restored", "shippingStatus       refused",
                "shippingReason       unknown_address", "total                19.99 EUR",
            ],
            "\(rejected.data)"
        )
        #expect(rejected.lines.contains("deductions.discount  0.99 EUR"))
        #expect(rejected.lines.contains("deductions.points    400"))
        #expect(rejected.lines.contains("due                  15.00 EUR"))
        let lines = await warren("order show o-1 -o jsonl", http: FakeServices { [full] _ in .json(full) })
        #expect(lines.records == [full])
        full["history"] = [entry("placed", "order.placed"), entry("cancelled", "order.cancelled", by: "customer:ada")]
        let cancelled = await warren("order show o-1", http: FakeServices { [full] _ in .json(full) })
        #expect(cancelled.lines.contains("ended                order.cancelled by customer:ada"))
        full["history"] = [entry("placed", "order.placed"), entry("confirmed", "payment.captured")]
        let going = await warren("order show o-1", http: FakeServices { [full] _ in .json(full) })
        #expect(!going.data.contains("ended "))
    }

    @Test("lists how stock, coupon, points and parcel stand, and a decline's reason, where any order has them")
    func parts() async {
        var reserved = order("placed", payment: "requested")
        reserved["stockStatus"] = "reserved"
        reserved["shippingStatus"] = "pending"
        var declined = order("rejected", payment: "declined", id: "o-2")
        declined["payment"] = ["status": "declined", "reason": "insufficient_funds"]
        let services = FakeServices { [reserved, declined] _ in .json(["orders": [reserved, declined]]) }
        let outcome = await warren("order list", http: services)
        #expect(
            outcome.lines == [
                "ID   STATUS    PAYMENT    STOCK     SHIPPING  REASON                  TOTAL  PLACED",
                "o-1  placed    requested  reserved  pending                       19.99 EUR",
                "o-2  rejected  declined                       insufficient_funds  19.99 EUR",
            ],
            "\(outcome.data)"
        )
        #expect(outcome.messages.isEmpty)
        let others = FakeServices { _ in .json(["orders": [order("placed", payment: "x")]]) }
        let plain = await warren("order list", http: others)
        #expect(plain.lines.first == "ID   STATUS  PAYMENT      TOTAL  PLACED")
    }

    @Test("takes any whole number for a quantity and leaves it to Order to judge; what is none is refused here")
    func quantities() async {
        let services = FakeServices { _ in .json(order("placed", payment: "requested"), status: 202) }
        #expect(await warren("order place --quantity=-1", http: services).code == 0)
        let wrong = await warren("order place --quantity many", http: services)
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("It is a whole number.\n"), "\(wrong.messages)")
    }

    @Test("shows money that it cannot put into words as it came")
    func unknownCurrency() {
        #expect(MoneyText.describe(["amount": .integer(500), "currency": "JPY"]) == "500 JPY")
        #expect(MoneyText.describe(["amount": .integer(500), "currency": "???"]) == nil)
        let odd: JSONValue = ["total": ["amount": .integer(5), "currency": "???"], "lines": "none"]
        #expect(MoneyText.describing(odd) == odd)
    }

    @Test("lists a page and says how to get the next one")
    func list() async {
        let services = FakeServices { _ in
            .json([
                "orders": [order("confirmed", payment: "captured"), order("placed", payment: "requested")],
                "next": "o-9",
            ])
        }
        let outcome = await warren("order list", http: services)
        #expect(outcome.lines.count == 3)
        #expect(outcome.lines[1].contains("confirmed  captured   19.99 EUR"))
        #expect(outcome.messages.contains("--after o-9"))
        let json = await warren("order list -o jsonl", http: services)
        #expect(json.records.count == 2)
    }

    @Test(
        "ends with the code that says what went wrong, and tells what the service said",
        arguments: [
            (404, 3, "no such order"), (422, 1, "lines[0].quantity: must be a whole number"), (409, 1, "still running"),
            (401, 4, "WARREN_OPERATIONS_TOKEN"), (500, 1, "status"), (504, 5, "late"),
        ]
    )
    func problems(status: Int, code: Int32, text: String) async {
        let services = FakeServices { _ in
            if status == 500 { return .text("<html>", status: 500) }
            return .json(
                [
                    "title": .string(text),
                    "errors": [["field": "lines[0].quantity", "detail": "must be a whole number"]],
                ],
                status: status
            )
        }
        let outcome = await warren("order show o-1", http: services)
        #expect(outcome.code == code)
        #expect(outcome.data.isEmpty)
        #expect(outcome.messages.contains(text))
    }

    @Test("tells an unreachable service from one that may have done it")
    func unreachable() async {
        let away = await warren("order place", http: FakeServices())
        #expect(away.code == 7)
        #expect(away.messages.contains("order cannot be reached at http://127.0.0.1:8081: refused"))
        #expect(away.messages.contains("--order-url or WARREN_ORDER_URL"))
        let unknown = await warren(
            "order place --idempotency-key mine",
            http: FakeServices { _ in throw TransportFailure(reason: "timeout", mayHaveArrived: true) }
        )
        #expect(unknown.code == 5)
        #expect(unknown.messages.contains("--idempotency-key mine"))
    }

    @Test("says so when something else than Warren answers")
    func stranger() async {
        let outcome = await warren("order show o-1", http: FakeServices { _ in .text("<html>hello</html>") })
        #expect(outcome.code == 1)
        #expect(outcome.messages.contains("no JSON"))
    }
}

@Suite("warren wait", .timeLimit(.minutes(5)))
struct WaitTests {
    @Test("ends when the order has come to what is waited for")
    func met() async {
        let answers = Sequence(order("placed", payment: "requested"), order("confirmed", payment: "captured"))
        let services = FakeServices { _ in .json(answers.next()) }
        let outcome = await warren("wait order o-1 --for confirmed -o jsonl", http: services)
        #expect(outcome.code == 0)
        #expect(services.requests.count == 2)
        #expect(outcome.records.first?["status"]?.text == "confirmed")
    }

    @Test("ends with 5 when the time is up, and says how the order stands")
    func timedOut() async {
        let services = FakeServices { _ in .json(order("placed", payment: "requested")) }
        let outcome = await warren("wait order o-1 --for confirmed --timeout 2s", http: services)
        #expect(outcome.code == 5)
        #expect(outcome.messages.contains("is not confirmed after 2 s: it is placed (payment requested)"))
        #expect(services.requests.count >= 2)
    }

    @Test(
        "ends with 5 at once when the order can never come to it",
        arguments: [
            ("confirmed", "rejected", "declined"), ("confirmed", "cancelled", "refunded"),
            ("rejected", "confirmed", "captured"), ("cancelled", "rejected", "declined"),
            ("refunded", "rejected", "declined"), ("refunded", "cancelled", "voided"),
        ]
    )
    func impossible(goal: String, status: String, payment: String) async {
        let services = FakeServices { _ in .json(order(status, payment: payment)) }
        let outcome = await warren("wait order o-1 --for \(goal) --timeout 1h", http: services)
        #expect(outcome.code == 5)
        #expect(services.requests.count == 1)
    }

    @Test(
        "goes on waiting while it still can come to it",
        arguments: [
            ("confirmed", "placed", "requested"), ("cancelled", "confirmed", "captured"),
            ("refunded", "cancelled", "captured"), ("refunded", "cancelled", "requested"),
            ("refunded", "confirmed", "captured"), ("rejected", "placed", "requested"),
        ]
    )
    func open(goal: String, status: String, payment: String) {
        #expect(OrderGoal(rawValue: goal)?.verdict(on: order(status, payment: payment)) == .open)
    }

    @Test("waits for a service that is away, and ends with 7 when it stays away")
    func away() async {
        let answers = Sequence<JSONValue?>(nil, order("confirmed", payment: "captured"))
        let back = FakeServices { _ in
            guard let answer = answers.next() else { throw TransportFailure(reason: "refused") }
            return .json(answer)
        }
        let outcome = await warren("wait order o-1 --for confirmed", http: back)
        #expect(outcome.code == 0)
        #expect(outcome.messages.contains("still waiting"))
        #expect(await warren("wait order o-1 --for confirmed --timeout 150ms", http: FakeServices()).code == 7)
    }

    @Test("ends with 3 for an order that does not exist, and with 2 for what it does not understand")
    func faults() async {
        let services = FakeServices { _ in .problem(404, "no such order") }
        #expect(await warren("wait order o-1 --for confirmed", http: services).code == 3)
        #expect(await warren("wait order o-1 --for confirmd", http: services).messages.contains("`confirmed`"))
        #expect(await warren("wait order o-1", http: services).code == 2)
    }
}
