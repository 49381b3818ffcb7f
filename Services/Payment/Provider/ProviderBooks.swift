import ShopEvents

/// What the provider's books hold: what moves money, or might have.
struct ProviderObject: Sendable, Equatable {
    /// What it is.
    enum Kind: String, Sendable, CaseIterable {
        case charge
        case refund
        case dispute
    }

    /// Where the money is, as far as it moves any.
    enum Standing: Sendable, Equatable {
        case moved
        /// Nothing has moved: not yet, or not any more.
        case notMoved
        /// It was to move, and came back.
        case failed
    }

    let kind: Kind
    let id: String
    /// The intent whose charge it is or is about.
    let intent: String
    let money: Money
    let standing: Standing
    /// The provider's word for it.
    let status: String
    /// What Payment has written beside it, or somebody else.
    var orderID: String?
    /// Why a customer disputes.
    var reason: String?

    var hasMoved: Bool { standing == .moved }
    var hasFailed: Bool { standing == .failed }
}

/// What Payment looks up at the provider past its own deeds: what webhooks tell of, and what a day has brought.
///
/// Every method throws `ProviderFailure`.
protocol ProviderBooks: Sendable {
    /// Whose order an intent is; nil where it is of no shop of ours.
    func order(ofIntent id: String) async throws -> String?
    /// What the provider says now of one intent of a payment.
    func charge(of payment: Payment, intent id: String) async throws -> ChargeStatus
    /// All refunds of a payment's charge, newest first.
    func refunds(of payment: Payment, paymentID: String) async throws -> [ProviderObject]
    /// One object, as it is now; nil where there is none.
    func find(_ kind: ProviderObject.Kind, _ id: String) async throws -> ProviderObject?
    /// All that was made in a time, in seconds since 1970.
    func all(_ kind: ProviderObject.Kind, from start: Int64, to end: Int64) async throws -> [ProviderObject]
}
