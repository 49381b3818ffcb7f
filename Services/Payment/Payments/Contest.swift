import ShopEvents

/// A customer's dispute of a payment: a value without I/O.
///
///     (unheard of) ──▶ opened ──▶ won
///            └───────────┴──────▶ lost
///
/// What the provider says now is what counts, so a word that comes late changes nothing; what has been decided stays.
struct Contest: Sendable, Equatable {
    /// The provider's id, `dp_…`.
    let id: String
    /// The order, or the charge of points.
    let orderID: String
    let reason: String
    let total: Money
    private(set) var state: DisputeState

    /// A dispute as it is stored, or as it is heard of first.
    init(id: String, orderID: String, reason: String, total: Money, state: DisputeState) {
        self.id = id
        self.orderID = orderID
        self.reason = reason
        self.total = total
        self.state = state
    }

    /// Takes where the dispute stands at the provider.
    /// - Returns: whether that is news.
    mutating func take(_ state: DisputeState) -> Bool {
        guard self.state == .opened, state != .opened else { return false }
        self.state = state
        return true
    }

    /// What others are told.
    var announcement: PaymentDisputed {
        PaymentDisputed(orderID: orderID, disputeID: id, state: state, reason: reason, total: total)
    }
}
