import ServiceKit
import ShopEvents
import Telemetry

/// What a coupon takes off, as the API shows it: one of both.
struct DiscountView: Encodable {
    let percent: Int?
    let amount: Money?

    init(_ discount: CouponRule.Discount) {
        switch discount {
        case .percent(let percent):
            self.percent = percent
            amount = nil
        case .amount(let amount):
            percent = nil
            self.amount = amount
        }
    }
}

/// A definition as the API shows it; what does not apply is left out.
struct DefinitionView: Encodable {
    let id: String
    let discount: DiscountView
    let minimum: Money?
    let validFrom: String?
    let validUntil: String?
    let limit: Int?
    let limitPerCustomer: Int
    let issued: Int
    let createdAt: String
    let updatedAt: String

    init(_ definition: CouponDefinition) {
        let terms = definition.terms
        id = definition.id
        discount = DiscountView(terms.rule.discount)
        minimum = terms.rule.minimum
        validFrom = terms.rule.validFrom.map(Timestamp.text)
        validUntil = terms.rule.validUntil.map(Timestamp.text)
        limit = terms.limit
        limitPerCustomer = terms.limitPerCustomer
        issued = definition.issued
        createdAt = Timestamp.text(definition.createdAt)
        updatedAt = Timestamp.text(definition.updatedAt)
    }
}

/// One page of definitions.
struct DefinitionPage: Encodable {
    let definitions: [DefinitionView]
    /// The `after` of the next page; null on the last.
    @OrNull var next: String?
}

/// A coupon as the API shows it; what does not apply is left out.
struct CouponView: Encodable {
    let id: String
    let definition: String
    let customer: String
    let state: Coupon.State
    let orderID: String?
    let discount: DiscountView
    let minimum: Money?
    let validFrom: String?
    let validUntil: String?
    let issuedAt: String
    let updatedAt: String

    init(_ coupon: Coupon) {
        id = coupon.id
        definition = coupon.definition
        customer = coupon.customer
        state = coupon.state
        orderID = coupon.orderID
        discount = DiscountView(coupon.rule.discount)
        minimum = coupon.rule.minimum
        validFrom = coupon.rule.validFrom.map(Timestamp.text)
        validUntil = coupon.rule.validUntil.map(Timestamp.text)
        issuedAt = Timestamp.text(coupon.issuedAt)
        updatedAt = Timestamp.text(coupon.updatedAt)
    }
}

/// One page of coupons.
struct CouponPage: Encodable {
    let coupons: [CouponView]
    /// The `after` of the next page; null on the last.
    @OrNull var next: String?
}

extension Timestamp {
    /// A moment as it is shown.
    fileprivate static func text(_ milliseconds: Int64) -> String { Timestamp(milliseconds: milliseconds).description }
}
