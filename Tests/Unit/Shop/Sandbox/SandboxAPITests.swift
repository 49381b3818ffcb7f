import Foundation
import HTTP
import ServiceTestSupport
import Synchronization
import Telemetry
import Testing

@testable import Sandbox

/// The sandbox's HTTP edge: Stripe's API and the control API.
@Suite("The sandbox over HTTP", .timeLimit(.minutes(5))) struct SandboxAPITests {
    @Test("Only the secret key opens the provider, as user name or as bearer token")
    func authenticates() async throws {
        try await withSandbox { sandbox async throws in
            func status(_ authorization: String?) async throws -> Int {
                try await sandbox.send("GET", "/v1/refunds", authorization: authorization).status
            }
            #expect(try await status(nil) == 401)
            #expect(try await status(basic("sk_other:")) == 401)
            #expect(try await status(basic(":sk_test")) == 401)
            #expect(try await status("Basic ???") == 401)
            #expect(try await status("Bearer sk_other") == 401)
            #expect(try await status(basic("sk_test:")) == 200)
            #expect(try await status(basic("sk_test:ignored")) == 200)
            #expect(try await status("Bearer sk_test") == 200)
        }
    }

    @Test("A charge and its replay have the same body, and the replay says so")
    func replays() async throws {
        try await withSandbox { sandbox async throws in
            let first = try await sandbox.charge()
            let second = try await sandbox.charge()
            #expect(first.status == 200)
            #expect(first.headers["Idempotent-Replayed"] == nil)
            #expect(second.headers["Idempotent-Replayed"] == "true")
            #expect(first.body == second.body)
            let intent = try first.decode(Intent.self)
            #expect(intent.object == "payment_intent")
            #expect(intent.status == "succeeded")
            #expect(intent.amount == 1250)
            #expect(intent.amountReceived == 1250)
            #expect(intent.metadata == ["order_id": "it's 1 & ü"])
            let shown = try await sandbox.send("GET", "/v1/payment_intents/\(intent.id)")
            #expect(shown.body == first.body)
        }
    }

    @Test("Errors have Stripe's shape")
    func errors() async throws {
        try await withSandbox { sandbox async throws in
            let declined = try await sandbox.charge(method: "pm_card_chargeDeclinedInsufficientFunds", key: "d")
            #expect(declined.status == 402)
            let error = try declined.decode(Failure.self).error
            #expect(error.type == "card_error")
            #expect(error.code == "card_declined")
            #expect(error.declineCode == "insufficient_funds")
            #expect(error.paymentIntent?.object == "payment_intent")

            let missing = try await sandbox.send("GET", "/v1/payment_intents/pi_none")
            #expect(missing.status == 404)
            #expect(try missing.decode(Failure.self).error.code == "resource_missing")

            let garbled = try await sandbox.send("POST", "/v1/refunds", body: "a=%ZZ")
            #expect(garbled.status == 400)
            #expect(try garbled.decode(Failure.self).error.type == "invalid_request_error")

            try await sandbox.plan(#"{"operation":"charge","kind":"rate-limit"}"#)
            let limited = try await sandbox.charge(key: "l")
            #expect(limited.status == 429)
            #expect(limited.headers["Stripe-Should-Retry"] == "true")
        }
    }

    @Test(
        "What the API does not have is refused in its own shape",
        arguments: [
            ("GET", "/v1"), ("GET", "/v1/charges"), ("POST", "/v1/payment_intents/pi_1"), ("DELETE", "/v1/refunds"),
            ("POST", "/v1/payment_intents/pi_1/apply_customer_balance"), ("GET", "/v1/a/b/c/d/e"),
        ]
    )
    func unknownRoutes(method: String, path: String) async throws {
        try await withSandbox { sandbox async throws in
            let answer = try await sandbox.send(method, path)
            #expect(answer.status == 404)
            #expect(try answer.decode(Failure.self).error.type == "invalid_request_error")
            #expect(try await sandbox.send(method, path, authorization: nil).status == 401)
        }
    }

    @Test("An answer has the fields that Stripe's libraries read, and says which version it is in")
    func fields() async throws {
        try await withSandbox { sandbox async throws in
            let answer = try await sandbox.charge()
            let text = String(decoding: answer.body, as: UTF8.self)
            for field in ["client_secret", "latest_charge", "amount_capturable", "capture_method", "livemode"] {
                #expect(text.contains("\"\(field)\""))
            }
            #expect(answer.headers["Stripe-Version"] == "2024-06-20")
            #expect(answer.headers["Request-Id"]?.hasPrefix("req_") == true)
            let refund = try await sandbox.send(
                "POST",
                "/v1/refunds",
                body: "payment_intent=\(try answer.decode(Intent.self).id)"
            )
            #expect(String(decoding: refund.body, as: UTF8.self).contains("\"charge\":\"ch_"))
            let other = try await sandbox.send("GET", "/v1/refunds", version: "2025-03-31.basil")
            #expect(other.headers["Stripe-Version"] == "2025-03-31.basil")
            #expect(try await sandbox.send("GET", "/v1/refunds", version: "yesterday").status == 400)
        }
    }

    @Test("Intents are found by their order, and refunds by their intent")
    func finds() async throws {
        try await withSandbox { sandbox async throws in
            let intent = try await sandbox.charge().decode(Intent.self)
            let query = FormURLEncoded.encode([("query", #"metadata['order_id']:'it\'s 1 & ü'"#)])
            let found = try await sandbox.send("GET", "/v1/payment_intents/search?\(query)").decode(List.self)
            #expect(found.object == "search_result")
            #expect(found.data.map(\.id) == [intent.id])
            let refund = try await sandbox.send("POST", "/v1/refunds", body: "payment_intent=\(intent.id)")
            #expect(refund.status == 200)
            let refunds = try await sandbox.send("GET", "/v1/refunds?payment_intent=\(intent.id)").decode(List.self)
            #expect(refunds.object == "list")
            #expect(refunds.data.count == 1)
            let again = try await sandbox.send("POST", "/v1/refunds", body: "payment_intent=\(intent.id)")
            #expect(try again.decode(Failure.self).error.code == "charge_already_refunded")
        }
    }

    @Test("A cut off answer cannot be read, and the replay of it can")
    func cutsOff() async throws {
        try await withSandbox { sandbox async throws in
            let lost = try await sandbox.charge(method: "pm_sandbox_reset_once")
            #expect(throws: (any Error).self) { try lost.decode(Intent.self) }
            let replay = try await sandbox.charge(method: "pm_sandbox_reset_once")
            #expect(try replay.decode(Intent.self).status == "succeeded")
        }
    }

    @Test("A charge that is never answered is charged all the same, and the next call gets the answer")
    func staysSilent() async throws {
        try await withSandbox { sandbox async throws in
            let failure = await #expect(throws: HTTPClient.Failure.self) {
                try await sandbox.charge(method: "pm_sandbox_timeout_once", timeout: .seconds(3))
            }
            #expect(failure?.code == .timeout)
            #expect(try await sandbox.ledger().chargesByOrder == ["it's 1 & ü": 1])
            let replay = try await sandbox.charge(method: "pm_sandbox_timeout_once")
            #expect(replay.headers["Idempotent-Replayed"] == "true")
        }
    }

    @Test("Faults are planned and cleared, the ledger counts, and a reset forgets everything")
    func controls() async throws {
        try await withSandbox { sandbox async throws in
            try await sandbox.plan(#"{"operation":"charge","kind":"error","count":2}"#)
            #expect(try await sandbox.charge(key: "1").status == 500)
            #expect(try await sandbox.send("DELETE", "/sandbox/faults").status == 204)
            let intent = try await sandbox.charge(key: "2").decode(Intent.self)
            _ = try await sandbox.charge(key: "3")
            _ = try await sandbox.send("POST", "/v1/refunds", body: "payment_intent=\(intent.id)")
            let ledger = try await sandbox.ledger()
            #expect(ledger.intents.count == 2)
            #expect(ledger.refunds.count == 1)
            #expect(ledger.chargesByOrder == ["it's 1 & ü": 2])
            #expect(ledger.refundsByOrder == ["it's 1 & ü": 1])
            #expect(try await sandbox.send("POST", "/sandbox/reset").status == 204)
            #expect(try await sandbox.ledger().intents.isEmpty)
            // The ids of another life are unknown, and are not given out again.
            #expect(try await sandbox.send("GET", "/v1/payment_intents/\(intent.id)").status == 404)
            #expect(try await sandbox.charge(key: "2").decode(Intent.self).id != intent.id)
        }
    }

    @Test("The ledger counts the keys under which a refund was asked for, whatever came of it")
    func refundKeys() async throws {
        try await withSandbox { sandbox async throws in
            let intent = try await sandbox.charge().decode(Intent.self)
            func refund(_ key: String) async throws -> Int {
                try await sandbox.send("POST", "/v1/refunds", body: "payment_intent=\(intent.id)", key: key).status
            }
            #expect(try await sandbox.ledger().refundKeysByOrder == [:])
            try await sandbox.plan(#"{"operation":"refund","kind":"error"}"#)
            #expect(try await refund("r-1") == 500)
            #expect(try await refund("r-1") == 200)
            #expect(try await refund("r-1") == 200)
            #expect(try await sandbox.ledger().refundKeysByOrder == ["it's 1 & ü": 1])
            #expect(try await refund("r-2") == 400)
            #expect(try await sandbox.ledger().refundKeysByOrder == ["it's 1 & ü": 2])
            #expect(try await sandbox.ledger().refundsByOrder == ["it's 1 & ü": 1])
        }
    }

    @Test("In the dashboard a card is charged, or declined, for an order that no call has asked about")
    func dashboardCharge() async throws {
        try await withSandbox { sandbox async throws in
            func charge(_ method: String, _ amount: String = "700") async throws -> HTTPClient.Response {
                try await sandbox.send(
                    "POST",
                    "/sandbox/dashboard/charges",
                    body: #"{"order":"o-1","amount":\#(amount),"currency":"eur","paymentMethod":"\#(method)"}"#,
                    type: "application/json"
                )
            }
            let intent = try await charge("pm_card_visa").decode(Intent.self)
            #expect(intent.status == "succeeded" && intent.amount == 700)
            #expect(intent.metadata == ["order_id": "o-1"])
            #expect(try await charge("pm_card_chargeDeclined").status == 402)
            #expect(try await charge("pm_card_visa", "0").status == 400)
            #expect(try await sandbox.ledger().chargesByOrder == ["o-1": 1])
            #expect(try await sandbox.send("GET", "/sandbox/webhooks").text.contains(#""isSending":false"#))
        }
    }

    @Test("A fault that does not exist is refused with the names of those that do")
    func refusesFaults() async throws {
        try await withSandbox { sandbox async throws in
            let body = #"{"operation":"theft","kind":"fire","count":0,"delayMilliseconds":-1}"#
            let answer = try await sandbox.send("POST", "/sandbox/faults", body: body, type: "application/json")
            #expect(answer.status == 422)
            let text = String(decoding: answer.body, as: UTF8.self)
            for field in ["operation", "kind", "count", "delayMilliseconds", "error-after"] {
                #expect(text.contains(field))
            }
        }
    }

    private func basic(_ credentials: String) -> String {
        "Basic " + Data(credentials.utf8).base64EncodedString()
    }

    private func withSandbox(_ body: (SandboxClient) async throws -> Void) async throws {
        let provider = Provider(logger: .silent)
        let routes = Mutex(Router())
        let add: (String, String, @escaping Router.Handler) -> Void = { method, pattern, handler in
            routes.withLock { $0.on(method, pattern, handler) }
        }
        ProviderAPI(provider: provider, key: "sk_test").register(add)
        let platform = DataPlatform()
        PlatformAPI(platform: platform, key: "sk_test").register(add)
        ControlAPI(provider: provider, platform: platform).register(add)
        let client = HTTPClient()
        defer { client.close() }
        try await withServer(routes.withLock { $0 }) { url in
            try await body(SandboxClient(url: url, client: client))
        }
    }
}

extension HTTPClient.Response {
    fileprivate var text: String { String(decoding: body, as: UTF8.self) }
}

private struct Intent: Decodable {
    let id: String
    let object: String
    let status: String
    let amount: Int
    let amountReceived: Int
    let metadata: [String: String]

    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case status
        case amount
        case amountReceived = "amount_received"
        case metadata
    }
}

private struct Failure: Decodable {
    struct Content: Decodable {
        struct Object: Decodable { let object: String }
        let type: String
        let code: String?
        let declineCode: String?
        let paymentIntent: Object?

        private enum CodingKeys: String, CodingKey {
            case type
            case code
            case declineCode = "decline_code"
            case paymentIntent = "payment_intent"
        }
    }
    let error: Content
}

private struct List: Decodable {
    struct Item: Decodable { let id: String }
    let object: String
    let data: [Item]
}

private struct LedgerAnswer: Decodable {
    let intents: [List.Item]
    let refunds: [List.Item]
    let chargesByOrder: [String: Int]
    let refundsByOrder: [String: Int]
    let refundKeysByOrder: [String: Int]
}

private struct SandboxClient {
    let url: String
    let client: HTTPClient

    func send(
        _ method: String,
        _ path: String,
        body: String = "",
        type: String = "application/x-www-form-urlencoded",
        key: String? = nil,
        authorization: String? = "Bearer sk_test",
        version: String? = nil,
        timeout: Duration = .seconds(60)
    ) async throws -> HTTPClient.Response {
        var request = HTTPClient.Request(method, url + path)
        if !body.isEmpty { request.headers["Content-Type"] = type }
        if let key { request.headers["Idempotency-Key"] = key }
        if let version { request.headers["Stripe-Version"] = version }
        if let authorization { request.headers["Authorization"] = authorization }
        request.body = Array(body.utf8)
        request.timeout = timeout
        return try await client.send(request)
    }

    func charge(
        method: String = "pm_card_visa",
        key: String = "key",
        timeout: Duration = .seconds(60)
    ) async throws -> HTTPClient.Response {
        let form = FormURLEncoded.encode([
            ("amount", "1250"), ("currency", "eur"), ("payment_method", method), ("confirm", "true"),
            ("metadata[order_id]", "it's 1 & ü"),
        ])
        return try await send("POST", "/v1/payment_intents", body: form, key: key, timeout: timeout)
    }

    func plan(_ fault: String) async throws {
        let answer = try await send("POST", "/sandbox/faults", body: fault, type: "application/json")
        #expect(answer.status == 204)
    }

    func ledger() async throws -> LedgerAnswer {
        try await send("GET", "/sandbox/ledger").decode(LedgerAnswer.self)
    }
}
