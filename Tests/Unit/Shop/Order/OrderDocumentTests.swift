import FoundationEssentials
import HTTP
import JSON
import ShopEvents
import TestSupport
import Testing

@testable import Order

@Suite("Order's OpenAPI document tells what the code does")
struct OrderDocumentTests {
    let document: JSONValue
    let schema: JSONSchema

    init() throws {
        document = try YAML.read("Services/Order/openapi.yaml")
        schema = JSONSchema(document: document)
    }

    private func rules(_ name: String) -> JSONValue? { document["components", "schemas", name] }

    @Test("The routes are the same")
    func routes() {
        var described: Set<String> = []
        for (path, item) in document["paths"]?.object ?? [:] {
            for method in (item.object ?? [:]).keys { described.insert("\(method.uppercased()) \(path)") }
        }
        #expect(described == Set(OrderAPI.routes.map { "\($0.method) \($0.pattern)" }))
        #expect(OrderAPI.routes.count == described.count)
    }

    @Test("Every answer with a body has a schema, and every example keeps to it")
    func examples() throws {
        var checked = 0
        func check(_ content: JSONValue?, at place: String) throws {
            for (type, media) in content?.object ?? [:] {
                #expect(document.resolving(media["schema"]) != nil, "\(place) \(type)")
                for (name, example) in media["examples"]?.object ?? [:] {
                    let value = try #require(document.resolving(example)?["value"])
                    #expect(try schema.faults(value, media["schema"]) == [], "\(place) \(type) \(name)")
                    checked += 1
                }
            }
        }
        for (path, item) in document["paths"]?.object ?? [:] {
            for (method, operation) in item.object ?? [:] {
                try check(operation["requestBody", "content"], at: "\(method) \(path)")
                for (status, answer) in operation["responses"]?.object ?? [:] {
                    let answer = document.resolving(answer)
                    #expect(answer?["content"] != nil, "\(method) \(path) \(status)")
                    try check(answer?["content"], at: "\(method) \(path) \(status)")
                }
            }
        }
        #expect(checked >= 10)
    }

    @Test("The example of a request is an order that the code takes")
    func request() throws {
        let media = document["paths", "/orders", "post", "requestBody", "content", "application/json"]
        let example = try #require(media?["examples", "tea", "value"])
        #expect(try example.decode(OrderForm.self).draft == OrderFixtures.draft)
        let body = try JSONValue(parsing: Array(OrderFixtures.body.utf8))
        #expect(try schema.faults(body, rules("NewOrder")) == [])
    }

    @Test("An order in every state is shown as the schema says", arguments: OrderStep.allCases, OrderStep.allCases)
    func views(first: OrderStep, second: OrderStep) throws {
        var order = OrderFixtures.placed(at: 1_767_225_600_000)
        _ = OrderTests.result(of: first, on: &order)
        _ = OrderTests.result(of: second, on: &order)
        let value = try JSONValue(encoding: OrderView(order))
        #expect(try schema.faults(value, rules("Order")) == [])
        let fields = Set((value.object ?? [:]).keys)
        #expect(fields == Set((rules("Order")?["properties"]?.object ?? [:]).keys))
        #expect(value["placedAt"]?.text == "2026-01-01T00:00:00.000Z")
    }

    @Test("The names of states are the same")
    func names() {
        let status = (rules("Status")?["enum"]?.array ?? []).compactMap(\.text)
        #expect(status == Order.Status.allCases.map(\.rawValue))
        let payment = (rules("PaymentStatus")?["enum"]?.array ?? []).compactMap(\.text)
        #expect(payment == Order.PaymentStatus.allCases.map(\.rawValue))
    }

    @Test("The limits are the same")
    func limits() {
        func expect(_ rule: JSONValue?, _ low: String, _ high: String, _ range: ClosedRange<Int64>) {
            #expect(rule?[low]?.integer == range.lowerBound)
            #expect(rule?[high]?.integer == range.upperBound)
        }
        func wide(_ range: ClosedRange<Int>) -> ClosedRange<Int64> { Int64(range.lowerBound)...Int64(range.upperBound) }
        let line = rules("Lines")?["items", "properties"]
        expect(line?["quantity"], "minimum", "maximum", wide(OrderLimits.quantity))
        expect(line?["unitPrice"], "minimum", "maximum", OrderLimits.unitPrice)
        expect(rules("Lines"), "minItems", "maxItems", wide(OrderLimits.lineCount))
        expect(rules("Money")?["properties", "amount"], "minimum", "maximum", OrderLimits.total)
        expect(rules("Customer")?["properties", "name"], "minLength", "maxLength", wide(OrderLimits.nameLength))
        #expect(line?["sku", "pattern"]?.text?.contains("{1,\(OrderLimits.skuLength.upperBound)}") == true)
        let method = rules("NewOrder")?["properties", "paymentMethod", "pattern"]?.text
        #expect(method?.contains("{1,\(OrderLimits.paymentMethodLength.upperBound)}") == true)
        let parameters = document["paths", "/orders", "get", "parameters"]?.array ?? []
        let limit = parameters.first { $0["name"]?.text == "limit" }?["schema"]
        expect(limit, "minimum", "maximum", wide(OrderQuery.limits))
    }
}
