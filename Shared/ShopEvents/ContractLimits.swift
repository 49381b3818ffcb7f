/// How much the fields of the shop's events hold.
///
/// `asyncapi.yaml` says the same; Order takes its own limits from here.
public enum ContractLimits {
    /// Characters of an id, a code or a token.
    public static let textLength = 1...255
    /// Characters of a customer's name.
    public static let nameLength = 1...200
    /// Characters of an article.
    public static let skuLength = 1...64
    /// Lines of one order.
    public static let lineCount = 1...100
    /// How many of one article.
    public static let quantity = 1...10_000
    /// What one costs, in minor units.
    public static let unitPrice: ClosedRange<Int64> = 0...100_000_000
    /// An amount of money, in minor units.
    public static let amount: ClosedRange<Int64> = 1...999_999_999_999
    /// Lines of an address between name and town.
    public static let addressLineCount = 1...2
    /// Characters of a postal code.
    public static let postalCodeLength = 1...20
    /// Bytes of a language tag.
    public static let localeLength = 2...35
    /// Points of one order or charge.
    public static let points: ClosedRange<Int64> = 1...999_999_999_999
    /// Addresses of one order.
    public static let addressVersion = 1...1_000
    /// Partial cancellations of one order.
    public static let partNumber = 1...1_000
}
