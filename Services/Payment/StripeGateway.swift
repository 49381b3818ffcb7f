import HTTP
import ShopEvents

/// The payment provider by Stripe's API (`/v1/payment_intents`, `/v1/refunds`).
///
/// Form-encoded requests with HTTP Basic authentication. Charges and refunds carry an idempotency key; the order's id
/// goes along as `metadata[order_id]`, by which a charge is found again whatever became of the answer.
struct StripeGateway: PaymentProvider {
    private let base: String
    private let key: String
    private let timeout: Duration
    private let client: HTTPClient

    /// A gateway.
    /// - Parameters:
    ///   - url: where the provider is, without `/v1`.
    ///   - key: the secret key; never logged.
    ///   - timeout: the longest that one call may take.
    ///   - client: what sends the requests.
    init(url: String, key: String, timeout: Duration, client: HTTPClient) {
        var base = url
        while base.hasSuffix("/") { base.removeLast() }
        self.base = base
        self.key = key
        self.timeout = timeout
        self.client = client
    }

    func charge(_ payment: Payment, _ charge: Payment.Charge) async throws -> ChargeStatus {
        let parameters =
            intentParameters(payment) + [
                ("payment_method", charge.paymentMethod),
                ("payment_method_types[]", "card"),
                ("confirm", "true"),
                ("error_on_requires_action", "true"),
            ]
        let answer = try await post("/v1/payment_intents", parameters, key: charge.key)
        if let reason = answer.declineReason { return .declined(reason: reason) }
        return try answer.value(StripeIntent.self).chargeStatus
    }

    func lookUpCharge(of payment: Payment) async throws -> ChargeStatus {
        let wanted = "metadata['order_id']:'\(Self.quoted(payment.orderID))'"
        let query = FormURLEncoded.encode([("query", wanted), ("limit", "100")])
        let found = try await get("/v1/payment_intents/search?\(query)").value(StripeList<StripeIntent>.self)
        guard let intent = found.data.max(by: { $0.chargeStatus.weight < $1.chargeStatus.weight }) else { return .none }
        let total = payment.total
        guard intent.amount == total.amount, intent.currency == total.currency.lowercased() else {
            throw ProviderFailure(
                kind: .refused,
                errorClass: "payment.amount-mismatch",
                reason: "the provider knows another amount for this order"
            )
        }
        return intent.chargeStatus
    }

    func block(_ payment: Payment, _ charge: Payment.Charge) async throws -> String {
        try await post("/v1/payment_intents", intentParameters(payment), key: charge.key).value(StripeIntent.self).id
    }

    func cancel(intent: String) async throws {
        let path = "/v1/payment_intents/\(PercentEncoding.encode(intent))/cancel"
        _ = try await post(path, [("cancellation_reason", "abandoned")], key: nil).value(StripeIntent.self)
    }

    func refund(paymentID: String, orderID: String, key: String) async throws -> RefundStatus {
        let parameters = [("payment_intent", paymentID), ("metadata[order_id]", orderID)]
        return try await post("/v1/refunds", parameters, key: key).value(StripeRefund.self).refundStatus
    }

    func lookUpRefund(paymentID: String, amount: Int64) async throws -> RefundStatus {
        let query = FormURLEncoded.encode([("payment_intent", paymentID), ("limit", "100")])
        let found = try await get("/v1/refunds?\(query)").value(StripeList<StripeRefund>.self)
        let done = found.data.filter { $0.status == "succeeded" }
        if let last = done.first, done.reduce(0, { $0 + $1.amount }) >= amount { return .refunded(refundID: last.id) }
        if found.data.contains(where: { $0.refundStatus == .pending }) { return .pending }
        return found.data.contains { $0.refundStatus == .failed } ? .failed : .none
    }

    /// Escapes a value for a quoted string of the search language.
    static func quoted(_ value: String) -> String {
        var quoted = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            if scalar == "'" || scalar == "\\" { quoted.append("\\") }
            quoted.append(scalar)
        }
        return String(quoted)
    }

    private func intentParameters(_ payment: Payment) -> [(String, String)] {
        [
            ("amount", String(payment.total.amount)),
            ("currency", payment.total.currency.lowercased()),
            ("metadata[order_id]", payment.orderID),
        ]
    }

    private func get(_ path: String) async throws -> StripeAnswer {
        try await send(HTTPClient.Request("GET", base + path))
    }

    private func post(_ path: String, _ parameters: [(String, String)], key: String?) async throws -> StripeAnswer {
        var request = HTTPClient.Request("POST", base + path)
        request.headers["Content-Type"] = "application/x-www-form-urlencoded"
        if let key { request.headers["Idempotency-Key"] = key }
        request.body = Array(FormURLEncoded.encode(parameters.map { (name: $0.0, value: $0.1) }).utf8)
        return try await send(request)
    }

    private func send(_ request: HTTPClient.Request) async throws -> StripeAnswer {
        var request = request
        request.basicCredentials = (user: key, password: "")
        request.timeout = timeout
        request.connectTimeout = min(timeout, .seconds(5))
        do {
            return StripeAnswer(try await client.send(request))
        } catch let failure as HTTPClient.Failure {
            throw ProviderFailure(
                kind: .unknown,
                errorClass: "payment.provider-unavailable",
                reason: "no answer: \(failure.code)"
            )
        }
    }
}

extension ChargeStatus {
    /// Which of several intents of one order tells what became of it: money that moved or may move comes first.
    fileprivate var weight: Int {
        switch self {
        case .none: 0
        case .canceled: 1
        case .open: 2
        case .declined: 3
        case .processing: 4
        case .captured: 5
        }
    }
}
