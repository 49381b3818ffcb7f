import HTTP
import JSON
import ServiceKit
import ServiceTestSupport
import ShopEvents
import TestSupport
import Testing

@testable import Inventory

@Suite("Inventory's OpenAPI document tells what the code does")
struct InventoryDocumentTests {
    let api: APIDocument

    init() throws {
        api = try APIDocument("Services/Inventory/openapi.yaml")
    }

    @Test("The routes are the same")
    func routes() {
        api.checkRoutes(InventoryAPI.routes.map { "\($0.method) \($0.pattern)" })
    }

    @Test("Every answer with a body has a schema, and every example keeps to it")
    func examples() throws {
        #expect(try api.checkExamples() >= 20)
    }

    @Test("Every operation has a name, and says what any request may be answered with; every problem is named")
    func problems() throws {
        try api.checkProblems(ProblemKind.ofInventory)
    }

    @Test("The problems that the examples show are those of the catalogue, word for word")
    func problemExamples() throws {
        var shown: Set<String> = []
        for (name, _, operation) in api.operations {
            for answer in (operation["responses"]?.object ?? [:]).values {
                let content = api.document.resolving(answer)?["content", "application/problem+json"]
                for example in (content?["examples"]?.object ?? [:]).values {
                    guard let kind = ProblemKind.ofInventory.first(where: { $0.path == example["value", "type"]?.text })
                    else { continue }
                    shown.insert(kind.slug)
                    #expect(example["value", "title"]?.text == kind.title, "\(name)")
                    #expect(example["value", "status"]?.integer == Int64(kind.status), "\(name)")
                }
            }
        }
        #expect(shown == Set(ProblemKind.ofInventory.map(\.slug)))
    }

    @Test("The names of states, reasons and levels are the same")
    func names() {
        #expect(api.names("State") == Reservation.State.allCases.map(\.rawValue))
        #expect(api.names("Reason") == Reservation.Reason.allCases.map(\.rawValue))
        #expect(api.names("Level") == StockLevel.allCases.map(\.rawValue))
        #expect(api.names("Currency") == Currency.codes.filter(Tender.takes))
    }

    @Test("A reservation in every state is shown as the schema says", arguments: Reservation.State.allCases)
    func reservationViews(state: Reservation.State) throws {
        for owner in Reservation.Owner.allCases {
            let reservation = Reservation(
                id: "o-1",
                owner: owner,
                lines: [Reservation.Line(sku: "TEA", quantity: 2)],
                state: state,
                reason: .expired,
                expiresAt: 3_000,
                createdAt: 1_000,
                updatedAt: 2_000
            )
            let value = try JSONValue(encoding: ReservationView(reservation))
            #expect(try api.schema.faults(value, api.rules("Reservation")) == [])
            let fields = Set((api.rules("Reservation")?["properties"]?.object ?? [:]).keys)
            #expect(Set((value.object ?? [:]).keys) == (owner == .order ? fields : fields.subtracting(["orderID"])))
        }
    }

    @Test("A product and a page are shown as the schema says")
    func productViews() throws {
        let product = Product(
            sku: "TEA",
            name: "Tea",
            price: Money(amount: 0, currency: "EUR"),
            stock: Stock(onHand: 4, reserved: 3),
            updatedAt: 1_000
        )
        let view = ProductView(product, low: 5)
        let value = try JSONValue(encoding: view)
        #expect(try api.schema.faults(value, api.rules("Product")) == [])
        let fields = (api.rules("Product")?["properties"]?.object ?? [:]).keys
        #expect(Set((value.object ?? [:]).keys) == Set(fields))
        for next in ["TEA", nil] {
            let page = try JSONValue(encoding: ProductPage(products: [view], next: next))
            #expect(try api.schema.faults(page, api.rules("ProductPage")) == [])
        }
    }

    private static func text(_ letter: String, _ count: Int) -> JSONValue {
        .string(String(repeating: letter, count: count))
    }

    @Test("A rule for a product is the same in the code and in the schema")
    func productRules() throws {
        var bodies: [(JSONValue, Bool)] = []
        func add(
            name: JSONValue = "Tea",
            amount: JSONValue = 650,
            currency: JSONValue = "EUR",
            more: [String: JSONValue] = [:],
            _ isRight: Bool
        ) {
            let fields: [String: JSONValue] = ["name": name, "price": ["amount": amount, "currency": currency]]
            bodies.append((.object(fields.merging(more) { $1 }), isRight))
        }
        for code in Currency.codes + ["eur", "XXX", ""] { add(currency: .string(code), Tender.takes(code)) }
        add(name: "", false)
        add(name: " \u{2003}", false)
        add(name: Self.text("n", 200), true)
        add(name: Self.text("n", 201), false)
        add(name: "a\u{1}", false)
        add(name: "a\r\nb", false)
        add(name: "녹차 500g", true)
        add(name: 1, false)
        add(amount: 0, true)
        add(amount: 100_000_000, true)
        add(amount: 100_000_001, false)
        add(amount: -1, false)
        add(amount: .number(1.5), false)
        add(more: ["onHand": 1], false)
        bodies += [(["name": "Tea"], false), (["price": ["amount": 1, "currency": "EUR"]], false), ([:], false)]
        for (body, isRight) in bodies {
            let isTaken = try body.decode(ProductForm.self).listing != nil
            #expect(isTaken == isRight, "the code: \(body)")
            #expect(try api.schema.faults(body, api.rules("NewProduct")).isEmpty == isRight, "the schema: \(body)")
        }
    }

    @Test("A rule for a movement is the same in the code and in the schema")
    func movementRules() throws {
        let bodies: [(JSONValue, Bool)] = [
            (["change": 1], true), (["change": -1], true), (["change": 0], false), (["change": 1_000_000], true),
            (["change": 1_000_001], false), (["change": -1_000_000], true), (["change": -1_000_001], false),
            (["change": "1"], false), ([:], false), (["change": 1, "sku": "TEA"], false),
            (["change": 1, "reason": "found"], true), (["change": 1, "reason": ""], false),
            (["change": 1, "reason": " "], false), (["change": 1, "reason": .null], false),
            (["change": 1, "reason": Self.text("r", 200)], true),
            (["change": 1, "reason": Self.text("r", 201)], false),
            (["change": 1, "reason": "a\nb"], false),
        ]
        for (body, isRight) in bodies {
            #expect(try (body.decode(StockForm.self).movement != nil) == isRight, "the code: \(body)")
            #expect(try api.schema.faults(body, api.rules("StockMovement")).isEmpty == isRight, "the schema: \(body)")
        }
    }

    @Test("A rule for a reservation is the same in the code and in the schema")
    func reservationRules() throws {
        let line: JSONValue = ["sku": "TEA", "quantity": 1]
        func body(
            id: JSONValue = "r-1",
            lines: [JSONValue]? = nil,
            sku: JSONValue = "TEA",
            quantity: JSONValue = 1,
            more: [String: JSONValue] = [:]
        ) -> JSONValue {
            let fields: [String: JSONValue] = [
                "id": id, "lines": .array(lines ?? [["sku": sku, "quantity": quantity]]),
            ]
            return .object(fields.merging(more) { $1 })
        }
        let bodies: [(JSONValue, Bool)] = [
            (body(), true), (body(id: ""), false), (body(id: Self.text("i", 64)), true),
            (body(id: Self.text("i", 65)), false), (body(id: "a/b"), false), (body(id: "ä"), false),
            (body(id: "A.b_c-9"), true), (body(lines: []), false),
            (body(lines: Array(repeating: line, count: 100)), true),
            (body(lines: Array(repeating: line, count: 101)), false), (body(sku: "a b"), false), (body(sku: 1), false),
            (body(quantity: 0), false), (body(quantity: 10_000), true), (body(quantity: 10_001), false),
            (body(lines: [["sku": "TEA", "quantity": 1, "unitPrice": 1]]), false),
            (body(more: ["expiresIn": 1]), true), (body(more: ["expiresIn": 0]), false),
            (body(more: ["expiresIn": 86_400]), true), (body(more: ["expiresIn": 86_401]), false),
            (body(more: ["expiresIn": .null]), false), (body(more: ["orderID": "o"]), false), ([:], false),
        ]
        for (body, isRight) in bodies {
            #expect(try (body.decode(ReservationForm.self).wish != nil) == isRight, "the code: \(body)")
            #expect(try api.schema.faults(body, api.rules("NewReservation")).isEmpty == isRight, "the schema: \(body)")
        }
    }

    @Test("The limits of a page are the same")
    func pages() {
        let parameters = api.document["paths", "/products", "get", "parameters"]?.array ?? []
        func schema(_ name: String) -> JSONValue? { parameters.first { $0["name"]?.text == name }?["schema"] }
        #expect(schema("limit")?["minimum"]?.integer == Int64(InventoryLimits.pageSize.lowerBound))
        #expect(schema("limit")?["maximum"]?.integer == Int64(InventoryLimits.pageSize.upperBound))
        #expect(schema("query")?["maxLength"]?.integer == Int64(InventoryLimits.queryLength.upperBound))
    }
}
