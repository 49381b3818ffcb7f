import ShopEvents

/// What a customer wants, checked: the content of a new order.
struct OrderDraft: Sendable, Equatable, Codable {
    let customer: Customer
    let lines: [OrderLine]
    let total: Money
    let paymentMethod: String
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
