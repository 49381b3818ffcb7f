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

    /// The order is paid.
    ///
    /// - Throws: `UnknownCurrency`; so do those for cancelled and refunded orders.
    init(_ event: OrderConfirmed) throws {
        let total = try MailText.text(of: event.total)
        self.init(
            kind: "confirmed",
            orderID: event.orderID,
            customer: event.customer,
            subject: "is confirmed",
            paragraphs: [
                "thank you for your order \(event.orderID.onOneLine). We have received your payment of \(total).",
                "We will tell you when it is on its way.",
            ]
        )
    }

    /// The order cannot be carried out.
    init(_ event: OrderRejected) {
        let because =
            switch event.reason {
            case "payment-declined": "your payment was declined"
            case "payment-voided": "your payment was called off"
            case "out-of-stock", "stock-locked": "there is not enough of what you ordered left"
            case "reservation-expired": "your payment took longer than we could keep your goods for you"
            case "timed-out": "it took too long to find out whether we have what you ordered"
            default: "something it needs is not available"
            }
        self.init(
            kind: "rejected",
            orderID: event.orderID,
            customer: event.customer,
            subject: "could not be accepted",
            paragraphs: [
                "we are sorry: we cannot carry out your order \(event.orderID.onOneLine), because \(because).",
                event.reason == "reservation-expired"
                    ? "Should your payment go through all the same, you get it back. You are welcome to order again."
                    : "Nothing was charged. You are welcome to order again.",
            ]
        )
    }

    /// The order was cancelled.
    init(_ event: OrderCancelled) throws {
        let total = try MailText.text(of: event.total)
        self.init(
            kind: "cancelled",
            orderID: event.orderID,
            customer: event.customer,
            subject: "is cancelled",
            paragraphs: [
                event.reason == "reservation-expired"
                    ? "we are sorry: when your payment for your order \(event.orderID.onOneLine) over \(total) came, what you ordered "
                        + "had gone to others. The order is cancelled."
                    : "your order \(event.orderID.onOneLine) over \(total) is cancelled.",
                "If it was already paid, you get the money back; we will write to you once that is done.",
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
