/// An amount of money: whole minor units (cents) and an ISO 4217 currency code.
public struct Money: Codable, Sendable, Equatable {
    /// Whole minor units.
    public var amount: Int64
    /// Three capital letters.
    public var currency: String

    /// Makes an amount.
    public init(amount: Int64, currency: String) {
        self.amount = amount
        self.currency = currency
    }
}
