/// Stripe's dispute: a customer contests a charge at their bank.
struct Dispute: Sendable, Equatable {
    /// The states of a dispute that this provider knows.
    enum Status: String, Sendable, Encodable {
        /// The bank has taken the money back, and the shop may answer.
        case needsResponse = "needs_response"
        case won
        case lost
    }

    let id: String
    let paymentIntent: String
    let charge: String
    let amount: Int64
    let currency: String
    let reason: String
    /// Seconds since 1970.
    let created: Int64
    var status: Status

    /// Why customers contest (Stripe, "Dispute reason").
    static let reasons = [
        "credit_not_processed", "duplicate", "fraudulent", "general", "product_not_received", "product_unacceptable",
        "subscription_canceled", "unrecognized",
    ]
}

extension Dispute: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id
        case object
        case paymentIntent = "payment_intent"
        case charge
        case amount
        case currency
        case status
        case reason
        case metadata
        case created
        case livemode
        case isChargeRefundable = "is_charge_refundable"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode("dispute", forKey: .object)
        try container.encode(paymentIntent, forKey: .paymentIntent)
        try container.encode(charge, forKey: .charge)
        try container.encode(amount, forKey: .amount)
        try container.encode(currency, forKey: .currency)
        try container.encode(status, forKey: .status)
        try container.encode(reason, forKey: .reason)
        try container.encode([String: String](), forKey: .metadata)
        try container.encode(created, forKey: .created)
        try container.encode(false, forKey: .livemode)
        try container.encode(false, forKey: .isChargeRefundable)
    }
}
