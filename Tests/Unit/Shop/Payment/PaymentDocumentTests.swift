import HTTP
import JSON
import ServiceKit
import ServiceTestSupport
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Payment

@Suite("Payment's OpenAPI document tells what the code does", .timeLimit(.minutes(5)))
struct PaymentDocumentTests {
    let api: APIDocument

    init() throws {
        api = try APIDocument("Services/Payment/openapi.yaml")
    }

    @Test("The routes are the same")
    func routes() async throws {
        try await PaymentDesk.open { desk async throws in
            let client = HTTPClient()
            defer { client.close() }
            let gateway = StripeGateway(url: "http://127.0.0.1:1", key: "", timeout: .seconds(1), client: client)
            let routes = Mutex<[String]>([])
            let add: (String, String, @escaping Router.Handler) -> Void = { method, pattern, _ in
                routes.withLock { $0.append("\(method) \(pattern)") }
            }
            PaymentAPI(database: desk.database).register(add)
            ReconciliationAPI(reconciler: Reconciler(database: desk.database, books: gateway)).register(add)
            WebhookAPI(events: desk.events, signature: nil, logger: .silent).register { method, pattern, access, _ in
                #expect(access == .anyone)
                routes.withLock { $0.append("\(method) \(pattern)") }
            }
            api.checkRoutes(routes.withLock { $0 })
        }
    }

    @Test("Every operation has a name, and says what any request may be answered with; every problem is named")
    func problems() throws {
        try api.checkProblems(ProblemKind.ofPayment)
    }

    @Test("The names of states, purposes and differences are the same")
    func names() {
        let schemas = api.document["components", "schemas"]
        func names(_ schema: String, _ member: String) -> [String]? {
            schemas?[schema, "properties", member, "enum"].elements.compactMap(\.text)
        }
        #expect(names("Payment", "state") == Payment.State.allCases.map(\.rawValue))
        #expect(names("Payment", "purpose") == Payment.Purpose.allCases.map(\.rawValue))
        #expect(names("Difference", "kind") == Reconciliation.Difference.Kind.allCases.map(\.rawValue))
        #expect(names("Difference", "object") == ProviderObject.Kind.allCases.map(\.rawValue))
    }
}
