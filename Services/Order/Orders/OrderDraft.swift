import ShopEvents

/// What a customer wants, checked: the content of a new order.
struct OrderDraft: Sendable, Equatable, Codable {
    var customer: Customer
    let lines: [OrderLine]
    let total: Money
    let paymentMethod: String
    /// The coupon and the points that are to pay.
    var deductions: Deductions?
    /// Where it is to be sent.
    var address: PostalAddress?
}

/// What a draft must keep to: what its events can say.
///
/// Stated in `openapi.yaml` too.
enum OrderLimits {
    static let nameLength = ContractLimits.nameLength
    static let lineCount = ContractLimits.lineCount
    static let skuLength = ContractLimits.skuLength
    static let quantity = ContractLimits.quantity
    static let unitPrice = ContractLimits.unitPrice
    static let total = ContractLimits.amount
    static let paymentMethodLength = ContractLimits.textLength
}
