import Foundation
import HTTP
import ShopEvents
import Synchronization
import Telemetry
import Testing

@testable import Payment

/// What the gateway sends, and what it makes of the provider's answers.
@Suite("The gateway to the payment provider", .timeLimit(.minutes(5))) struct PaymentGatewayTests {
    @Test("A charge is a form with the order's id, under its key, with the secret as user name")
    func sendsCharge() async throws {
        let peer = Peer(.init(200, #"{"id":"pi_1","amount":1250,"currency":"eur","status":"succeeded"}"#))
        let status = try await peer.serve { try await $0.charge(Self.payment, Self.charge) }
        #expect(status == .captured(paymentID: "pi_1"))
        let request = try #require(peer.requests.first)
        #expect(request.method == "POST")
        #expect(request.path == "/v1/payment_intents")
        #expect(request.headers["Idempotency-Key"] == "key-1")
        #expect(request.headers["Authorization"] == "Basic " + Data("sk_test:".utf8).base64EncodedString())
        #expect(request.headers["Content-Type"] == "application/x-www-form-urlencoded")
        let form = try #require(FormURLEncoded.decode(request.body))
        let values = Dictionary(uniqueKeysWithValues: form.map { ($0.name, $0.value) })
        #expect(values["amount"] == "1250")
        #expect(values["currency"] == "eur")
        #expect(values["confirm"] == "true")
        #expect(values["payment_method"] == "pm_card_visa")
        #expect(values["metadata[order_id]"] == "it's & 100% \\ö")
    }

    @Test("A key that is used up carries no card and no confirmation")
    func sendsBlock() async throws {
        let peer = Peer(.init(200, #"{"id":"pi_1","amount":1250,"currency":"eur","status":"requires_payment_method"}"#))
        #expect(try await peer.serve { try await $0.block(Self.payment, Self.charge) } == "pi_1")
        let request = try #require(peer.requests.first)
        let names = try #require(FormURLEncoded.decode(request.body)).map(\.name)
        #expect(names == ["amount", "currency", "metadata[order_id]"])
        #expect(request.headers["Idempotency-Key"] == "key-1")
    }

    @Test("A look-up quotes the order's id, so that no id can change the question")
    func sendsSearch() async throws {
        let peer = Peer(.init(200, #"{"object":"search_result","data":[]}"#))
        #expect(try await peer.serve { try await $0.lookUpCharge(of: Self.payment) } == .none)
        let request = try #require(peer.requests.first)
        #expect(request.path == "/v1/payment_intents/search")
        #expect(request.queryValue("query") == #"metadata['order_id']:'it\'s & 100% \\ö'"#)
    }

    @Test(
        "What the answer to a charge means",
        arguments: [
            (.init(200, intent("succeeded")), .captured(paymentID: "pi_1")),
            (.init(200, intent("processing")), .processing),
            (.init(200, intent("canceled")), .canceled),
            (.init(200, intent("requires_payment_method")), .open(intent: "pi_1")),
            (.init(200, intent("something_new")), .processing),
            (
                .init(402, error("card_error", "card_declined", decline: "insufficient_funds")),
                .declined(reason: "insufficient_funds")
            ),
            (.init(402, error("card_error", "expired_card")), .declined(reason: "expired_card")),
            (
                .init(402, error("card_error", "card_declined"), ["Stripe-Should-Retry": "false"]),
                .declined(reason: "card_declined")
            ),
            (
                .init(400, error("invalid_request_error", "resource_missing", param: "payment_method")),
                .declined(reason: "resource_missing")
            ),
            (
                .init(404, error("invalid_request_error", "resource_missing", param: "payment_method")),
                .declined(reason: "resource_missing")
            ),
            (
                .init(400, error("invalid_request_error", "amount_too_large", param: "amount")),
                .declined(reason: "amount_too_large")
            ),
            (
                .init(400, error("invalid_request_error", param: "currency")),
                .declined(reason: "invalid_currency")
            ),
        ] as [(Answer, ChargeStatus)]
    )
    func chargeAnswers(answer: Answer, status: ChargeStatus) async throws {
        #expect(try await Peer(answer).serve { try await $0.charge(Self.payment, Self.charge) } == status)
    }

    @Test(
        "What is not an answer is unknown, never failed; what the provider refuses is refused",
        arguments: [
            (.init(500, error("api_error")), .unknown, "payment.provider-unavailable"),
            (.init(503, "<html>busy</html>"), .unknown, "payment.provider-unavailable"),
            (.init(502, ""), .unknown, "payment.provider-unavailable"),
            (.init(408, ""), .unknown, "payment.provider-unavailable"),
            (.init(429, error("invalid_request_error", "rate_limit")), .unknown, "payment.provider-busy"),
            (.init(409, error("idempotency_error", "idempotency_key_in_use")), .atWork, "payment.provider-busy"),
            (
                .init(409, error("idempotency_error", "idempotency_key_in_use"), ["Stripe-Should-Retry": "true"]),
                .atWork, "payment.provider-busy"
            ),
            (.init(200, #"{"id":"pi_1","amo"#), .unknown, "payment.provider-unreadable"),
            (.init(200, "[]"), .unknown, "payment.provider-unreadable"),
            (.init(402, "what?"), .unknown, "payment.provider-refused"),
            (
                .init(500, error("api_error"), ["Idempotent-Replayed": "true"]), .lookUp(thenRetry: true),
                "payment.provider-unavailable"
            ),
            (.init(400, error("idempotency_error")), .lookUp(thenRetry: true), "payment.provider-refused"),
            (
                .init(500, error("api_error"), ["Stripe-Should-Retry": "false"]), .lookUp(thenRetry: false),
                "payment.provider-unavailable"
            ),
            (
                .init(400, error("invalid_request_error"), ["Stripe-Should-Retry": "true"]), .unknown,
                "payment.provider-refused"
            ),
            (.init(400, error("invalid_request_error", "parameter_missing")), .refused, "payment.provider-refused"),
            (
                .init(400, error("invalid_request_error", "parameter_unknown", param: "confirm")), .refused,
                "payment.provider-refused"
            ),
            (
                .init(
                    400,
                    error("invalid_request_error", "resource_missing", param: "payment_method"),
                    ["Stripe-Should-Retry": "true"]
                ), .unknown, "payment.provider-refused"
            ),
            (
                .init(401, error("invalid_request_error", "api_key_expired", param: "payment_method")), .refused,
                "payment.provider-refused"
            ),
            (.init(401, error("invalid_request_error")), .refused, "payment.provider-refused"),
            (.init(404, ""), .refused, "payment.provider-refused"),
        ] as [(Answer, ProviderFailure.Kind, String)]
    )
    func failures(answer: Answer, kind: ProviderFailure.Kind, errorClass: String) async throws {
        let failure = await #expect(throws: ProviderFailure.self) {
            try await Peer(answer).serve { try await $0.charge(Self.payment, Self.charge) }
        }
        #expect(failure?.kind == kind)
        #expect(failure?.errorClass == errorClass)
    }

    @Test("A failure says the provider's codes and not its sentences")
    func reasons() async throws {
        let answer = Answer(400, #"{"error":{"type":"t","code":"c","param":"p","message":"ann@example.org"}}"#)
        let failure = await #expect(throws: ProviderFailure.self) {
            try await Peer(answer).serve { try await $0.charge(Self.payment, Self.charge) }
        }
        #expect(failure?.reason == "status 400: t, c, p")
    }

    @Test("No answer within the timeout is unknown")
    func timesOut() async throws {
        let peer = Peer(.init(200, Self.intent("succeeded")), holdsAnswers: true)
        let failure = await #expect(throws: ProviderFailure.self) {
            try await peer.serve(timeout: .seconds(1)) { try await $0.charge(Self.payment, Self.charge) }
        }
        #expect(failure?.kind == .unknown)
        #expect(failure?.errorClass == "payment.provider-unavailable")
    }

    @Test("A provider that is not there is unknown too")
    func refusesConnections() async throws {
        let client = HTTPClient()
        defer { client.close() }
        // Port 1 on loopback: nobody serves there.
        let gateway = StripeGateway(url: "http://127.0.0.1:1", key: "k", timeout: .seconds(60), client: client)
        let failure = await #expect(throws: ProviderFailure.self) {
            try await gateway.lookUpCharge(of: Self.payment)
        }
        #expect(failure?.kind == .unknown)
    }

    @Test(
        "Of an order's intents the one counts whose money moved or may move",
        arguments: [
            (["canceled", "succeeded", "processing"], .captured(paymentID: "pi_1")),
            (["canceled", "processing", "requires_payment_method"], .processing),
            (["canceled", "requires_confirmation"], .open(intent: "pi_1")),
            (["canceled"], .canceled), ([], .none),
        ] as [([String], ChargeStatus)]
    )
    func weighsIntents(statuses: [String], status: ChargeStatus) async throws {
        let body = #"{"data":[\#(statuses.map(Self.intent).joined(separator: ","))]}"#
        #expect(try await Peer(.init(200, body)).serve { try await $0.lookUpCharge(of: Self.payment) } == status)
    }

    @Test("A charge of another amount for this order is not taken for this one")
    func amountMismatch() async throws {
        let body = #"{"data":[{"id":"pi_1","amount":1,"currency":"eur","status":"succeeded"}]}"#
        let failure = await #expect(throws: ProviderFailure.self) {
            try await Peer(.init(200, body)).serve { try await $0.lookUpCharge(of: Self.payment) }
        }
        #expect(failure?.kind == .refused)
        #expect(failure?.errorClass == "payment.amount-mismatch")
    }

    @Test(
        "A charge is refunded when all of it came back; what is pending is not refunded",
        arguments: [
            ([("succeeded", 1250)], .refunded(refundID: "re_0")),
            ([("succeeded", 1000), ("failed", 250), ("succeeded", 250)], .refunded(refundID: "re_0")),
            ([("pending", 1250)], .pending), ([("requires_action", 1250)], .pending),
            ([("succeeded", 1000), ("pending", 250)], .pending),
            ([("succeeded", 1000)], .none), ([("failed", 1250)], .failed), ([], .none),
        ] as [([(String, Int)], RefundStatus)]
    )
    func weighsRefunds(refunds: [(String, Int)], status: RefundStatus) async throws {
        let items = refunds.enumerated().map {
            #"{"id":"re_\#($0.offset)","status":"\#($0.element.0)","amount":\#($0.element.1)}"#
        }
        let peer = Peer(.init(200, #"{"data":[\#(items.joined(separator: ","))]}"#))
        #expect(try await peer.serve { try await $0.lookUpRefund(paymentID: "pi_1", amount: 1250) } == status)
    }

    @Test("A charge that has been refunded already is looked up")
    func alreadyRefunded() async throws {
        let peer = Peer(.init(400, Self.error("invalid_request_error", "charge_already_refunded")))
        let failure = await #expect(throws: ProviderFailure.self) {
            try await peer.serve { try await $0.refund(paymentID: "pi_1", orderID: "o", key: "r") }
        }
        #expect(failure?.kind == .lookUp(thenRetry: true))
        #expect(peer.requests.first?.headers["Idempotency-Key"] == "r")
    }

    private static let payment = Payment.requested(
        orderID: "it's & 100% \\ö",
        total: Money(amount: 1250, currency: "EUR"),
        paymentMethod: "pm_card_visa",
        at: 0
    )
    private static let charge = Payment.Charge(paymentMethod: "pm_card_visa", key: "key-1", keyAt: 0)

    private static func intent(_ status: String) -> String {
        #"{"id":"pi_1","amount":1250,"currency":"eur","status":"\#(status)","last_payment_error":null}"#
    }

    private static func error(
        _ type: String,
        _ code: String? = nil,
        decline: String? = nil,
        param: String? = nil
    ) -> String {
        let fields = [
            ("type", type), ("code", code), ("decline_code", decline), ("param", param), ("message", "Words."),
        ]
        return #"{"error":{"#
            + fields.compactMap { name, value in value.map { #""\#(name)":"\#($0)""# } }.joined(separator: ",") + "}}"
    }
}

/// One canned answer.
struct Answer: Sendable, CustomTestStringConvertible {
    let status: Int
    let body: String
    let headers: [String: String]

    init(_ status: Int, _ body: String, _ headers: [String: String] = [:]) {
        self.status = status
        self.body = body
        self.headers = headers
    }

    var testDescription: String { "\(status) \(headers) \(body)" }
}

/// A provider that gives the same answer to everything and keeps what it was asked.
final class Peer: Sendable {
    private let answer: Answer
    private let holdsAnswers: Bool
    private let received = Mutex<[HTTPRequest]>([])

    var requests: [HTTPRequest] { received.withLock { $0 } }

    init(_ answer: Answer, holdsAnswers: Bool = false) {
        self.answer = answer
        self.holdsAnswers = holdsAnswers
    }

    /// Serves while `body` asks through a gateway.
    func serve<Result: Sendable>(
        timeout: Duration = .seconds(60),
        _ body: @Sendable (StripeGateway) async throws -> Result
    ) async throws -> Result {
        var router = Router()
        let handler: Router.Handler = { [self] request in
            received.withLock { $0.append(request) }
            // Ends with the server, which cancels what it still has in work.
            if holdsAnswers { try await Task.sleep(for: .seconds(600)) }
            var response = HTTPResponse(status: answer.status, body: Array(answer.body.utf8))
            for (name, value) in answer.headers { response.headers[name] = value }
            return response
        }
        for pattern in ["/v1/payment_intents", "/v1/refunds"] { router.on("POST", pattern, handler) }
        for pattern in ["/v1/payment_intents/search", "/v1/refunds"] { router.on("GET", pattern, handler) }
        return try await withServer(router) { url in
            let client = HTTPClient()
            defer { client.close() }
            return try await body(StripeGateway(url: url, key: "sk_test", timeout: timeout, client: client))
        }
    }
}

/// Serves a router on a free port of loopback for as long as `body` runs.
func withServer<Result: Sendable>(
    _ router: Router,
    _ body: (_ url: String) async throws -> Result
) async throws -> Result {
    let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
    let running = Task { try await server.run(grace: .milliseconds(100)) }
    do {
        let result = try await body("http://127.0.0.1:\(try await server.port())")
        running.cancel()
        try await running.value
        return result
    } catch {
        running.cancel()
        try await running.value
        throw error
    }
}
