import HTTP
import Synchronization
import Telemetry
import Testing

@testable import Payment
@testable import Sandbox

/// What Payment says of an order's payment over HTTP.
@Suite("GET /payments/{orderID}", .timeLimit(.minutes(5))) struct PaymentAPITests {
    @Test("A payment is shown with its state, its times and the provider's ids; the card's token is not")
    func shows() async throws {
        try await PaymentDesk.open { desk async throws in
            try await desk.request("order 1")
            let answer = await get("order 1", at: desk)
            #expect(answer.status == 200)
            let text = String(decoding: answer.body, as: UTF8.self)
            let paymentID = try #require(try await desk.payment("order 1")?.paymentID)
            for part in [
                #""orderID":"order 1""#, #""state":"captured""#, #""paymentID":"\#(paymentID)""#,
                #""createdAt":"2023-11-14T22:13:20.000Z""#, #""amount":1250"#, #""currency":"EUR""#,
            ] {
                #expect(text.contains(part))
            }
            #expect(!text.contains("pm_card_visa"))
            #expect(!text.contains("refundID"))
        }
    }

    @Test("An order without a payment is not found")
    func missing() async throws {
        try await PaymentDesk.open { desk async throws in
            let answer = await get("nobody", at: desk)
            #expect(answer.status == 404)
            #expect(answer.headers["Content-Type"]?.hasPrefix("application/problem+json") == true)
        }
    }

    @Test("Payments are for back ends: a customer, and a request that nobody has looked at, see none")
    func callers() async throws {
        try await PaymentDesk.open { desk async throws in
            #expect(await get("nobody", by: Caller(.backEnd, "shop"), at: desk).status == 404)
            #expect(await get("nobody", by: Caller(.customer, "ada"), at: desk).status == 403)
            #expect(await get("nobody", by: nil, at: desk).status == 401)
        }
    }

    private func get(_ order: String, by caller: Caller? = .local, at desk: PaymentDesk) async -> HTTPResponse {
        let routes = Mutex(Router())
        PaymentAPI(database: desk.database).register { method, pattern, handler in
            routes.withLock { $0.on(method, pattern, handler) }
        }
        var request = HTTPRequest(method: "GET", path: "/payments/\(order)")
        request.caller = caller
        return await routes.withLock { $0 }.respond(to: request, logger: .silent)
    }
}
