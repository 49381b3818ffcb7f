import ShopEvents

/// What a customer reads when something happened to an order.
///
/// Pure: the same event always makes the same text.
struct MailText: Sendable, Equatable {
    /// Which mail it is, as the `mails` table names it: `confirmed`.
    let kind: String
    let orderID: String
    let customer: Customer
    let subject: String
    let text: String

    private init(kind: String, orderID: String, customer: Customer, subject: String, paragraphs: [String]) {
        self.kind = kind
        self.orderID = orderID
        self.customer = customer
        self.subject = "Your order \(orderID.onOneLine) \(subject)"
        let letter = ["Dear \(customer.name.onOneLine),"] + paragraphs + ["Your shop"]
        text = letter.joined(separator: "\n\n") + "\n"
    }

    /// The order is paid, by the card and by what is deducted.
    ///
    /// - Throws: `UnknownCurrency`; so do those for cancelled and refunded orders.
    init(_ event: OrderConfirmed) throws {
        let total = try MailText.text(of: event.total)
        let deducted = event.deductions?.amount ?? 0
        let card = Money(amount: event.total.amount - deducted, currency: event.total.currency)
        let payment =
            card.amount > 0 ? "We have received your payment of \(try MailText.text(of: card))." : "It is paid."
        var paragraphs = ["thank you for your order \(event.orderID.onOneLine). \(payment)"]
        if deducted > 0, let deductions = event.deductions {
            var parts: [String] = []
            if let discount = deductions.discount {
                let money = Money(amount: discount, currency: event.total.currency)
                parts.append("Your coupon took off \(try MailText.text(of: money)).")
            }
            if let points = deductions.points {
                let money = Money(amount: points, currency: event.total.currency)
                parts.append("Your points paid \(try MailText.text(of: money)).")
            }
            if card.amount <= 0 { parts.append("Nothing was charged to your card.") }
            paragraphs.append((["It came to \(total)."] + parts).joined(separator: " "))
        }
        self.init(
            kind: "confirmed",
            orderID: event.orderID,
            customer: event.customer,
            subject: "is confirmed",
            paragraphs: paragraphs + ["We will tell you when it is on its way."]
        )
    }

    /// The order's parcel is on its way.
    init(_ event: OrderDispatched) {
        self.init(
            kind: "dispatched",
            orderID: event.orderID,
            customer: event.customer,
            subject: "is on its way",
            paragraphs: [
                "your order \(event.orderID.onOneLine) is on its way. The courier calls the parcel \(event.trackingCode.onOneLine)."
            ]
        )
    }

    /// The order cannot be carried out.
    init(_ event: OrderRejected) {
        let isLate = ["reservation-expired", "redemption-expired"].contains(event.reason)
        self.init(
            kind: "rejected",
            orderID: event.orderID,
            customer: event.customer,
            subject: "could not be accepted",
            paragraphs: [
                "we are sorry: we cannot carry out your order \(event.orderID.onOneLine), because \(MailText.because(event.reason)).",
                isLate ? "Should your payment go through all the same, you get it back." : "Nothing was charged.",
            ] + MailText.returned(event.deductions) + ["You are welcome to order again."]
        )
    }

    /// Why an order was rejected, in words.
    private static func because(_ reason: String) -> String {
        switch reason {
        case "payment-declined": "your payment was declined"
        case "payment-voided": "your payment was called off"
        case "not-chargeable": "what is left to pay of it cannot be charged"
        case "out-of-stock", "stock-locked": "there is not enough of what you ordered left"
        case "reservation-expired": "your payment took longer than we could keep your goods for you"
        case "timed-out": "it took too long to find out whether we have what you ordered"
        case "unknown-coupon": "we do not know your coupon"
        case "coupon-not-valid": "your coupon is not valid now"
        case "coupon-below-minimum": "it comes to less than your coupon asks for"
        case "coupon-other-currency": "your coupon is for another currency"
        case "coupon-used": "your coupon was used already"
        case "coupon-used-up": "all coupons of that kind were used already"
        case "coupon-locked": "your coupon is in use for another order"
        case "redemption-expired": "your payment took longer than we could keep your coupon for this order"
        case "insufficient-points": "you have not got enough points for it"
        default: "something it needs is not available"
        }
    }

    /// What becomes of the coupon and the points of an order that has ended.
    private static func returned(_ deductions: Deductions?) -> [String] {
        switch (deductions?.coupon != nil, deductions?.points != nil) {
        case (true, true): ["Your coupon and your points are yours again."]
        case (true, false): ["Your coupon is yours again."]
        case (false, true): ["Your points are yours again."]
        case (false, false): []
        }
    }

    /// The order was cancelled.
    init(_ event: OrderCancelled) throws {
        let total = try MailText.text(of: event.total)
        let order = "your order \(event.orderID.onOneLine) over \(total)"
        let what =
            switch event.reason {
            case "reservation-expired":
                "we are sorry: when your payment for \(order) came, what you ordered had gone to others. The order is cancelled."
            case "redemption-expired":
                "we are sorry: when your payment for \(order) came, your coupon could not be used for it any more. "
                    + "The order is cancelled."
            default: "\(order) is cancelled."
            }
        self.init(
            kind: "cancelled",
            orderID: event.orderID,
            customer: event.customer,
            subject: "is cancelled",
            paragraphs: [what] + MailText.returned(event.deductions) + [
                "If it was already paid, you get the money back; we will write to you once that is done."
            ]
        )
    }

    /// The money went back.
    init(_ event: OrderRefunded) throws {
        let total = try MailText.text(of: event.total)
        self.init(
            kind: "refunded",
            orderID: event.orderID,
            customer: event.customer,
            subject: "is refunded",
            paragraphs: [
                event.reason == "late-charge"
                    ? "we had told you that nothing was charged for your order \(event.orderID.onOneLine). Your payment "
                        + "of \(total) had gone through after all; we have paid it back."
                    : "we have paid back \(total) for your order \(event.orderID.onOneLine).",
                "It may take your bank a few days to show it.",
            ]
        )
    }

    /// An amount cannot be put into words: nobody knows how many digits its minor unit has.
    struct UnknownCurrency: Error, Equatable {}

    private static func text(of money: Money) throws(UnknownCurrency) -> String {
        guard let currency = Currency(code: money.currency) else { throw UnknownCurrency() }
        return currency.text(ofMinorUnits: money.amount)
    }
}

extension String {
    /// The text with a space for every control character and line separator: what came in an event cannot break out of
    /// its line.
    fileprivate var onOneLine: String {
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
