/// An amount of money: whole minor units (cents) and an ISO 4217 currency code.
///
/// Any two values can be written down here; an event takes amounts from 1 to 999,999,999,999 in an active currency alone.
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
