import HTTP
import ServiceTestSupport
import Testing

@testable import Shipping

@Suite("Shipping's OpenAPI document tells what the code does")
struct ShippingDocumentTests {
    let api: APIDocument

    init() throws {
        api = try APIDocument("Services/Shipping/openapi.yaml")
    }

    @Test("The routes are the same")
    func routes() {
        api.checkRoutes(ShippingAPI.routes.map { "\($0.method) \($0.pattern)" })
    }

    @Test("Every answer with a body has a schema, and every example keeps to it")
    func examples() throws {
        #expect(try api.checkExamples() >= 8)
    }

    @Test("Every operation has a name, and says what any request may be answered with; every problem is named")
    func problems() throws {
        try api.checkProblems(ProblemKind.ofShipping)
    }

    @Test("The names of states and outcomes are the same")
    func names() {
        #expect(api.names("State") == Shipment.State.allCases.map(\.rawValue))
        #expect(api.names("Outcome") == WebhookReceipt.Outcome.allCases.map(\.rawValue))
    }
}
