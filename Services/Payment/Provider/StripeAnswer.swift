import HTTP

/// Stripe's error.
struct StripeError: Decodable {
    let type: String
    let code: String?
    let declineCode: String?
    let param: String?

    private enum CodingKeys: String, CodingKey {
        case type
        case code
        case declineCode = "decline_code"
        case param
    }

    /// - Throws: when it is none of the kinds that Stripe knows.
    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        type = try fields.decode(String.self, forKey: .type)
        guard Self.types.contains(type) else {
            throw DecodingError.dataCorruptedError(forKey: .type, in: fields, debugDescription: "not a kind of error")
        }
        code = Self.code(try? fields.decode(String.self, forKey: .code))
        declineCode = Self.code(try? fields.decode(String.self, forKey: .declineCode))
        param = Self.code(try? fields.decode(String.self, forKey: .param))
    }

    /// "Handling errors" (https://docs.stripe.com/api/errors).
    private static let types: Set<String> = [
        "api_error", "card_error", "idempotency_error", "invalid_request_error",
    ]

    /// Why a card was declined: the issuer's code where there is one.
    var reason: String { declineCode ?? code ?? "declined" }

    /// A code of the provider's; nil for anything that is none, such as a sentence.
    static func code(_ text: String?) -> String? {
        guard let text, (1...64).contains(text.utf8.count) else { return nil }
        let isCode = text.utf8.allSatisfy { byte in
            AnswerCheck.isOfCode(byte) || [UInt8(ascii: "-"), UInt8(ascii: "["), UInt8(ascii: "]")].contains(byte)
        }
        return isCode ? text : nil
    }
}

/// An answer of the provider on its way to a result: what is certain, what is refused, what is unknown.
///
/// Something between here and the provider may answer in its place: a proxy's redirect, a gateway's 403 or 404. Only
/// what has the shape of Stripe's errors is the provider's own word; anything else says nothing of what was asked.
struct StripeAnswer {
    private let response: HTTPClient.Response
    /// Nil for a success and for what is not the provider's word.
    private let error: StripeError?
    /// The intent that the error is about.
    private let errorIntent: StripeIntent?

    private struct ErrorBody: Decodable {
        let error: StripeError
        let intent: StripeIntent?

        private enum CodingKeys: String, CodingKey {
            case error
            case intent = "payment_intent"
        }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            error = try fields.decode(StripeError.self, forKey: .error)
            let inner = try fields.nestedContainer(keyedBy: CodingKeys.self, forKey: .error)
            intent = try? inner.decode(StripeIntent.self, forKey: .intent)
        }
    }

    init(_ response: HTTPClient.Response) {
        self.response = response
        // An answer below 400 that is no success is a redirect: Stripe has none.
        let body = response.status >= 400 ? try? response.decode(ErrorBody.self) : nil
        error = body?.error
        errorIntent = body?.intent
    }

    /// Why the order cannot be charged, when that is the answer: the card was declined, or the provider refuses what the
    /// order itself asks for.
    ///
    /// The second is the customer's doing as much as the first: an order paid with a token that does not exist, or over an
    /// amount that the provider does not take, ends rejected. What no customer can bring about - a wrong secret key, a
    /// parameter that is missing - stays a refusal, for an operator.
    /// - Throws: `ProviderFailure`, a contradiction, when the error is about another payment's intent.
    func declineReason(for payment: Payment) throws -> String? {
        guard let error else { return nil }
        let reason: String
        switch (response.status, error.type) {
        case (402, "card_error"):
            reason = error.reason
        case (400, "invalid_request_error"), (404, "invalid_request_error"):
            guard let parameter = error.param, Self.ordersOwn.contains(parameter), !isToBeRetried else { return nil }
            reason = error.code ?? "invalid_\(parameter)"
        default:
            return nil
        }
        try errorIntent?.checkDeclined(for: payment)
        return reason
    }

    /// The parameters of a charge that come from the order as its customer placed it.
    private static let ordersOwn: Set<String> = ["payment_method", "amount", "currency"]

    /// The provider says that there is no such object.
    var isMissing: Bool { response.status == 404 && error?.code == "resource_missing" }

    private var isToBeRetried: Bool { response.headers["Stripe-Should-Retry"]?.lowercased() == "true" }

    /// The value of a 2xx.
    ///
    /// A 2xx that cannot be read is unknown. A key in use says that the first request is still at work. Otherwise
    /// `Stripe-Should-Retry` decides first, then the status: 408, 409,
    /// 429 and 5xx are unknown, every other 4xx says that the request is wrong, if it is the provider that says it. An
    /// error that was replayed for its key will be replayed again: only a look-up tells.
    /// - Throws: `ProviderFailure`.
    func value<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        guard (200..<300).contains(response.status) else { throw failure }
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

    private var failure: ProviderFailure {
        guard let error else {
            return ProviderFailure(
                kind: isReplayed ? .lookUp(thenRetry: true) : .unknown,
                errorClass: errorClass(otherwise: "payment.provider-unreadable"),
                reason: "status \(response.status) without the provider's own words"
            )
        }
        let codes = [error.type, error.code, error.param].compactMap { $0 }.joined(separator: ", ")
        return ProviderFailure(
            kind: kind(of: error),
            errorClass: errorClass(otherwise: "payment.provider-refused"),
            reason: "status \(response.status): \(codes)"
        )
    }

    private func errorClass(otherwise: String) -> String {
        switch response.status {
        case 409, 429: "payment.provider-busy"
        case 408, 500...: "payment.provider-unavailable"
        default: otherwise
        }
    }

    private func kind(of error: StripeError) -> ProviderFailure.Kind {
        if error.code == "idempotency_key_in_use" { return .atWork }
        switch response.headers["Stripe-Should-Retry"]?.lowercased() {
        case "true": return .unknown
        case "false": return leavesOpen ? .lookUp(thenRetry: false) : .refused
        default: break
        }
        switch (error.type, error.code) {
        // The key is used up by another request for this order: what is there tells.
        case ("idempotency_error", _) where response.status == 400: return .lookUp(thenRetry: true)
        // The work is done, or the object has moved on since it was looked up.
        case (_, "charge_already_refunded"), (_, "payment_intent_unexpected_state"): return .lookUp(thenRetry: true)
        default: break
        }
        guard leavesOpen else { return .refused }
        return isReplayed ? .lookUp(thenRetry: true) : .unknown
    }

    private var isReplayed: Bool { response.headers["Idempotent-Replayed"]?.lowercased() == "true" }

    /// Whether the status alone does not say that nothing happened.
    private var leavesOpen: Bool {
        switch response.status {
        case 408, 409, 429, 500...: true
        default: false
        }
    }
}
