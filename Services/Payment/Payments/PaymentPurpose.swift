import Events
import HTTP
import ShopEvents

extension Payment {
    /// What a payment is for.
    enum Purpose: String, Sendable, CaseIterable {
        /// An order; the payment's id is the order's.
        case order
        /// A customer's points; the payment's id is that of Points' charge, and there is no order.
        case points

        /// The idempotency key of a deed that is done once per payment.
        ///
        /// It follows from purpose, deed and id alone, so that not even a database restored from a backup makes another one, and no
        /// two deeds have the same.
        func key(_ deed: Deed, _ id: String) -> String {
            let prefix = self == .order ? "warren" : "warren-points"
            return "\(prefix)-\(deed.rawValue)-\(PercentEncoding.encode(id))"
        }

        /// The idempotency key of the refund of one part.
        func key(part number: Int, _ id: String) -> String {
            let prefix = self == .order ? "warren" : "warren-points"
            return "\(prefix)-part-refund-\(number)-\(PercentEncoding.encode(id))"
        }
    }

    /// What the provider is asked to do under a key.
    enum Deed: String, Sendable, CaseIterable {
        case charge
        case refund
    }
}

extension Payment.Announcement {
    /// The event that says it, in the words of those whom a purpose concerns; nil where they have none for it.
    func event(for purpose: Payment.Purpose) -> (any Event)? {
        switch (self, purpose) {
        case (.captured(let event), .order): event
        case (.declined(let event), .order): event
        case (.voided(let event), .order): event
        case (.refundRequested(let event), .order): event
        case (.refunded(let event), .order): event
        case (.captured(let event), .points):
            PaymentTopUpCaptured(chargeID: event.orderID, paymentID: event.paymentID, total: event.total)
        case (.declined(let event), .points): PaymentTopUpDeclined(chargeID: event.orderID, reason: event.reason)
        case (.voided(let event), .points): PaymentTopUpDeclined(chargeID: event.orderID, reason: "voided")
        case (.refundRequested, .points): nil
        case (.refunded(let event), .points):
            PaymentTopUpRefunded(chargeID: event.orderID, refundID: event.refundID, total: event.total)
        }
    }
}
