/// Stripe's payment intent, as far as a client that charges cards from a server sees it.
struct PaymentIntent: Sendable, Equatable {
    /// The states of an intent.
    enum Status: String, Sendable, Encodable {
        case requiresPaymentMethod = "requires_payment_method"
        case requiresConfirmation = "requires_confirmation"
        case requiresAction = "requires_action"
        case requiresCapture = "requires_capture"
        case processing
        case succeeded
        case canceled
    }

    /// Whether the money is taken at once or held until somebody asks for it.
    enum CaptureMethod: String, Sendable, Encodable {
        case automatic
        case automaticAsync = "automatic_async"
        case manual
    }

    let id: String
    let amount: Int64
    let currency: String
    let metadata: [String: String]
    let description: String?
    let captureMethod: CaptureMethod
    /// Seconds since 1970.
    let created: Int64
    var paymentMethod: String?
    var status: Status
    /// What has been taken: less than the amount where a capture asked for less.
    var amountReceived: Int64 = 0
    var lastPaymentError: ProviderError?
    /// Whether a charge that needs the customer is declined rather than left waiting for it.
    var isServersOwn = false
    /// When work in `processing` is done, in milliseconds since 1970, and what then comes of it.
    var settlesAt: Int64?
    var cancellationReason: String?

    /// The order that the intent belongs to, empty when the client did not say.
    var order: String { metadata["order_id"] ?? "" }

    /// The charge that was tried last.
    var latestCharge: String? {
        switch status {
        case .succeeded, .requiresCapture: charge
        default: lastPaymentError == nil ? nil : charge
        }
    }

    /// The id of the intent's charge.
    var charge: String { "ch_" + id.dropFirst(3) }

    /// The intent as it is at `now`: work whose time has come is done.
    func settled(at now: Int64) -> PaymentIntent {
        guard status == .processing, let settlesAt, settlesAt <= now else { return self }
        var intent = self
        intent.settle()
        return intent
    }

    /// Does the work: the card is charged, or declined.
    mutating func settle() {
        settlesAt = nil
        lastPaymentError = nil
        let method = paymentMethod.flatMap(PaymentMethod.init(rawValue:))
        if method?.needsCustomer == true, !isServersOwn {
            status = .requiresAction
        } else if let error = method?.needsCustomer == true ? .authenticationRequired : method?.decline {
            status = .requiresPaymentMethod
            lastPaymentError = error
            paymentMethod = nil
        } else if captureMethod == .manual {
            status = .requiresCapture
        } else {
            status = .succeeded
            amountReceived = amount
        }
    }

    /// The last error with this intent in it, as the answer to a call has it.
    var chargeError: ProviderError? {
        guard var error = lastPaymentError else { return nil }
        error.intent = .value(self)
        return error
    }
}

extension PaymentIntent: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case amount
        case amountCapturable = "amount_capturable"
        case amountReceived = "amount_received"
        case captureMethod = "capture_method"
        case clientSecret = "client_secret"
        case confirmationMethod = "confirmation_method"
        case currency
        case description
        case status
        case metadata
        case created
        case livemode
        case paymentMethod = "payment_method"
        case paymentMethodTypes = "payment_method_types"
        case latestCharge = "latest_charge"
        case lastPaymentError = "last_payment_error"
        case cancellationReason = "cancellation_reason"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("payment_intent", forKey: .object)
        try container.encode(amount, forKey: .amount)
        try container.encode(status == .requiresCapture ? amount : 0, forKey: .amountCapturable)
        try container.encode(amountReceived, forKey: .amountReceived)
        try container.encode(captureMethod, forKey: .captureMethod)
        try container.encode("\(id)_secret_\(String(id.dropFirst(3).reversed()))", forKey: .clientSecret)
        try container.encode("automatic", forKey: .confirmationMethod)
        try container.encode(currency, forKey: .currency)
        try container.encode(description, forKey: .description)
        try container.encode(status, forKey: .status)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(created, forKey: .created)
        try container.encode(false, forKey: .livemode)
        try container.encode(paymentMethod, forKey: .paymentMethod)
        try container.encode(["card"], forKey: .paymentMethodTypes)
        try container.encode(latestCharge, forKey: .latestCharge)
        try container.encode(lastPaymentError, forKey: .lastPaymentError)
        try container.encode(cancellationReason, forKey: .cancellationReason)
    }
}
