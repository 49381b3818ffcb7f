/// Stripe's refund.
struct Refund: Sendable, Equatable {
    /// The states of a refund that this provider knows.
    enum Status: String, Sendable, Encodable {
        case pending
        case succeeded
    }

    let id: String
    let paymentIntent: String
    let amount: Int64
    let currency: String
    let metadata: [String: String]
    /// Seconds since 1970.
    let created: Int64
    var status: Status
    /// When a pending refund succeeds, in milliseconds since 1970.
    var settlesAt: Int64?

    /// The refund as it is at `now`.
    func settled(at now: Int64) -> Refund {
        guard status == .pending, let settlesAt, settlesAt <= now else { return self }
        var refund = self
        refund.status = .succeeded
        refund.settlesAt = nil
        return refund
    }
}

extension Refund: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case paymentIntent = "payment_intent"
        case amount
        case currency
        case status
        case metadata
        case created
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("refund", forKey: .object)
        try container.encode(paymentIntent, forKey: .paymentIntent)
        try container.encode(amount, forKey: .amount)
        try container.encode(currency, forKey: .currency)
        try container.encode(status, forKey: .status)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(created, forKey: .created)
    }
}
