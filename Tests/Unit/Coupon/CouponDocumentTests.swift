import HTTP
import JSON
import ServiceKit
import ServiceTestSupport
import ShopEvents
import TestSupport
import Testing

@testable import Coupon

@Suite("Coupon's OpenAPI document tells what the code does")
struct CouponDocumentTests {
    let api: APIDocument

    init() throws {
        api = try APIDocument("Services/Coupon/openapi.yaml")
    }

    @Test("The routes are the same")
    func routes() {
        api.checkRoutes(CouponAPI.routes.map { "\($0.method) \($0.pattern)" })
    }

    @Test("Every answer with a body has a schema, and every example keeps to it")
    func examples() throws {
        #expect(try api.checkExamples() >= 20)
    }

    @Test("Every operation has a name, and says what any request may be answered with; every problem is named")
    func problems() throws {
        try api.checkProblems(ProblemKind.ofCoupon)
    }

    @Test("The problems that the examples show are those of the catalogue, word for word")
    func problemExamples() throws {
        var shown: Set<String> = []
        for (name, _, operation) in api.operations {
            for answer in (operation["responses"]?.object ?? [:]).values {
                let content = api.document.resolving(answer)?["content", "application/problem+json"]
                for example in (content?["examples"]?.object ?? [:]).values {
                    guard let kind = ProblemKind.ofCoupon.first(where: { $0.path == example["value", "type"]?.text })
                    else { continue }
                    shown.insert(kind.slug)
                    #expect(example["value", "title"]?.text == kind.title, "\(name)")
                    #expect(example["value", "status"]?.integer == Int64(kind.status), "\(name)")
                }
            }
        }
        #expect(shown == Set(ProblemKind.ofCoupon.map(\.slug)))
    }

    @Test("The names of states and currencies are the same")
    func names() {
        #expect(api.names("State") == Coupon.State.allCases.map(\.rawValue))
        #expect(api.names("Currency") == Currency.codes.filter(Tender.takes))
    }

    private static let euros = Money(amount: 5, currency: "EUR")
    /// Rules with everything, by what they take off.
    private static let rules = [CouponRule.Discount.percent(10), .amount(euros)].map {
        CouponRule(discount: $0, minimum: euros, validFrom: 1_000, validUntil: 2_000)
    }

    @Test("A coupon in every state, and a page, are shown as the schema says", arguments: Coupon.State.allCases)
    func couponViews(state: Coupon.State) throws {
        let fields = Set((api.rules("Coupon")?["properties"]?.object ?? [:]).keys)
        let required = Set((api.rules("Coupon")?["required"]).elements.compactMap(\.text))
        for rule in Self.rules + [CouponRule(discount: .percent(1))] {
            let coupon = Coupon(
                id: "0198c0de-0000-7000-8000-000000000001",
                definition: "TEN",
                customer: "ada",
                rule: rule,
                state: state,
                orderID: state == .issued ? nil : "o-1",
                issuedAt: 1_000,
                updatedAt: 2_000
            )
            let value = try JSONValue(encoding: CouponView(coupon))
            #expect(try api.schema.faults(value, api.rules("Coupon")) == [])
            let shown = Set((value.object ?? [:]).keys)
            let expected = rule.minimum == nil ? required.union(["orderID"]) : fields
            #expect(shown == (state == .issued ? expected.subtracting(["orderID"]) : expected))
            for next in [coupon.id, nil] {
                let page = try JSONValue(encoding: CouponPage(coupons: [CouponView(coupon)], next: next))
                #expect(try api.schema.faults(page, api.rules("CouponPage")) == [])
            }
        }
    }

    @Test("A definition and a page are shown as the schema says")
    func definitionViews() throws {
        let fields = Set((api.rules("Definition")?["properties"]?.object ?? [:]).keys)
        for rule in Self.rules {
            let terms = CouponDefinition.Terms(rule: rule, limit: 5, limitPerCustomer: 2)
            let definition = CouponDefinition(id: "TEN", terms: terms, issued: 3, createdAt: 1_000, updatedAt: 2_000)
            let view = DefinitionView(definition)
            let value = try JSONValue(encoding: view)
            #expect(try api.schema.faults(value, api.rules("Definition")) == [])
            #expect(Set((value.object ?? [:]).keys) == fields)
            for next in ["TEN", nil] {
                let page = try JSONValue(encoding: DefinitionPage(definitions: [view], next: next))
                #expect(try api.schema.faults(page, api.rules("DefinitionPage")) == [])
            }
        }
    }

    private static func text(_ letter: String, _ count: Int) -> JSONValue {
        .string(String(repeating: letter, count: count))
    }

    @Test("A rule for a definition is the same in the code and in the schema")
    func definitionRules() throws {
        let percent: JSONValue = ["percent": 10]
        var bodies: [(JSONValue, Bool)] = [([:], false)]
        func add(_ isRight: Bool, discount: JSONValue? = nil, _ more: [String: JSONValue] = [:]) {
            bodies.append((.object(["discount": discount ?? percent].merging(more) { $1 }), isRight))
        }
        func money(_ amount: JSONValue, _ currency: JSONValue = "EUR") -> JSONValue {
            ["amount": amount, "currency": currency]
        }
        for (number, isRight) in [(0, false), (1, true), (100, true), (101, false)] as [(JSONValue, Bool)] {
            add(isRight, discount: ["percent": number])
        }
        add(false, discount: ["percent": "10"])
        add(false, discount: ["percent": .number(1.5)])
        add(false, discount: [:])
        add(false, discount: ["percent": 10, "amount": money(1)])
        add(false, discount: ["percent": 10, "tax": 1])
        add(false, discount: 10)
        let amounts: [(JSONValue, Bool)] = [(0, false), (1, true), (999_999_999_999, true), (1_000_000_000_000, false)]
        for (amount, isRight) in amounts {
            add(isRight, discount: ["amount": money(amount)])
            add(isRight, ["minimum": money(amount)])
        }
        for code in Currency.codes + ["eur", "XXX", ""] {
            add(Tender.takes(code), discount: ["amount": money(1, .string(code))])
            add(Tender.takes(code), ["minimum": money(1, .string(code))])
        }
        add(false, ["minimum": .null])
        add(false, ["minimum": ["amount": 1]])
        add(false, ["minimum": ["amount": 1, "currency": "EUR", "tax": 1]])
        for (limit, isRight) in [(0, false), (1, true), (10_000_000, true), (10_000_001, false)] as [(JSONValue, Bool)]
        {
            add(isRight, ["limit": limit])
        }
        for (limit, isRight) in [(0, false), (1, true), (1_000, true), (1_001, false)] as [(JSONValue, Bool)] {
            add(isRight, ["limitPerCustomer": limit])
        }
        add(false, ["limit": .null])
        add(false, ["issued": 1])
        let times = [
            ("2026-01-31T23:59:59Z", true), ("2026-04-30T00:00:00.123456+09:00", true), ("2028-02-29T00:00:00z", true),
            ("2026-12-31t23:59:60-23:59", true), ("0000-01-01T00:00:00Z", true), ("9999-12-31T00:00:00Z", true),
            ("2026-04-31T00:00:00Z", false), ("2026-02-30T00:00:00Z", false), ("2026-13-01T00:00:00Z", false),
            ("2026-00-01T00:00:00Z", false), ("2026-01-00T00:00:00Z", false), ("2026-01-01T24:00:00Z", false),
            ("2026-01-01T00:60:00Z", false), ("2026-01-01T00:00:61Z", false), ("2026-01-01T00:00:00", false),
            ("2026-01-01 00:00:00Z", false), ("2026-01-01T00:00:00.Z", false), ("2026-01-01T00:00:00+24:00", false),
            ("2026-01-01T00:00:00+00:60", false), ("2026-01-01", false), ("today", false), ("", false),
        ]
        for (time, isRight) in times {
            add(isRight, ["validFrom": .string(time)])
            add(isRight, ["validUntil": .string(time)])
        }
        add(false, ["validFrom": 0])
        for (body, isRight) in bodies {
            #expect(try (body.decode(DefinitionForm.self).terms != nil) == isRight, "the code: \(body)")
            #expect(try api.schema.faults(body, api.rules("NewDefinition")).isEmpty == isRight, "the schema: \(body)")
        }
    }

    @Test("A rule for a claim is the same in the code and in the schema")
    func claimRules() throws {
        let bodies: [(JSONValue, Bool)] = [
            (["customer": "ada"], true), (["customer": ""], false), (["customer": " \u{2003}"], false),
            (["customer": "a\nb"], false), (["customer": "a\u{1}"], false), (["customer": "애다"], true),
            (["customer": Self.text("a", 255)], true), (["customer": Self.text("a", 256)], false),
            (["customer": 1], false), (["customer": .null], false), ([:], false),
            (["customer": "ada", "count": 2], false),
        ]
        for (body, isRight) in bodies {
            #expect(try (body.decode(ClaimForm.self).customer != nil) == isRight, "the code: \(body)")
            #expect(try api.schema.faults(body, api.rules("NewClaim")).isEmpty == isRight, "the schema: \(body)")
        }
    }

    @Test("The limits of a page are the same")
    func pages() {
        let limit = api.document["components", "parameters", "Limit", "schema"]
        #expect(limit?["minimum"]?.integer == Int64(CouponLimits.pageSize.lowerBound))
        #expect(limit?["maximum"]?.integer == Int64(CouponLimits.pageSize.upperBound))
        let parameters = api.document["paths", "/coupons", "get", "parameters"]?.array ?? []
        let customer = parameters.first { $0["name"]?.text == "customer" }?["schema"]
        #expect(customer?["maxLength"]?.integer == Int64(CouponLimits.customerLength.upperBound))
    }
}
