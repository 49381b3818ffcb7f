import FoundationEssentials
import HTTP
import JSON
import ServiceKit
import ServiceTestSupport
import ShopEvents
import TestSupport
import Testing

@testable import Inventory
@testable import Order
@testable import Sandbox

@Suite("Order's OpenAPI document tells what the code does")
struct OrderDocumentTests {
    let api: APIDocument
    var document: JSONValue { api.document }
    var schema: JSONSchema { api.schema }

    init() throws {
        api = try APIDocument("Services/Order/openapi.yaml")
    }

    private func rules(_ name: String) -> JSONValue? { api.rules(name) }

    @Test("The routes are the same")
    func routes() {
        api.checkRoutes(OrderAPI.routes.map { "\($0.method) \($0.pattern)" })
    }

    @Test("Every answer with a body has a schema, and every example keeps to it")
    func examples() throws {
        #expect(try api.checkExamples() >= 10)
    }

    @Test("The example of a request is an order that the code takes")
    func request() throws {
        let media = document["paths", "/orders", "post", "requestBody", "content", "application/json"]
        let example = try #require(media?["examples", "tea", "value"])
        #expect(try example.decode(OrderForm.self).draft == OrderFixtures.draft)
        let body = try JSONValue(parsing: Array(OrderFixtures.body.utf8))
        #expect(try schema.faults(body, rules("NewOrder")) == [])
    }

    /// What only an order of a shop with the contexts has.
    private static let guests: Set = [
        "stockStatus", "couponStatus", "pointsStatus", "shippingStatus", "shippingAddress", "trackingCode",
        "shippingReason", "deductions", "due",
        // And only one of which something was cancelled.
        "cancelled",
    ]

    @Test("An order in every state is shown as the schema says", arguments: OrderStep.allCases, OrderStep.allCases)
    func views(first: OrderStep, second: OrderStep) throws {
        var order = OrderFixtures.placed(at: 1_767_225_600_000)
        _ = OrderTests.result(of: first, on: &order)
        _ = OrderTests.result(of: second, on: &order)
        let value = try JSONValue(encoding: OrderView(order))
        #expect(try schema.faults(value, rules("Order")) == [])
        let fields = Set((value.object ?? [:]).keys)
        #expect(fields.union(Self.guests) == Set((rules("Order")?["properties"]?.object ?? [:]).keys))
        #expect(fields.isDisjoint(with: Self.guests), "a small shop says nothing of what it does not have")
        #expect(value["placedAt"]?.text == "2026-01-01T00:00:00.000Z")
    }

    @Test("So is one of a shop with Inventory, its stock and its products' names")
    func stockViews() throws {
        let wish = OrderWish(
            customer: OrderFixtures.draft.customer,
            currency: "EUR",
            lines: [.init(sku: "TEA-500", quantity: 2, unitPrice: nil)],
            paymentMethod: "pm_card_visa"
        )
        let tea = ProductEntry(sku: "TEA-500", name: "Green tea", price: Money(amount: 650, currency: "EUR"))
        let draft = try wish.priced(by: ["TEA-500": tea])
        var order = Order.place(draft, id: OrderFixtures.id, awaitsStock: true, at: 1_767_225_600_000).order
        #expect(try fields(of: order) == all.subtracting(Self.guests).union(["stockStatus"]))
        _ = try order.take(Order.ReservationReport.reserved(), of: .stock, at: 1_767_225_600_001)
        #expect(try fields(of: order) == all.subtracting(Self.guests).union(["stockStatus"]))
    }

    @Test("So is one of a shop that has everything, up to its parcel")
    func fullViews() throws {
        var draft = OrderFixtures.draft
        draft.customer.id = "ada"
        draft.customer.locale = "ko-KR"
        draft.deductions = Deductions(coupon: "c-1", points: 300)
        var (order, _) = Order.place(
            draft,
            id: OrderFixtures.id,
            awaitsStock: true,
            isShipped: true,
            at: 1_767_225_600_000
        )
        let late: Set = ["shippingAddress", "trackingCode", "shippingReason", "cancelled"]
        #expect(try fields(of: order) == all.subtracting(late))
        _ = try order.ship(to: OrderFixtures.address, at: 1_767_225_600_001)
        _ = try order.take(.refused(reason: "unknown_address", addressVersion: 1), at: 1_767_225_600_002)
        #expect(try fields(of: order) == all.subtracting(["trackingCode", "cancelled"]))
        _ = try order.take(.reserved(), of: .stock, at: 1_767_225_600_003)
        _ = try order.take(.reserved(discount: 130), of: .coupon, at: 1_767_225_600_004)
        _ = try order.take(.spent(300), at: 1_767_225_600_005)
        _ = try order.take(.captured(Money(amount: 870, currency: "EUR")), at: 1_767_225_600_006)
        _ = try order.take(DisputeState.opened, at: 1_767_225_600_007)
        for kind in [Order.Reservation.stock, .coupon] {
            _ = try order.take(.confirmed, of: kind, at: 1_767_225_600_007)
        }
        _ = try order.keep(["TEA-500": 1], at: 1_767_225_600_007)
        _ = try order.take(.dispatched(trackingCode: "T-1", addressVersion: 1), at: 1_767_225_600_008)
        #expect(try fields(of: order) == all.subtracting(["shippingReason"]))
        let value = try JSONValue(encoding: OrderView(order))
        #expect(value["due", "amount"]?.integer == 870)
        #expect(value["deductions", "discount"]?.integer == 130)
    }

    /// All fields that the document knows.
    private var all: Set<String> { Set((rules("Order")?["properties"]?.object ?? [:]).keys) }

    /// The fields that an order is shown with, after they were held against the schema.
    private func fields(of order: Order) throws -> Set<String> {
        let value = try JSONValue(encoding: OrderView(order))
        #expect(try schema.faults(value, rules("Order")) == [])
        return Set((value.object ?? [:]).keys)
    }

    @Test("The names of states are the same")
    func names() {
        let status = (rules("Status")?["enum"]?.array ?? []).compactMap(\.text)
        #expect(status == Order.Status.allCases.map(\.rawValue))
        let payment = (rules("PaymentStatus")?["enum"]?.array ?? []).compactMap(\.text)
        #expect(payment == Order.PaymentStatus.allCases.map(\.rawValue))
        #expect(api.names("ReservationStatus") == Order.ReservationStatus.allCases.map(\.rawValue))
        #expect(api.names("PointsStatus") == Order.PointsStatus.allCases.map(\.rawValue))
        #expect(api.names("ShippingStatus") == Order.ShippingStatus.allCases.map(\.rawValue))
        #expect(api.names("DisputeState") == DisputeState.allCases.map(\.rawValue))
    }

    /// Orders on both sides of every rule, and whether they are right.
    private static let rules: [(JSONValue, isRight: Bool)] = {
        func order(
            email: JSONValue = "ada@example.com",
            name: JSONValue = "Ada",
            currency: JSONValue = "EUR",
            method: JSONValue = "pm_card_visa",
            lines: [JSONValue]? = nil,
            sku: JSONValue = "TEA-500",
            quantity: JSONValue = 1,
            unitPrice: JSONValue = 100
        ) -> JSONValue {
            let line: JSONValue = ["sku": sku, "quantity": quantity, "unitPrice": unitPrice]
            return [
                "customer": ["email": email, "name": name], "currency": currency, "lines": .array(lines ?? [line]),
                "paymentMethod": method,
            ]
        }
        func text(_ letter: String, _ count: Int) -> JSONValue { .string(String(repeating: letter, count: count)) }
        let line: JSONValue = ["sku": "a", "quantity": 1, "unitPrice": 1]
        let label = String(repeating: "d", count: 63)
        let local = String(repeating: "l", count: 64)
        let emails: [(String, Bool)] = [
            ("a@b", true), ("a.b+c@d-e.example", true), ("!#$%&'*+-/=?^_`{|}~@b", true), ("\(local)@b", true),
            ("\(local)l@b", false), ("a@\(label)", true), ("a@\(label)d", false), ("a@-b", false), ("a@b-", false),
            ("a@b.", false), ("a@.b", false), (".a@b", false), ("a..b@c", false), ("a@b@c", false), ("a", false),
            ("@b", false), ("a@", false), ("a b@c", false), ("\"a\"@b", false), ("ä@b", false), ("a@bü", false),
            ("a@b\n", false), ("a\r\nb@c", false),
            ("a@\(label).\(label).\(label).\(String(repeating: "d", count: 60))", true),
            ("a@\(label).\(label).\(label).\(String(repeating: "d", count: 61))", false),
        ]
        var result = emails.map { (order(email: .string($0.0)), isRight: $0.1) }
        let codes = Currency.codes + ["eur", "EURO", "XXX", "EU", "", "ÄÖÜ"]
        result += codes.map { (order(currency: .string($0), unitPrice: 10_000), isRight: Tender.takes($0)) }
        result += [
            (order(name: ""), false), (order(name: " \u{2003}"), false), (order(name: text("e\u{301}", 100)), true),
            (order(name: text("n", 200)), true), (order(name: text("n", 201)), false), (order(name: "a\u{1}"), false),
            (order(name: "a\r\nb"), false), (order(name: "a\u{2029}b"), false), (order(name: "\u{85}"), false),
            (order(method: ""), false), (order(method: text("p", 255)), true), (order(method: text("p", 256)), false),
            (order(method: "a b"), false), (order(method: "pé"), false), (order(method: "a\n"), false),
            (order(lines: []), false), (order(lines: Array(repeating: line, count: 100)), true),
            (order(lines: Array(repeating: line, count: 101)), false),
            (order(sku: ""), false), (order(sku: text("s", 64)), true), (order(sku: text("s", 65)), false),
            (order(sku: "a/b"), false), (order(sku: "ä"), false), (order(sku: "a\n"), false),
            (order(quantity: 0), false), (order(quantity: 10_000), true), (order(quantity: 10_001), false),
            (order(quantity: .number(1.5)), false), (order(unitPrice: -1), false),
            (order(unitPrice: 100_000_000), true),
            (order(unitPrice: 100_000_001), false),
        ]
        return result
    }()

    @Test("A rule of the code is one of the schema, and the other way round")
    func sameRules() throws {
        for (body, isRight) in Self.rules {
            let text = String(decoding: body.bytes, as: UTF8.self)
            let isTaken = try body.decode(OrderForm.self).draft != nil
            #expect(isTaken == isRight, "the code: \(text)")
            let faults = try schema.faults(body, rules("NewOrder"))
            #expect(faults.isEmpty == isRight, "the schema: \(text)")
        }
        #expect(Self.rules.count > 200)
    }

    @Test("A key is one to the schema if it is one to the code")
    func keys() throws {
        let long = String(repeating: "k", count: 255)
        let parameter = document["paths", "/orders", "post", "parameters"]?[0]
        for key in [
            "k", "a,b;c=d", "a\\b", long, long + "k", "\"\(long)\"", "\"\(long)k\"", "\"a b\"", #""a \"b\" \\ c""#,
            #""a\b""#,
            "\"\(String(repeating: #"\\"#, count: 255))\"", "", "\"\"", "\"", "\"a", "a\"", "a b", "ä", "\"ä\"",
            "a\u{7F}",
        ] {
            let isKey = (try? IdempotencyKey(key, of: "local")) != nil
            let faults = try schema.faults(.string(key), parameter?["schema"])
            #expect(faults.isEmpty == isKey, "\(key)")
        }
    }

    @Test("Every operation has a name, and says what any request may be answered with; every problem is named")
    func problems() throws {
        try api.checkProblems(ProblemKind.ofOrder)
    }

    @Test("The shop's kinds of problems are in their service's catalogue, and all of them are answered")
    func kinds() throws {
        let order = try ProblemSources.read("Services/Order")
        #expect(Set(order.declared.values) == Set(ProblemKind.ofOrder.map(\.slug)))
        let kit = try ProblemSources.read("Shared")
        let sandbox = try ProblemSources.read("Services/Sandbox")
        #expect(Set(sandbox.declared.values) == Set(ProblemKind.ofSandbox.map(\.slug)))
        let inventory = try ProblemSources.read("Services/Inventory")
        #expect(Set(inventory.declared.values) == Set(ProblemKind.ofInventory.map(\.slug)))
        let catalogues = ["Order", "Payment", "Sandbox", "Inventory"]
        for service in ["Order", "Payment", "Notification", "Inventory", "Analytics", "Sandbox"] {
            let sources = try ProblemSources.read("Services/\(service)")
            #expect(sources.others.isEmpty, "\(service)")
            #expect(sources.used.isSubset(of: Set(sources.declared.keys).union(kit.declared.keys)), "\(service)")
            #expect(sources.used.isSuperset(of: sources.declared.keys), "\(service) answers not all of its kinds")
            let isKnown = catalogues.contains(service) || sources.declared.isEmpty
            #expect(isKnown, "\(service) has kinds: add them to its catalogue")
        }
        for own in [order, sandbox, inventory] {
            #expect(Set(own.declared.values).isDisjoint(with: kit.declared.values))
        }
    }

    @Test("The limits are the same")
    func limits() {
        func expect(_ rule: JSONValue?, _ low: String, _ high: String, _ range: ClosedRange<Int64>) {
            #expect(rule?[low]?.integer == range.lowerBound)
            #expect(rule?[high]?.integer == range.upperBound)
        }
        func wide(_ range: ClosedRange<Int>) -> ClosedRange<Int64> { Int64(range.lowerBound)...Int64(range.upperBound) }
        expect(rules("Quantity"), "minimum", "maximum", wide(OrderLimits.quantity))
        for lines in [rules("NewLines"), rules("Lines")] {
            let line = lines?["items", "properties"]
            expect(line?["unitPrice"], "minimum", "maximum", OrderLimits.unitPrice)
            expect(lines, "minItems", "maxItems", wide(OrderLimits.lineCount))
        }
        expect(rules("Money")?["properties", "amount"], "minimum", "maximum", OrderLimits.total)
        expect(rules("Customer")?["properties", "name"], "minLength", "maxLength", wide(OrderLimits.nameLength))
        #expect(rules("SKU")?["pattern"]?.text?.contains("{1,\(OrderLimits.skuLength.upperBound)}") == true)
        let method = rules("NewOrder")?["properties", "paymentMethod", "pattern"]?.text
        #expect(method?.contains("{1,\(OrderLimits.paymentMethodLength.upperBound)}") == true)
        let parameters = document["paths", "/orders", "get", "parameters"]?.array ?? []
        let limit = parameters.first { $0["name"]?.text == "limit" }?["schema"]
        expect(limit, "minimum", "maximum", wide(OrderQuery.limits))
    }
}
