/// Stripe's payment intent, as far as a client that charges cards from a server sees it.
struct PaymentIntent: Sendable, Equatable {
    /// The states of an intent that this provider knows.
    enum Status: String, Sendable, Encodable {
        case requiresPaymentMethod = "requires_payment_method"
        case requiresConfirmation = "requires_confirmation"
        case processing
        case succeeded
        case canceled
    }

    let id: String
    let amount: Int64
    let currency: String
    let metadata: [String: String]
    /// Seconds since 1970.
    let created: Int64
    var paymentMethod: String?
    var status: Status
    var lastPaymentError: ProviderError?
    /// When work in `processing` is done, in milliseconds since 1970, and what then comes of it.
    var settlesAt: Int64?
    var cancellationReason: String?

    /// The order that the intent belongs to, empty when the client did not say.
    var order: String { metadata["order_id"] ?? "" }

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
        if let error = paymentMethod.flatMap(PaymentMethod.init(rawValue:))?.decline {
            status = .requiresPaymentMethod
            lastPaymentError = error
            paymentMethod = nil
        } else {
            status = .succeeded
        }
    }
}

extension PaymentIntent: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case amount
        case amountReceived = "amount_received"
        case currency
        case status
        case metadata
        case created
        case livemode
        case paymentMethod = "payment_method"
        case latestCharge = "latest_charge"
        case lastPaymentError = "last_payment_error"
        case cancellationReason = "cancellation_reason"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("payment_intent", forKey: .object)
        try container.encode(amount, forKey: .amount)
        try container.encode(status == .succeeded ? amount : 0, forKey: .amountReceived)
        try container.encode(currency, forKey: .currency)
        try container.encode(status, forKey: .status)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(created, forKey: .created)
        try container.encode(false, forKey: .livemode)
        try container.encode(paymentMethod, forKey: .paymentMethod)
        try container.encode(status == .succeeded ? "ch_" + id.dropFirst(3) : nil, forKey: .latestCharge)
        try container.encode(lastPaymentError, forKey: .lastPaymentError)
        try container.encode(cancellationReason, forKey: .cancellationReason)
    }
}
