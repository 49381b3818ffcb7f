/// Stripe's refund.
struct Refund: Sendable, Equatable {
    /// The states of a refund that this provider knows.
    enum Status: String, Sendable, Encodable {
        case pending
        case succeeded
        case failed
    }

    let id: String
    let paymentIntent: String
    let charge: String
    let amount: Int64
    let currency: String
    let metadata: [String: String]
    let reason: String?
    /// Seconds since 1970.
    let created: Int64
    var status: Status
    /// When it changes once more, in milliseconds since 1970.
    var settlesAt: Int64?
    /// What it then is.
    var settlesTo: Status = .succeeded

    /// The refund as it is at `now`.
    func settled(at now: Int64) -> Refund {
        guard let settlesAt, settlesAt <= now else { return self }
        var refund = self
        refund.status = settlesTo
        refund.settlesAt = nil
        return refund
    }
}

extension Refund: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case paymentIntent = "payment_intent"
        case charge
        case amount
        case currency
        case status
        case metadata
        case reason
        case failureReason = "failure_reason"
        case created
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("refund", forKey: .object)
        try container.encode(paymentIntent, forKey: .paymentIntent)
        try container.encode(charge, forKey: .charge)
        try container.encode(amount, forKey: .amount)
        try container.encode(currency, forKey: .currency)
        try container.encode(status, forKey: .status)
        try container.encode(metadata, forKey: .metadata)
        try container.encode(reason, forKey: .reason)
        if status == .failed { try container.encode("expired_or_canceled_card", forKey: .failureReason) }
        try container.encode(created, forKey: .created)
    }
}
