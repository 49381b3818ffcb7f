import JSON
import ServiceKit
import Testing

@testable import CommandLine

/// What is read over Inventory's, Coupon's and Points' own APIs.
@Suite("warren products, coupons and points")
struct ShopWordTests {
    private static let product: JSONValue = [
        "sku": "tea-500", "name": "Green tea", "price": ["amount": .integer(1250), "currency": "EUR"],
        "onHand": .integer(20), "reserved": .integer(2), "available": .integer(18), "level": "available",
        "updatedAt": "2026-01-01T00:00:00.000Z",
    ]

    private static let coupon: JSONValue = [
        "id": "c-1", "definition": "ten-percent", "customer": "ada", "state": "used", "orderID": "o-1",
        "discount": ["percent": .integer(10)], "minimum": ["amount": .integer(500), "currency": "EUR"],
        "issuedAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-02T00:00:00.000Z",
    ]

    private static let account: JSONValue = [
        "customer": "ada",
        "balances": [
            ["currency": "EUR", "points": .integer(618), "updatedAt": "2026-01-01T00:00:00.000Z"],
            ["currency": "JPY", "points": .integer(0), "updatedAt": "2026-01-02T00:00:00.000Z"],
        ],
    ]

    @Test("lists products, with what is there of them, and says how to get the next page")
    func products() async {
        let services = FakeServices { _ in .json(["products": [Self.product], "next": "tea 500"]) }
        let outcome = await warren("products list --limit 1 --query", "green tea", http: services)
        #expect(outcome.code == 0)
        #expect(services.lines == ["GET http://127.0.0.1:8084/products?limit=1&query=green%20tea"])
        #expect(
            outcome.lines == [
                "SKU          PRICE  ON HAND  RESERVED  AVAILABLE  LEVEL      NAME",
                "tea-500  12.50 EUR       20         2         18  available  Green tea",
            ]
        )
        #expect(outcome.messages == "There are more: add --after tea 500\n")
        let lines = await warren("products list -o jsonl --after x", http: services)
        #expect(lines.records == [Self.product])
        #expect(services.lines.last == "GET http://127.0.0.1:8084/products?limit=50&after=x")
    }

    @Test("says nothing of a next page on the last, and that there is nothing where there is nothing")
    func lastPage() async {
        let services = FakeServices { _ in .json(["products": [], "coupons": [], "next": .null]) }
        #expect(await warren("products list", http: services).messages == "no products\n")
        #expect(await warren("coupons list", http: services).messages == "no coupons\n")
        let full = FakeServices { _ in .json(["products": [Self.product], "next": .null]) }
        #expect(await warren("products list", http: full).messages.isEmpty)
    }

    @Test("shows a product; JSON keeps the minor units")
    func product() async {
        let services = FakeServices { _ in .json(Self.product) }
        let outcome = await warren("products show a/b", http: services)
        #expect(services.lines == ["GET http://127.0.0.1:8084/products/a%2Fb"])
        #expect(
            outcome.lines == [
                "sku        tea-500", "name       Green tea", "price      12.50 EUR", "onHand     20", "reserved   2",
                "available  18", "level      available", "updatedAt  2026-01-01T00:00:00.000Z",
            ]
        )
        #expect(await warren("products show tea-500 -o jsonl", http: services).records == [Self.product])
    }

    @Test("lists a customer's coupons, with what each takes off")
    func coupons() async {
        var fixed = Self.coupon
        fixed["discount"] = ["amount": ["amount": .integer(250), "currency": "EUR"]]
        fixed["orderID"] = nil
        let services = FakeServices { [fixed] _ in .json(["coupons": [Self.coupon, fixed], "next": "c-0"]) }
        let outcome = await warren("coupons list --customer ada --limit 2 --after c-9", http: services)
        #expect(services.lines == ["GET http://127.0.0.1:8085/coupons?limit=2&customer=ada&after=c-9"])
        #expect(
            outcome.lines == [
                "ID   STATE  CUSTOMER  DEFINITION   DISCOUNT   MINIMUM  VALID UNTIL  ORDER",
                "c-1  used   ada       ten-percent      10 %  5.00 EUR               o-1",
                "c-1  used   ada       ten-percent  2.50 EUR  5.00 EUR",
            ],
            "\(outcome.data)"
        )
        #expect(outcome.messages == "There are more: add --after c-0\n")
        let lines = await warren("coupons list -o jsonl", http: services)
        #expect(lines.records == [Self.coupon, fixed])
        #expect(services.lines.last == "GET http://127.0.0.1:8085/coupons?limit=50")
    }

    @Test("shows a coupon; JSON is as Coupon answers it")
    func coupon() async {
        let services = FakeServices { _ in .json(Self.coupon) }
        let outcome = await warren("coupons show c-1", http: services)
        #expect(services.lines == ["GET http://127.0.0.1:8085/coupons/c-1"])
        #expect(
            Array(outcome.lines.prefix(7)) == [
                "id          c-1", "state       used", "customer    ada", "definition  ten-percent",
                "discount    10 %", "minimum     5.00 EUR", "orderID     o-1",
            ]
        )
        #expect(await warren("coupons show c-1 -o jsonl", http: services).records == [Self.coupon])
    }

    @Test("shows a customer's points by currency; who never had any has none")
    func points() async {
        let services = FakeServices { _ in .json(Self.account) }
        let outcome = await warren("points show --customer", "a da", http: services)
        #expect(services.lines == ["GET http://127.0.0.1:8086/accounts/a%20da"])
        #expect(
            outcome.lines == [
                "CURRENCY  POINTS  UPDATED", "EUR          618  2026-01-01T00:00:00.000Z",
                "JPY            0  2026-01-02T00:00:00.000Z",
            ]
        )
        #expect(await warren("points show --customer ada -o jsonl", http: services).records == [Self.account])
        let none = FakeServices { _ in .json(["customer": "bob", "balances": []]) }
        let empty = await warren("points show --customer bob", http: none)
        #expect(empty.code == 0)
        #expect(empty.messages == "bob has no points\n")
        let whose = await warren("points show", http: services)
        #expect(whose.code == 2)
        #expect(whose.messages.contains("--customer is missing"))
    }

    /// A command, and where it goes when nothing is said.
    private static let words = [
        ("products list", "inventory", 8084), ("products show x", "inventory", 8084), ("coupons list", "coupon", 8085),
        ("coupons show x", "coupon", 8085), ("points show --customer x", "points", 8086),
    ]

    @Test("go where their option says, else their variable, with the token for the shop's own APIs", arguments: words)
    func address(line: String, service: String, port: Int) async {
        let services = FakeServices()
        let variable = "WARREN_\(service.uppercased())_URL"
        let environment = [
            variable: "http://variable.test/", "WARREN_ORDER_URL": "http://order.test", "WARREN_API_TOKEN": "shop's",
            "WARREN_OPERATIONS_TOKEN": "secret",
        ]
        let away = await warren(line, http: services)
        #expect(away.code == 7)
        #expect(away.messages.contains("say where it is with --\(service)-url or \(variable)."), "\(away.messages)")
        _ = await warren(line, environment: environment, http: services)
        _ = await warren("\(line) --\(service)-url https://option.test", environment: environment, http: services)
        let hosts = services.requests.map { $0.url.split(separator: "/")[1] }
        #expect(hosts == ["127.0.0.1:\(port)", "variable.test", "option.test"])
        #expect(services.requests.map { $0.headers["Authorization"] } == [nil, "Bearer shop's", "Bearer shop's"])
        let wrong = await warren(line, environment: [variable: "nowhere"])
        #expect(wrong.code == 2)
        #expect(wrong.messages.contains("--\(service)-url or \(variable) is a URL such as http://127.0.0.1:\(port)."))
    }

    @Test("end with the code that says what went wrong, and tell what the service said", arguments: words)
    func problems(line: String, service: String, port: Int) async {
        for (status, code) in [(404, 3), (401, 4), (403, 4), (422, 1), (500, 1)] as [(Int, Int32)] {
            let services = FakeServices { _ in .problem(status, "it said", detail: "why") }
            let outcome = await warren(line, http: services)
            #expect(outcome.code == code)
            #expect(outcome.data.isEmpty)
            #expect(outcome.messages.contains("\(service): it said: why"), "\(outcome.messages)")
        }
    }

    @Test(
        "take nobody else's answer for an empty list",
        arguments: ["products list", "coupons list", "points show --customer x", "order list"]
    )
    func stranger(line: String) async {
        let outcome = await warren(line, http: FakeServices { _ in .json(["hello": "world"]) })
        #expect(outcome.code == 1)
        #expect(outcome.messages.contains("answered with something that is no"))
        #expect(outcome.messages.contains("leads to a service built on Warren"))
    }

    @Test("ask for 1 to 100 at a time", arguments: ["products list", "coupons list", "order list"])
    func limits(line: String) async {
        for limit in ["0", "101", "many"] {
            let services = FakeServices()
            let outcome = await warren("\(line) --limit \(limit)", http: services)
            #expect(outcome.code == 2)
            #expect(outcome.messages.contains("It is a whole number, 1 to 100."))
            #expect(services.requests.isEmpty)
        }
    }
}
