/// What the shop takes as payment: the part of the contract between Order and Payment that no event's shape can say.
///
/// Order refuses everything else when an order is placed, and Payment promises that its provider's own units can express
/// the rest, so that no order fails at its charge for an amount that nobody could have charged. Amounts are in ISO
/// 4217's minor units, as everywhere in the shop; which units the provider counts in is Payment's own business.
public enum Tender {
    /// Why an amount is not taken.
    public enum Refusal: Sendable, Equatable {
        /// The provider does not charge in this currency, or it is none.
        case currency
        /// The amount must be a whole multiple of so many minor units.
        case multiple(of: Int64)
        /// The amount must be within these bounds, in minor units.
        case range(ClosedRange<Int64>)
    }

    /// Why an amount is not taken, or nil when it is.
    public static func refusal(of money: Money) -> Refusal? {
        guard takes(money.currency) else { return .currency }
        let range = 1...most(in: money.currency)
        guard range.contains(money.amount) else { return .range(range) }
        guard let step = steps[money.currency], !money.amount.isMultiple(of: step) else { return nil }
        return .multiple(of: step)
    }

    /// What an amount of that currency has to be a multiple of, in minor units.
    public static func step(in code: String) -> Int64 { steps[code] ?? 1 }

    /// Whether there are amounts of that currency that are taken; the code is ISO 4217's, in capital letters.
    public static func takes(_ code: String) -> Bool {
        Currency(code: code) != nil && !refused.contains(code)
    }

    /// Twelve digits of what cards are charged in, as their networks have it.
    private static func most(in code: String) -> Int64 {
        let digits: Int64 = 999_999_999_999
        return hundredfold.contains(code) ? digits / 100 : digits * (steps[code] == 100 ? 100 : 1)
    }

    /// Active currencies that no card is charged in.
    private static let refused: Set<String> = [
        "BTN", "CUP", "ERN", "GHS", "IQD", "IRR", "KPW", "LYD", "MRU", "SDG", "SSP", "STN", "SVC", "SYP", "TMT", "VES",
        "ZWG",
    ]

    /// Currencies that cards charge with fewer digits than they have.
    private static let steps: [String: Int64] = [
        "BHD": 10, "JOD": 10, "KWD": 10, "MGA": 100, "OMR": 10, "TND": 10,
    ]

    /// Currencies that cards charge with two digits more than they have.
    private static let hundredfold: Set<String> = ["ISK", "UGX"]
}
