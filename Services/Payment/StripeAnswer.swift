import HTTP

/// Stripe's payment intent, as far as Payment needs it.
struct StripeIntent: Decodable {
    let id: String
    let amount: Int64
    let currency: String
    let status: String
    let lastPaymentError: StripeError?

    private enum CodingKeys: String, CodingKey {
        case id
        case amount
        case currency
        case status
        case lastPaymentError = "last_payment_error"
    }

    /// What the intent says of its charge (Stripe, "PaymentIntent lifecycle").
    var chargeStatus: ChargeStatus {
        switch status {
        case "succeeded": .captured(paymentID: id)
        case "canceled": .canceled
        case "requires_payment_method":
            lastPaymentError.map { .declined(reason: $0.reason) } ?? .open(intent: id)
        case "requires_confirmation", "requires_action": .open(intent: id)
        default: .processing
        }
    }
}

/// Stripe's refund, as far as Payment needs it.
struct StripeRefund: Decodable {
    let id: String
    let status: String
    let amount: Int64

    /// What the refund says of itself.
    var refundStatus: RefundStatus {
        switch status {
        case "succeeded": .refunded(refundID: id)
        case "failed", "canceled": .failed
        default: .pending
        }
    }
}

/// Stripe's error.
struct StripeError: Decodable {
    let type: String?
    let code: String?
    let declineCode: String?
    let param: String?

    private enum CodingKeys: String, CodingKey {
        case type
        case code
        case declineCode = "decline_code"
        case param
    }

    /// Why a card was declined: the issuer's code where there is one.
    var reason: String { declineCode ?? code ?? "declined" }
}

/// Stripe's list.
struct StripeList<Element: Decodable>: Decodable {
    let data: [Element]
}

/// An answer of the provider on its way to a result: what is certain, what is refused, what is unknown.
struct StripeAnswer {
    private let response: HTTPClient.Response
    private let error: StripeError?

    private struct ErrorBody: Decodable {
        let error: StripeError
    }

    init(_ response: HTTPClient.Response) {
        self.response = response
        // An error whose body cannot be read is judged by its status alone.
        self.error = Self.isSuccess(response) ? nil : (try? response.decode(ErrorBody.self))?.error
    }

    /// Why the order cannot be charged, when that is the answer: the card was declined, or the provider refuses what the
    /// order itself asks for.
    ///
    /// The second is the customer's doing as much as the first: an order paid with a token that does not exist, or over an
    /// amount or in a currency that the provider does not take, ends rejected. What no customer can bring about - a wrong
    /// secret key, a parameter that is missing - stays a refusal, for an operator.
    var declineReason: String? {
        guard let error else { return nil }
        switch (response.status, error.type) {
        case (402, "card_error"):
            return error.reason
        case (400, "invalid_request_error"), (404, "invalid_request_error"):
            guard let parameter = error.param, Self.ordersOwn.contains(parameter), !isToBeRetried else { return nil }
            return error.code ?? "invalid_\(parameter)"
        default:
            return nil
        }
    }

    /// The parameters of a charge that come from the order as its customer placed it.
    private static let ordersOwn: Set<String> = ["payment_method", "amount", "currency"]

    private var isToBeRetried: Bool { response.headers["Stripe-Should-Retry"]?.lowercased() == "true" }

    /// The value of a 2xx.
    ///
    /// A 2xx that cannot be read is unknown. A key in use says that the first request is still at work. Otherwise
    /// `Stripe-Should-Retry` decides first, then the status: 408, 409,
    /// 429 and 5xx are unknown, every other 4xx says that the request is wrong. An error that was replayed for its key
    /// will be replayed again: only a look-up tells.
    /// - Throws: `ProviderFailure`.
    func value<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        guard Self.isSuccess(response) else { throw failure }
        do {
            return try response.decode(Value.self)
        } catch {
            throw ProviderFailure(
                kind: .unknown,
                errorClass: "payment.provider-unreadable",
                reason: "status \(response.status) with a body that cannot be read"
            )
        }
    }

    private static func isSuccess(_ response: HTTPClient.Response) -> Bool {
        (200..<300).contains(response.status)
    }

    private var failure: ProviderFailure {
        let codes = [error?.type, error?.code, error?.param].compactMap { $0 }.joined(separator: ", ")
        let said = codes.isEmpty ? "" : ": \(codes)"
        return ProviderFailure(kind: kind, errorClass: errorClass, reason: "status \(response.status)\(said)")
    }

    private var errorClass: String {
        switch response.status {
        case 409, 429: "payment.provider-busy"
        case 408, 500...: "payment.provider-unavailable"
        default: "payment.provider-refused"
        }
    }

    private var kind: ProviderFailure.Kind {
        if error?.code == "idempotency_key_in_use" { return .atWork }
        switch response.headers["Stripe-Should-Retry"]?.lowercased() {
        case "true": return .unknown
        case "false": return leavesOpen ? .lookUp(thenRetry: false) : .refused
        default: break
        }
        switch (error?.type, error?.code) {
        // The key is used up by another request for this order: what is there tells.
        case ("idempotency_error", _) where response.status == 400: return .lookUp(thenRetry: true)
        // The work is done, or the object has moved on since it was looked up.
        case (_, "charge_already_refunded"), (_, "payment_intent_unexpected_state"): return .lookUp(thenRetry: true)
        default: break
        }
        guard leavesOpen else { return .refused }
        return response.headers["Idempotent-Replayed"]?.lowercased() == "true" ? .lookUp(thenRetry: true) : .unknown
    }

    /// Whether the status alone does not say that nothing happened.
    private var leavesOpen: Bool {
        switch response.status {
        case 408, 409, 429, 500...: true
        case 402: error == nil
        default: false
        }
    }
}
