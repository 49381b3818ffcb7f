/// What the provider did, with the counts that prove that it did it once.
struct Ledger: Sendable, Encodable {
    /// Every intent, oldest first.
    let intents: [PaymentIntent]
    /// Every refund, oldest first.
    let refunds: [Refund]
    /// Every dispute, oldest first.
    let disputes: [Dispute]
    /// Successful charges per order id, where there is one.
    let chargesByOrder: [String: Int]
    /// Refunds per order id, where the refunded intent has one.
    let refundsByOrder: [String: Int]
    /// Under how many different keys refunds were asked for, per order id: more than one could have refunded twice.
    let refundKeysByOrder: [String: Int]

    /// Counts.
    ///
    /// - Parameter refundKeys: the keys under which refunds were asked for, by intent.
    init(
        intents: [PaymentIntent],
        refunds: [Refund],
        disputes: [Dispute] = [],
        refundKeys: [String: Set<String>] = [:]
    ) {
        self.intents = intents
        self.refunds = refunds
        self.disputes = disputes
        var charges: [String: Int] = [:]
        var orders: [String: String] = [:]
        for intent in intents where !intent.order.isEmpty {
            orders[intent.id] = intent.order
            if intent.status == .succeeded { charges[intent.order, default: 0] += 1 }
        }
        var refundCounts: [String: Int] = [:]
        for refund in refunds {
            if let order = orders[refund.paymentIntent] { refundCounts[order, default: 0] += 1 }
        }
        var keys: [String: Set<String>] = [:]
        for (intent, used) in refundKeys {
            if let order = orders[intent] { keys[order, default: []].formUnion(used) }
        }
        refundKeysByOrder = keys.mapValues(\.count)
        chargesByOrder = charges
        refundsByOrder = refundCounts
    }
}
