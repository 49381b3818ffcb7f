import ShopEvents

/// What a mail has to say about an event, in no language yet.
///
/// Pure: the same event always makes the same content.
struct MailContent: Sendable, Equatable {
    let kind: MailKind
    let orderID: String
    let customer: Customer
    /// What templates name, beside `customer`, `order`, `shop` and `because`; all of it on one line.
    let values: [String: String]
    /// The code of the reason that `because` says in words; nil where there is none.
    let reason: String?

    private init(
        _ kind: MailKind,
        _ orderID: String,
        _ customer: Customer,
        reason: String? = nil,
        _ values: [String: String?] = [:]
    ) {
        self.kind = kind
        self.orderID = orderID
        self.customer = customer
        self.reason = reason
        self.values = values.compactMapValues { $0?.onOneLine }
    }

    /// The order is paid, by the card and by what is deducted.
    ///
    /// - Throws: `UnknownCurrency`; so do those for cancelled and refunded orders.
    init(_ event: OrderConfirmed) throws(UnknownCurrency) {
        let currency = try MailContent.currency(of: event.total)
        let deducted = event.deductions?.amount ?? 0
        let card = event.total.amount - deducted
        self.init(
            .confirmed,
            event.orderID,
            event.customer,
            [
                "total": currency.text(ofMinorUnits: event.total.amount),
                "card": card > 0 ? currency.text(ofMinorUnits: card) : nil,
                "deducted": deducted > 0 ? currency.text(ofMinorUnits: deducted) : nil,
                "discount": event.deductions?.discount.map(currency.text(ofMinorUnits:)),
                "points": event.deductions?.points.map(currency.text(ofMinorUnits:)),
            ]
        )
    }

    /// The order cannot be carried out.
    init(_ event: OrderRejected) {
        let isLate = ["reservation-expired", "redemption-expired"].contains(event.reason)
        self.init(
            .rejected,
            event.orderID,
            event.customer,
            reason: event.reason,
            ["late": isLate ? "yes" : nil].merging(Self.returned(event.deductions)) { mine, _ in mine }
        )
    }

    /// The order was cancelled.
    init(_ event: OrderCancelled) throws(UnknownCurrency) {
        let total = try MailContent.currency(of: event.total).text(ofMinorUnits: event.total.amount)
        self.init(
            .cancelled,
            event.orderID,
            event.customer,
            reason: event.reason,
            ["total": total].merging(Self.returned(event.deductions)) { mine, _ in mine }
        )
    }

    /// The money went back.
    init(_ event: OrderRefunded) throws(UnknownCurrency) {
        let total = try MailContent.currency(of: event.total).text(ofMinorUnits: event.total.amount)
        let late = event.reason == "late-charge" ? "yes" : nil
        self.init(.refunded, event.orderID, event.customer, ["total": total, "late": late])
    }

    /// Some of the order was cancelled.
    init(_ event: OrderLinesCancelled) throws(UnknownCurrency) {
        let currency = try MailContent.currency(of: event.total)
        let items = event.lines.map { "\($0.quantity) × \($0.name ?? $0.sku)" }.joined(separator: ", ")
        self.init(
            .partlyCancelled,
            event.orderID,
            event.customer,
            [
                "items": items,
                "total": currency.text(ofMinorUnits: event.total.amount),
                "refund": event.refund.map { currency.text(ofMinorUnits: $0.amount) },
                "points": event.points.map(String.init),
            ]
        )
    }

    /// The money of a partial cancellation went back.
    init(_ event: OrderPartlyRefunded) throws(UnknownCurrency) {
        let total = try MailContent.currency(of: event.total).text(ofMinorUnits: event.total.amount)
        self.init(.partlyRefunded, event.orderID, event.customer, ["total": total])
    }

    /// The order's parcel is on its way.
    init(_ event: OrderDispatched) {
        self.init(.dispatched, event.orderID, event.customer, ["tracking": event.trackingCode])
    }

    /// What becomes of the coupon and the points of an order that has ended: they are the customer's again.
    private static func returned(_ deductions: Deductions?) -> [String: String?] {
        ["coupon": deductions?.coupon, "points": deductions?.points.map(String.init)]
    }

    /// An amount cannot be put into words: nobody knows how many digits its minor unit has.
    struct UnknownCurrency: Error, Equatable {}

    private static func currency(of money: Money) throws(UnknownCurrency) -> Currency {
        guard let currency = Currency(code: money.currency) else { throw UnknownCurrency() }
        return currency
    }
}

extension String {
    /// The text with a space for every control character and line separator: what came in an event cannot break out of
    /// its line.
    var onOneLine: String {
        var scalars = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: scalars.append(" ")
            default: scalars.append(scalar)
            }
        }
        return String(scalars)
    }
}
