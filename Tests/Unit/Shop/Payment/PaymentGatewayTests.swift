import Foundation
import HTTP
import ServiceTestSupport
import ShopEvents
import Synchronization
import Telemetry
import Testing

@testable import Payment

/// What the gateway sends, and what it makes of the provider's answers.
@Suite("The gateway to the payment provider", .timeLimit(.minutes(5))) struct PaymentGatewayTests {
    @Test("A charge is a form with the order's id, under its key, with the secret as user name")
    func sendsCharge() async throws {
        let peer = Peer(.init(200, Self.intent("succeeded")))
        let status = try await peer.serve { try await $0.charge(Self.payment, Self.charge) }
        #expect(status == .captured(paymentID: "pi_1"))
        let request = try #require(peer.requests.first)
        #expect(request.method == "POST")
        #expect(request.path == "/v1/payment_intents")
        #expect(request.headers["Idempotency-Key"] == "key-1")
        #expect(request.headers["Authorization"] == "Basic " + Data("sk_test:".utf8).base64EncodedString())
        #expect(request.headers["Content-Type"] == "application/x-www-form-urlencoded")
        #expect(request.headers["Stripe-Version"] == "2024-06-20")
        #expect(request.headers["User-Agent"]?.hasPrefix("Warren") == true)
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
        let peer = Peer(.init(200, Self.intent("requires_payment_method")))
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
            (.init(402, "what?"), .unknown, "payment.provider-unreadable"),
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
            (.init(403, error("invalid_request_error")), .refused, "payment.provider-refused"),
            (.init(404, error("invalid_request_error")), .refused, "payment.provider-refused"),
            // Not the provider's own words, whatever the status says.
            (.init(404, ""), .unknown, "payment.provider-unreadable"),
            (.init(404, "<html>no such backend</html>"), .unknown, "payment.provider-unreadable"),
            (.init(403, "<html>forbidden</html>"), .unknown, "payment.provider-unreadable"),
            (.init(401, ""), .unknown, "payment.provider-unreadable"),
            (.init(400, #"{"error":"bad request"}"#), .unknown, "payment.provider-unreadable"),
            (.init(404, #"{"error":{"type":"not_found"}}"#), .unknown, "payment.provider-unreadable"),
            (.init(404, #"{"message":"no Route matched"}"#), .unknown, "payment.provider-unreadable"),
            (.init(403, "", ["Stripe-Should-Retry": "false"]), .unknown, "payment.provider-unreadable"),
            (.init(302, "", ["Location": "/elsewhere"]), .unknown, "payment.provider-unreadable"),
            (.init(301, error("card_error", "card_declined")), .unknown, "payment.provider-unreadable"),
            (.init(402, #"{"error":{"type":"card_error","type":"x"}}"#), .unknown, "payment.provider-unreadable"),
            (.init(204, ""), .unknown, "payment.provider-unreadable"),
            // His own words, and not for this status.
            (.init(500, error("card_error", "card_declined")), .unknown, "payment.provider-unavailable"),
            (.init(409, error("card_error", "card_declined")), .unknown, "payment.provider-busy"),
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
        let body =
            #"{"error":{"type":"api_error","code":"Ann lives in Ulm","param":"card[number]","message":"ann@example.org"}}"#
        let failure = await #expect(throws: ProviderFailure.self) {
            try await Peer(.init(400, body)).serve { try await $0.charge(Self.payment, Self.charge) }
        }
        #expect(failure?.reason == "status 400: api_error, card[number]")
    }

    @Test(
        "A reason that is no code is not repeated",
        arguments: [
            #""Ann has no money""#, #""\#(String(repeating: "x", count: 65))""#, "7", "null", #"{"a":1}"#, #""""#,
        ]
    )
    func declineReasons(code: String) async throws {
        let body = #"{"error":{"type":"card_error","decline_code":\#(code)}}"#
        let status = try await Peer(.init(402, body)).serve { try await $0.charge(Self.payment, Self.charge) }
        #expect(status == .declined(reason: "declined"))
    }

    // MARK: Lies

    /// What an answer about an intent may say that was not asked about.
    static let lies: [(String, String)] = [
        (#""id":"pi_1""#, #""id":"""#), (#""id":"pi_1""#, #""id":"re_1""#), (#""id":"pi_1""#, #""id":"pi_1/../x""#),
        (#""id":"pi_1""#, #""id":7"#), (#""id":"pi_1","#, ""),
        (#""payment_intent""#, #""refund""#), (#""object":"payment_intent","#, ""),
        (#""amount":1250"#, #""amount":1"#), (#""amount":1250"#, #""amount":-1250"#),
        (#""amount":1250"#, #""amount":9223372036854775807"#), (#""amount":1250"#, #""amount":1e400"#),
        (#""amount":1250"#, #""amount":"1250""#), (#""amount":1250"#, #""amount":null"#), (#""amount":1250,"#, ""),
        (#""amount_received":1250"#, #""amount_received":1"#), (#""amount_received":1250,"#, ""),
        (#""amount_received":1250"#, #""amount_received":1251"#),
        (#""eur""#, #""usd""#), (#""eur""#, #""EUR""#), (#""eur""#, "978"), (#""currency":"eur","#, ""),
        (#"it's & 100% \\ö"#, "another"), (#""metadata":{"order_id":"it's & 100% \\ö"}"#, #""metadata":{}"#),
        (#""metadata":{"order_id":"it's & 100% \\ö"}"#, #""metadata":null"#),
        (#""succeeded""#, #""requires_capture""#), (#""succeeded""#, #""something_new""#), (#""succeeded""#, "true"),
        (#""succeeded""#, #""canceled""#), (#""succeeded""#, #""processing""#),
    ]

    @Test("An answer to a charge that is not about it is believed in nothing", arguments: lies)
    func lyingCharge(lie: (String, String)) async throws {
        let body = Self.intent("succeeded").replacing(lie.0, with: lie.1)
        #expect(body != Self.intent("succeeded"))
        try await expectContradiction(.init(200, body)) { _ = try await $0.charge(Self.payment, Self.charge) }
    }

    @Test("Nor is what a search finds", arguments: lies)
    func lyingSearch(lie: (String, String)) async throws {
        let body = #"{"object":"search_result","has_more":false,"data":[\#(Self.intent("succeeded"))]}"#
            .replacing(lie.0, with: lie.1)
        try await expectContradiction(.init(200, body)) { _ = try await $0.lookUpCharge(of: Self.payment) }
    }

    @Test(
        "What is no list of intents is not believed",
        arguments: [
            #"{"object":"list","data":[]}"#, #"{"object":7,"data":[]}"#, #"{"object":"search_result"}"#,
            #"{"object":"search_result","data":{}}"#, #"{"object":"search_result","data":[7]}"#,
            #"{"object":"search_result","data":[[]]}"#, #"{"object":"search_result","has_more":true,"data":[]}"#,
            #"{"error":{"type":"api_error"}}"#,
            #"{"data":[\#(intent("succeeded")),\#(intent("succeeded"))]}"#,
            #"{"data":[\#(intent("succeeded")),\#(intent("succeeded", id: "pi_2"))]}"#,
        ]
    )
    func lyingLists(body: String) async throws {
        try await expectContradiction(.init(200, body)) { _ = try await $0.lookUpCharge(of: Self.payment) }
    }

    @Test(
        "A decline over another intent, or over one that is charged, declines nothing",
        arguments: [
            #"{"status":"succeeded"}"#, #"{"amount_received":1250}"#, #"{"metadata":{"order_id":"another"}}"#,
            #"{"amount":1}"#, #"{"currency":"usd"}"#, #"{"status":"processing"}"#,
        ]
    )
    func lyingDecline(intent: String) async throws {
        let body = #"{"error":{"type":"card_error","code":"card_declined","payment_intent":\#(intent)}}"#
        try await expectContradiction(.init(402, body)) { _ = try await $0.charge(Self.payment, Self.charge) }
    }

    @Test("A decline that names its own intent is one")
    func decline() async throws {
        let body =
            #"{"error":{"type":"card_error","code":"card_declined","payment_intent":"#
            + Self.intent("requires_payment_method") + "}}"
        let status = try await Peer(.init(402, body)).serve { try await $0.charge(Self.payment, Self.charge) }
        #expect(status == .declined(reason: "card_declined"))
    }

    @Test("A key that was used up for a charged intent, and an intent that is called off and is not, contradict")
    func lyingBlockAndCancel() async throws {
        for status in ["succeeded", "processing", "canceled"] {
            try await expectContradiction(.init(200, Self.intent(status))) {
                _ = try await $0.block(Self.payment, Self.charge)
            }
        }
        for body in [
            Self.intent("succeeded"), Self.intent("requires_confirmation"), Self.intent("canceled", id: "pi_2"),
        ] {
            try await expectContradiction(.init(200, body)) { try await $0.cancel(intent: "pi_1", of: Self.payment) }
        }
        try await Peer(.init(200, Self.intent("canceled"))).serve {
            try await $0.cancel(intent: "pi_1", of: Self.payment)
        }
    }

    /// What an answer about a refund may say that was not asked about.
    static let refundLies: [(String, String)] = [
        (#""id":"re_1""#, #""id":"""#), (#""id":"re_1","#, ""), (#""object":"refund""#, #""object":"charge""#),
        (#""object":"refund","#, ""), (#""pi_1""#, #""pi_2""#), (#""payment_intent":"pi_1","#, ""),
        (#""payment_intent":"pi_1""#, #""payment_intent":null"#), (#""eur""#, #""usd""#),
        (#""amount":1250"#, #""amount":1251"#), (#""amount":1250"#, #""amount":0"#),
        (#""amount":1250"#, #""amount":-1250"#), (#""amount":1250"#, #""amount":9223372036854775807"#),
        (#""amount":1250"#, #""amount":-9223372036854775808"#), (#""amount":1250"#, #""amount":"1250""#),
        (#""amount":1250,"#, ""), (#""succeeded""#, #""done""#), (#""succeeded""#, "1"),
        (#","status":"succeeded""#, ""),
        (#""succeeded""#, #""succeeded","metadata":{"order_id":"another"}"#),
    ]

    @Test("A refund that is not the one asked for is believed in nothing", arguments: refundLies)
    func lyingRefund(lie: (String, String)) async throws {
        let body = Self.refund().replacing(lie.0, with: lie.1)
        #expect(body != Self.refund())
        try await expectContradiction(.init(200, body)) { gateway in
            _ = try await gateway.refund(Self.payment, paymentID: "pi_1", key: "r")
        }
        try await expectContradiction(.init(200, #"{"object":"list","data":[\#(body)]}"#)) { gateway in
            _ = try await gateway.lookUpRefund(of: Self.payment, paymentID: "pi_1")
        }
    }

    @Test("A refund of a part, where no other part is known, refunds nothing")
    func partialRefund() async throws {
        let peer = Peer(
            .init(200, Self.refund(amount: 1)),
            get: .init(200, #"{"object":"list","data":[\#(Self.refund(amount: 1))]}"#)
        )
        let failure = await #expect(throws: ProviderFailure.self) {
            try await peer.serve { try await $0.refund(Self.payment, paymentID: "pi_1", key: "r") }
        }
        #expect(failure?.kind == .contradiction)
    }

    @Test("Refunds that come to more than was charged end no process and refund nothing")
    func absurdRefunds() async throws {
        for amounts in [[Int64.max, .max], [.max, 1], [1250, 1250], [1000, 251], [.min, .min]] {
            let items = amounts.enumerated().map { Self.refund("re_\($0.offset)", amount: $0.element) }
            let body = #"{"object":"list","data":[\#(items.joined(separator: ","))]}"#
            try await expectContradiction(.init(200, body)) { gateway in
                _ = try await gateway.lookUpRefund(of: Self.payment, paymentID: "pi_1")
            }
        }
    }

    @Test("A list of refunds without an end, or with one of them twice, is given up")
    func endlessRefunds() async throws {
        let part = Self.refund(amount: 1)
        for body in [
            #"{"object":"list","has_more":true,"data":[]}"#, #"{"object":"list","has_more":true,"data":[\#(part)]}"#,
            #"{"object":"list","has_more":false,"data":[\#(part),\#(part)]}"#,
        ] {
            try await expectContradiction(.init(200, body)) { gateway in
                _ = try await gateway.lookUpRefund(of: Self.payment, paymentID: "pi_1")
            }
        }
    }

    @Test("A contradiction names the fields at fault, and no sentence of the provider's")
    func contradictionReasons() async throws {
        let body = Self.intent("succeeded").replacing(#""amount":1250"#, with: #""amount":7"#)
            .replacing(#""eur""#, with: #""Ann lives in Ulm""#)
        let failure = await #expect(throws: ProviderFailure.self) {
            try await Peer(.init(200, body)).serve { try await $0.charge(Self.payment, Self.charge) }
        }
        #expect(
            failure?.reason == "the intent is not what was asked about: amount is 7, currency is something else"
        )
    }

    private func expectContradiction(
        _ answer: Answer,
        _ body: @Sendable (StripeGateway) async throws -> Void
    ) async throws {
        let failure = await #expect(throws: ProviderFailure.self) { try await Peer(answer).serve(body) }
        #expect(failure?.kind == .contradiction)
        #expect(failure?.errorClass == "payment.provider-contradiction")
    }

    @Test("Calls to the provider are metrics, by call and outcome, without ids")
    func metrics() async throws {
        let metrics = MetricsRegistry()
        let client = HTTPClient(metrics: metrics)
        defer { client.close() }
        var router = Router()
        let body = Array(Self.intent("canceled").utf8)
        router.on("POST", "/v1/payment_intents/{id}/cancel") { _ in HTTPResponse(status: 200, body: body) }
        try await withServer(router) { url in
            let gateway = StripeGateway(url: url, key: "k", timeout: .seconds(60), client: client)
            try await gateway.cancel(intent: "pi_1", of: Self.payment)
        }
        let away = StripeGateway(url: "http://127.0.0.1:1", key: "k", timeout: .seconds(60), client: client)
        await #expect(throws: ProviderFailure.self) { try await away.lookUpCharge(of: Self.payment) }
        let text = metrics.render()
        #expect(text.contains(#"http_client_request_duration_seconds_count{http_request_method="POST","#))
        #expect(text.contains(#"http_response_status_code="200""#))
        #expect(text.contains(#"url_template="/v1/payment_intents/{id}/cancel""#))
        #expect(text.contains(#"error_type="refused""#))
        #expect(!text.contains("pi_1"))
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
        let intents = statuses.enumerated().map { Self.intent($0.element, id: "pi_\($0.offset)") }
        let body = #"{"data":[\#(intents.joined(separator: ","))]}"#
        #expect(try await Peer(.init(200, body)).serve { try await $0.lookUpCharge(of: Self.payment) } == status)
    }

    @Test("Orders that differ in small and capital letters only are told apart, though the search may not")
    func caseOfOrders() async throws {
        let other = Self.intent("succeeded").replacing("it's", with: "IT'S")
        let body = #"{"object":"search_result","data":[\#(other)]}"#
        #expect(try await Peer(.init(200, body)).serve { try await $0.lookUpCharge(of: Self.payment) } == .none)
    }

    @Test(
        "A charge is refunded when all of it came back; what is pending is not refunded",
        arguments: [
            ([("succeeded", 1250)], .refunded(refundID: "re_0")),
            ([("succeeded", 1000), ("failed", 250), ("succeeded", 250)], .refunded(refundID: "re_0")),
            ([("pending", 1250)], .pending(refundID: "re_0")),
            ([("requires_action", 1250)], .pending(refundID: "re_0")),
            ([("succeeded", 1000), ("pending", 250)], .pending(refundID: "re_1")),
            ([("canceled", 1250), ("failed", 1250), ("pending", 1250)], .pending(refundID: "re_2")),
            ([("succeeded", 1000)], .none), ([("failed", 1250)], .failed), ([], .none),
        ] as [([(String, Int)], RefundStatus)]
    )
    func weighsRefunds(refunds: [(String, Int)], status: RefundStatus) async throws {
        let items = refunds.enumerated().map {
            Self.refund("re_\($0.offset)", status: $0.element.0, amount: Int64($0.element.1))
        }
        let peer = Peer(.init(200, #"{"data":[\#(items.joined(separator: ","))]}"#))
        #expect(try await peer.serve { try await $0.lookUpRefund(of: Self.payment, paymentID: "pi_1") } == status)
    }

    @Test("A charge that has been refunded already is looked up")
    func alreadyRefunded() async throws {
        let peer = Peer(.init(400, Self.error("invalid_request_error", "charge_already_refunded")))
        let failure = await #expect(throws: ProviderFailure.self) {
            try await peer.serve { try await $0.refund(Self.payment, paymentID: "pi_1", key: "r") }
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

    private static func intent(_ status: String, id: String = "pi_1") -> String {
        #"{"id":"\#(id)","object":"payment_intent","amount":1250,"#
            + #""amount_received":\#(status == "succeeded" ? 1250 : 0),"currency":"eur","status":"\#(status)","#
            + #""metadata":{"order_id":"it's & 100% \\ö"},"last_payment_error":null}"#
    }

    private static func refund(
        _ id: String = "re_1",
        status: String = "succeeded",
        amount: Int64 = 1250
    ) -> String {
        #"{"id":"\#(id)","object":"refund","payment_intent":"pi_1","amount":\#(amount),"currency":"eur","#
            + #""status":"\#(status)"}"#
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
    private let getAnswer: Answer
    private let holdsAnswers: Bool
    private let received = Mutex<[HTTPRequest]>([])

    var requests: [HTTPRequest] { received.withLock { $0 } }

    /// - Parameter get: what it answers to questions, where that is something else.
    init(_ answer: Answer, get: Answer? = nil, holdsAnswers: Bool = false) {
        self.answer = answer
        self.getAnswer = get ?? answer
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
            let answer = request.method == "GET" ? getAnswer : answer
            var response = HTTPResponse(status: answer.status, body: Array(answer.body.utf8))
            for (name, value) in answer.headers { response.headers[name] = value }
            return response
        }
        for pattern in ["/v1/payment_intents", "/v1/payment_intents/{id}/cancel", "/v1/refunds"] {
            router.on("POST", pattern, handler)
        }
        for pattern in ["/v1/payment_intents/search", "/v1/refunds"] { router.on("GET", pattern, handler) }
        return try await withServer(router) { url in
            let client = HTTPClient()
            defer { client.close() }
            return try await body(StripeGateway(url: url, key: "sk_test", timeout: timeout, client: client))
        }
    }
}
