/// An error in Stripe's shape, with the HTTP status that goes with it.
struct ProviderError: Error, Sendable, Equatable {
    /// The HTTP status.
    var status: Int
    /// `card_error`, `invalid_request_error`, `idempotency_error`, `api_error`.
    var type: String
    /// The stable code, where the API has one.
    var code: String?
    /// Why the card's issuer declined.
    var declineCode: String?
    /// For people.
    var message: String
    /// The parameter at fault.
    var param: String?
    /// The intent that the error is about, as it was then.
    var intent: Boxed<PaymentIntent>?

    /// The id of the intent that the error is about.
    var paymentIntent: String? { intent?.content.id }

    static func invalid(_ code: String?, _ message: String, param: String? = nil, status: Int = 400) -> ProviderError {
        ProviderError(status: status, type: "invalid_request_error", code: code, message: message, param: param)
    }

    static func declined(code: String, declineCode: String?) -> ProviderError {
        ProviderError(
            status: 402,
            type: "card_error",
            code: code,
            declineCode: declineCode,
            message: "Your card was declined."
        )
    }

    /// A charge that only the customer could confirm.
    static let authenticationRequired = declined(
        code: "authentication_required",
        declineCode: "authentication_required"
    )

    /// The intent is not where the call would have it.
    static func unexpectedState(_ intent: PaymentIntent, _ message: String) -> ProviderError {
        var error = invalid("payment_intent_unexpected_state", message)
        error.intent = .value(intent)
        return error
    }

    /// A path or method that the API does not have.
    static func unknownRoute(_ method: String, _ path: String) -> ProviderError {
        invalid(nil, "Unrecognized request URL (\(method): \(path)).", status: 404)
    }

    static func notFound(_ object: String, _ id: String, param: String = "id", status: Int = 404) -> ProviderError {
        invalid("resource_missing", "No such \(object): '\(id)'", param: param, status: status)
    }

    static let unauthorized = ProviderError(
        status: 401,
        type: "invalid_request_error",
        message: "Give the secret key as the user name of HTTP Basic authentication."
    )
    static let unknownVersion = ProviderError(
        status: 400,
        type: "invalid_request_error",
        message: "Invalid Stripe API version."
    )
    static let failed = ProviderError(status: 500, type: "api_error", message: "Something went wrong on our side.")
    static let unavailable = ProviderError(status: 503, type: "api_error", message: "The service is not available.")
    static let tooManyRequests = ProviderError(
        status: 429,
        type: "invalid_request_error",
        code: "rate_limit",
        message: "Too many requests."
    )
    static let otherParameters = ProviderError(
        status: 400,
        type: "idempotency_error",
        message: "This idempotency key was first used with other parameters."
    )
    static let keyInUse = ProviderError(
        status: 409,
        type: "idempotency_error",
        code: "idempotency_key_in_use",
        message: "Another request with this idempotency key is still running."
    )

    /// What the header `Stripe-Should-Retry` says of this error: nil when the provider does not know.
    var shouldRetry: Bool? {
        switch status {
        case 409, 429, 503: true
        case 402: false
        default: nil
        }
    }
}

extension ProviderError: Encodable {
    private enum CodingKeys: String, CodingKey {
        case type
        case code
        case declineCode = "decline_code"
        case message
        case param
        case charge
        case paymentIntent = "payment_intent"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(type, forKey: .type)
        try container.encodeIfPresent(code, forKey: .code)
        try container.encodeIfPresent(declineCode, forKey: .declineCode)
        try container.encode(message, forKey: .message)
        try container.encodeIfPresent(param, forKey: .param)
        if type == "card_error" { try container.encodeIfPresent(intent?.content.charge, forKey: .charge) }
        try container.encodeIfPresent(intent?.content, forKey: .paymentIntent)
    }
}

/// A value behind a reference, so that an intent can hold an error that holds an intent.
indirect enum Boxed<Content: Sendable & Equatable>: Sendable, Equatable {
    case value(Content)

    var content: Content {
        switch self {
        case .value(let content): content
        }
    }
}
