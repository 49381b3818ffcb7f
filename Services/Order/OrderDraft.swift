import ShopEvents

/// What a customer wants, checked: the content of a new order.
struct OrderDraft: Sendable, Equatable, Codable {
    let customer: Customer
    let lines: [OrderLine]
    let total: Money
    let paymentMethod: String
}

/// What a draft must keep to.
///
/// Stated in `openapi.yaml` too.
enum OrderLimits {
    static let nameLength = 1...200
    static let lineCount = 1...100
    static let skuLength = 1...64
    static let quantity = 1...10_000
    static let unitPrice: ClosedRange<Int64> = 0...100_000_000
    static let total: ClosedRange<Int64> = 1...999_999_999_999
    static let paymentMethodLength = 1...255
}
