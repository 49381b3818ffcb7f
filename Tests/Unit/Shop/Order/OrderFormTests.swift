import FoundationEssentials
import HTTP
import ShopEvents
import Testing

@testable import Order

@Suite("What a customer may order")
struct OrderFormTests {
    /// A change to the right body, and the fields that are at fault then.
    struct BadInput: CustomTestStringConvertible {
        let change: (from: String, to: String)
        let fields: [String]
        init(_ from: String, _ to: String, _ fields: String...) {
            change = (from, to)
            self.fields = fields
        }
        var testDescription: String { "\(change.to.prefix(60)) for \(change.from): \(fields)" }
    }

    static let line = #"{"sku":"TEA-500","quantity":2,"unitPrice":650}"#
    static let customer = #"{"email":"ada@example.com","name":"Ada Lovelace"}"#

    static let badInputs = [
        BadInput(#""ada@example.com""#, #""ada""#, "customer.email"),
        BadInput(#""ada@example.com""#, #""a@b@c""#, "customer.email"),
        BadInput(#""ada@example.com""#, #""ada@example.com\r\nBcc: x@y.example""#, "customer.email"),
        BadInput(#""ada@example.com""#, #""\#(String(repeating: "a", count: 250))@b.example""#, "customer.email"),
        BadInput(#""ada@example.com""#, "7", "customer.email"),
        BadInput(#""ada@example.com""#, "null", "customer.email"),
        BadInput(#""email":"ada@example.com","#, "", "customer.email"),
        BadInput(#""Ada Lovelace""#, #""""#, "customer.name"),
        BadInput(#""Ada Lovelace""#, #""   ""#, "customer.name"),
        BadInput(#""Ada Lovelace""#, #""Ada\nLovelace""#, "customer.name"),
        BadInput(#""Ada Lovelace""#, #""Ada\u0000""#, "customer.name"),
        BadInput(#""Ada Lovelace""#, #""Ada\u2028Lovelace""#, "customer.name"),
        BadInput(#""Ada Lovelace""#, #""\#(String(repeating: "é", count: 201))""#, "customer.name"),
        BadInput(#","name":"Ada Lovelace""#, "", "customer.name"),
        BadInput(customer, "[]", "customer"),
        BadInput(customer, "null", "customer"),
        BadInput(#""customer":\#(customer),"#, "", "customer"),
        BadInput(#""name":"#, #""phone":"1","name":"#, "customer.phone"),
        BadInput(#""EUR""#, #""eur""#, "currency"),
        BadInput(#""EUR""#, #""EURO""#, "currency"),
        BadInput(#""EUR""#, #""XXX""#, "currency"),
        BadInput(#""EUR""#, "978", "currency"),
        BadInput(#""EUR""#, #""IQD""#, "currency"),
        BadInput(#""currency":"EUR","#, "", "currency"),
        BadInput("[\(line)]", "[]", "lines"),
        BadInput("[\(line)]", "{}", "lines"),
        BadInput("[\(line)]", #""TEA""#, "lines"),
        BadInput("[\(line)]", "[\(Array(repeating: line, count: 101).joined(separator: ","))]", "lines"),
        BadInput(#""lines":[\#(line)],"#, "", "lines"),
        BadInput("[\(line)]", "[7,\(line),null]", "lines[0]", "lines[2]"),
        BadInput(#""TEA-500""#, #""""#, "lines[0].sku"),
        BadInput(#""TEA-500""#, #""TEA 500""#, "lines[0].sku"),
        BadInput(#""TEA-500""#, #""TÉ""#, "lines[0].sku"),
        BadInput(#""TEA-500""#, #""\#(String(repeating: "T", count: 65))""#, "lines[0].sku"),
        BadInput(#""sku":"TEA-500","#, "", "lines[0].sku"),
        BadInput(#""quantity":2"#, #""quantity":0"#, "lines[0].quantity"),
        BadInput(#""quantity":2"#, #""quantity":-1"#, "lines[0].quantity"),
        BadInput(#""quantity":2"#, #""quantity":10001"#, "lines[0].quantity"),
        BadInput(#""quantity":2"#, #""quantity":1.5"#, "lines[0].quantity"),
        BadInput(#""quantity":2"#, #""quantity":"2""#, "lines[0].quantity"),
        BadInput(#""quantity":2"#, #""quantity":true"#, "lines[0].quantity"),
        BadInput(#""quantity":2"#, #""quantity":99999999999999999999"#, "lines[0].quantity"),
        BadInput(#""quantity":2,"#, "", "lines[0].quantity"),
        BadInput(#""unitPrice":650"#, #""unitPrice":-1"#, "lines[0].unitPrice"),
        BadInput(#""unitPrice":650"#, #""unitPrice":100000001"#, "lines[0].unitPrice"),
        BadInput(#""unitPrice":650"#, #""unitPrice":6.5"#, "lines[0].unitPrice"),
        BadInput(#","unitPrice":650"#, "", "lines[0].unitPrice"),
        BadInput(#""unitPrice":650"#, #""unitPrice":0"#, "lines"),
        BadInput(
            "[\(line)]",
            "[\(String(repeating: #"{"sku":"A","quantity":10000,"unitPrice":100000000},"#, count: 2).dropLast())]",
            "lines"
        ),
        BadInput(#""unitPrice":650"#, #""unitPrice":650,"discount":1"#, "lines[0].discount"),
        BadInput(#""pm_card_visa""#, #""""#, "paymentMethod"),
        BadInput(#""pm_card_visa""#, #""pm card""#, "paymentMethod"),
        BadInput(#""pm_card_visa""#, #""pm_\t""#, "paymentMethod"),
        BadInput(#""pm_card_visa""#, #""\#(String(repeating: "p", count: 256))""#, "paymentMethod"),
        BadInput(#""pm_card_visa""#, "4242424242424242", "paymentMethod"),
        BadInput(#","paymentMethod":"pm_card_visa""#, "", "paymentMethod"),
        BadInput(#""currency":"#, #""voucher":"X","currency":"#, "voucher"),
        BadInput(
            "[\(line)]",
            #"[\#(line),{"sku":"","quantity":0,"unitPrice":-1,"x":1}]"#,
            "lines[1].quantity",
            "lines[1].sku",
            "lines[1].unitPrice",
            "lines[1].x"
        ),
    ]

    private func form(_ body: String) throws -> OrderForm {
        try JSONDecoder().decode(OrderForm.self, from: Data(body.utf8))
    }

    @Test("A whole number is one however it is written", arguments: ["2", "2.0", "2e0", "20e-1"])
    func wholeNumbers(text: String) throws {
        let form = try form(OrderFixtures.body.replacing(#""quantity":2"#, with: #""quantity":\#(text)"#))
        #expect(form.draft == OrderFixtures.draft)
    }

    @Test("A right order becomes a draft with the sum of its lines")
    func right() throws {
        let form = try form(OrderFixtures.body)
        #expect(form.faults.isEmpty)
        #expect(form.draft == OrderFixtures.draft)
        #expect(try form.checked() == OrderFixtures.draft)
    }

    @Test("Every bad input is refused naming its field", arguments: badInputs)
    func bad(input: BadInput) throws {
        #expect(OrderFixtures.body.contains(input.change.from))
        let form = try form(OrderFixtures.body.replacing(input.change.from, with: input.change.to))
        #expect(form.faults.map(\.field).sorted() == input.fields)
        #expect(form.draft == nil)
    }

    @Test(
        "A total that the provider cannot express is refused when the order is placed, naming the lines",
        arguments: [
            ("KWD", 1301, "a multiple of 10"), ("MGA", 1350, "a multiple of 100"), ("BHD", 5, "a multiple of 10"),
            ("ISK", 10_000_000_000, "1 to 9999999999"), ("UGX", 999_999_999_999, "1 to 9999999999"),
        ] as [(String, Int64, String)]
    )
    func inexpressible(currency: String, total: Int64, rule: String) throws {
        let form = try form(Self.body(of: total, in: currency))
        #expect(form.faults.map(\.field) == ["lines"])
        #expect(form.faults.first?.detail.contains(rule) == true)
        #expect(form.draft == nil)
    }

    @Test(
        "A total that the provider can express is taken",
        arguments: [("KWD", 1300), ("MGA", 1300), ("ISK", 9_999_999_999), ("UGX", 1), ("JPY", 1), ("HUF", 101)]
            as [(String, Int64)]
    )
    func expressible(currency: String, total: Int64) throws {
        let form = try form(Self.body(of: total, in: currency))
        #expect(form.faults.isEmpty)
        #expect(form.draft?.total == Money(amount: total, currency: currency))
    }

    /// An order over any total, as a sum of lines within their limits.
    private static func body(of total: Int64, in currency: String) -> String {
        var lines = [#"{"sku":"A","quantity":1,"unitPrice":\#(total % 10_000)}"#]
        if total >= 10_000 { lines.append(#"{"sku":"B","quantity":10000,"unitPrice":\#(total / 10_000)}"#) }
        return OrderFixtures.body.replacing(line, with: lines.joined(separator: ","))
            .replacing(#""EUR""#, with: #""\#(currency)""#)
    }

    @Test("All faults are named at once")
    func all() throws {
        let form = try form(#"{"customer":{"email":"x","name":""},"currency":"E","lines":[{"quantity":0}],"colour":1}"#)
        let fields: Set = [
            "customer.email", "customer.name", "currency", "lines[0].sku", "lines[0].quantity", "lines[0].unitPrice",
            "paymentMethod", "colour",
        ]
        #expect(Set(form.faults.map(\.field)) == fields)
        let problem = #expect(throws: Problem.self) { try form.checked() }
        #expect(problem?.status == 422)
        #expect(problem?.faults.count == fields.count)
    }

    @Test("The limits themselves are right")
    func limits() throws {
        let name = String(repeating: "é", count: 200)
        let lines = Array(repeating: #"{"sku":"A","quantity":1,"unitPrice":100000000}"#, count: 99)
            .joined(separator: ",")
        let most = OrderFixtures.body.replacing("Ada Lovelace", with: name)
            .replacing(Self.line, with: lines + #",{"sku":"B","quantity":10000,"unitPrice":0}"#)
        #expect(try form(most).faults.isEmpty)
        #expect(try form(most).draft?.total.amount == 9_900_000_000)
        let least = OrderFixtures.body.replacing(
            #""quantity":2,"unitPrice":650"#,
            with: #""quantity":1,"unitPrice":1"#
        )
        #expect(try form(least).draft?.total.amount == 1)
    }

    @Test("A body made of faults gets an answer of bounded size")
    func bounded() throws {
        let fields = (0..<5000).map { #""\#(String(repeating: "k", count: 1000))\#($0)":1"# }.joined(separator: ",")
        let form = try form("{\(fields)}")
        #expect(form.faults.count == 100)
        #expect(form.faults.allSatisfy { $0.field.utf8.count < 100 })
    }

    @Test("Something that is no object is not a form", arguments: ["[]", "7", "null", #""order""#, "", "{"])
    func noObject(body: String) {
        #expect(throws: (any Error).self) { try form(body) }
    }
}
