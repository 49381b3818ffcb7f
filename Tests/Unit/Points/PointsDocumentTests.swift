import Database
import HTTP
import JSON
import MessagingTestKit
import ServiceKit
import ServiceTestSupport
import ShopEvents
import TestSupport
import Testing

@testable import Points

@Suite("Points' OpenAPI document tells what the code does")
struct PointsDocumentTests {
    let api: APIDocument

    init() throws {
        api = try APIDocument("Services/Points/openapi.yaml")
    }

    @Test("The routes are the same")
    func routes() {
        api.checkRoutes(PointsAPI.routes.map { "\($0.method) \($0.pattern)" })
    }

    @Test("Every answer with a body has a schema, and every example keeps to it")
    func examples() throws {
        #expect(try api.checkExamples() >= 15)
    }

    @Test("Every operation has a name, and says what any request may be answered with; every problem is named")
    func problems() throws {
        try api.checkProblems(ProblemKind.ofPoints)
    }

    @Test("The names of states, kinds and currencies are the same")
    func names() {
        #expect(api.names("ChargeState") == Charge.State.allCases.map(\.rawValue))
        #expect(api.names("Kind") == Posting.Kind.allCases.map(\.rawValue))
        #expect(api.names("Currency") == Currency.codes.filter(Tender.takes))
    }

    private func check(_ view: some Encodable, _ schema: String, without absent: Set<String> = []) throws {
        let value = try JSONValue(encoding: view)
        #expect(try api.schema.faults(value, api.rules(schema)) == [])
        let fields = Set((api.rules(schema)?["properties"]?.object ?? [:]).keys)
        #expect(Set((value.object ?? [:]).keys) == fields.subtracting(absent))
    }

    @Test("A charge in every state is shown as the schema says", arguments: Charge.State.allCases)
    func charges(state: Charge.State) throws {
        let charge = Charge(
            id: "pts_1",
            customer: "ada",
            total: Money(amount: 1, currency: "EUR"),
            state: state,
            reason: state == .declined ? "card_declined" : nil,
            createdAt: 0,
            updatedAt: 1
        )
        try check(ChargeView(charge), "Charge", without: state == .declined ? [] : ["reason"])
    }

    @Test("An entry of every kind is shown as the schema says", arguments: Posting.Kind.allCases)
    func entries(kind: Posting.Kind) throws {
        let line = Ledger.Line(
            number: 1,
            kind: kind,
            reference: "r-1",
            currency: "EUR",
            points: -1,
            balance: 0,
            at: 0
        )
        let isOfCharge = kind == .bought || kind == .refunded
        try check(EntryView(line), "Entry", without: [isOfCharge ? "orderID" : "chargeID"])
        for next in ["1", nil] { try check(EntryPage(entries: [EntryView(line)], next: next), "EntryPage") }
    }

    @Test("An account and the ledger are shown as the schema says")
    func views() async throws {
        try await PointsWorld.with { world in
            try await world.buy(5)
            let balances = try await world.service.database.read { try Ledger().balances(of: "ada", in: $0) }
            #expect(balances.count == 1)
            try check(AccountView("ada", balances), "Account")
            try check(LedgerView(try await world.check()), "Ledger")
        }
    }

    private static func text(_ letter: String, _ count: Int) -> JSONValue {
        .string(String(repeating: letter, count: count))
    }

    @Test("A rule for a charge is the same in the code and in the schema")
    func chargeRules() throws {
        var bodies: [(JSONValue, Bool)] = []
        func add(
            amount: JSONValue = 1_000,
            currency: JSONValue = "EUR",
            method: JSONValue = "pm_card_visa",
            more: [String: JSONValue] = [:],
            _ isRight: Bool
        ) {
            let total: JSONValue = ["amount": amount, "currency": currency]
            bodies.append((.object(["total": total, "paymentMethod": method].merging(more) { $1 }), isRight))
        }
        for code in Currency.codes + ["eur", "XXX", ""] { add(currency: .string(code), Tender.takes(code)) }
        add(amount: 1, true)
        add(amount: 0, false)
        add(amount: -1, false)
        add(amount: 999_999_999_999, true)
        add(amount: 1_000_000_000_000, false)
        add(amount: .number(1.5), false)
        add(amount: "1", false)
        add(method: "", false)
        add(method: "a b", false)
        add(method: Self.text("p", 255), true)
        add(method: Self.text("p", 256), false)
        add(method: "ä", false)
        add(method: 1, false)
        add(more: ["note": "x"], false)
        add(more: ["total": 5], false)
        add(more: ["total": ["amount": 1, "currency": "EUR", "tax": 1]], false)
        bodies += [
            (["paymentMethod": "pm"], false), (["total": ["amount": 1, "currency": "EUR"]], false), ([:], false),
        ]
        for (body, isRight) in bodies {
            #expect(try (body.decode(ChargeForm.self).wish != nil) == isRight, "the code: \(body)")
            #expect(try api.schema.faults(body, api.rules("NewCharge")).isEmpty == isRight, "the schema: \(body)")
        }
    }

    @Test("A rule for a customer and the limits of a page are the same")
    func limits() throws {
        let names =
            ["", "a", "auth0|7", "Ä /7", "a\nb", "a\u{7f}", "a\u{0}"]
            + [255, 256].map { String(repeating: "ä", count: $0) }
        for name in names {
            let faults = try api.schema.faults(.string(name), api.rules("CustomerID"))
            #expect(faults.isEmpty == PointsLimits.isCustomer(name), "\(name)")
        }
        let parameters = api.document["paths", "/accounts/{customer}/entries", "get", "parameters"]?.array ?? []
        let after = parameters.first { $0["name"]?.text == "after" }?["schema"]
        for text in ["", "0", "1", "007", "-1", "x", "999999999999999999", "1000000000000000000"] {
            let isTaken = EntryQuery.cursor(text) != nil
            #expect(try api.schema.faults(.string(text), after).isEmpty == isTaken, "\(text)")
        }
        let limit = parameters.first { $0["name"]?.text == "limit" }?["schema"]
        #expect(limit?["minimum"]?.integer == Int64(PointsLimits.pageSize.lowerBound))
        #expect(limit?["maximum"]?.integer == Int64(PointsLimits.pageSize.upperBound))
    }
}
