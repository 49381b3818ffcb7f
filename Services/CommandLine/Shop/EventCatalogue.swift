import Events
import JSON
import Messaging
import ShopEvents
import Telemetry

/// The event types of the shop under their short names, who listens to them, and an example of each.
enum EventCatalogue {
    private static let prefix = "dev.warren."

    /// Every event of the shop with an example about that order, that product, or that charge of points.
    private static func examples(of subject: String) -> [any Event] {
        let order = subject
        let soon = Timestamp(milliseconds: Timestamp.nowMilliseconds() + 3_600_000)
        let price = Money(amount: 1999, currency: "EUR")
        let customer = Customer(email: "ada@example.com", name: "Ada Example")
        let total = Money(amount: 1999, currency: "EUR")
        let address = PostalAddress(
            name: "Ada Example",
            lines: ["12 St James's Square"],
            postalCode: "SW1Y 4JH",
            city: "London",
            country: "GB"
        )
        return [
            ProductListed(sku: subject, name: "A book", price: price),
            ProductPriceChanged(sku: subject, price: price),
            StockChanged(sku: subject, level: .low),
            OrderPlaced(
                orderID: order,
                customer: customer,
                lines: [OrderLine(sku: "book-1", quantity: 1, unitPrice: 1999)],
                total: total
            ),
            OrderShippingAddressChanged(orderID: order, address: address, version: 1),
            StockReserved(orderID: order, expiresAt: soon.description),
            StockRejected(orderID: order, reason: "out-of-stock", skus: ["book-1"]),
            CouponRedeemed(
                orderID: order,
                coupon: "coupon-1",
                discount: Money(amount: 199, currency: "EUR"),
                expiresAt: soon.description
            ),
            CouponRejected(orderID: order, reason: "coupon-used"),
            OrderAccepted(orderID: order, total: total),
            PointsSpent(orderID: order, points: 500),
            PointsRejected(orderID: order, reason: "insufficient-points"),
            OrderPaymentRequested(orderID: order, total: total, paymentMethod: "pm_card_visa"),
            OrderConfirmed(orderID: order, customer: customer, total: total),
            OrderRejected(orderID: order, customer: customer, reason: "payment-declined"),
            OrderCancelled(orderID: order, customer: customer, total: total),
            OrderRefunded(orderID: order, customer: customer, total: total),
            OrderLinesCancelled(
                orderID: order,
                customer: customer,
                number: 1,
                lines: [OrderLine(sku: "book-1", quantity: 1, unitPrice: 999)],
                total: Money(amount: 1000, currency: "EUR"),
                refund: Money(amount: 999, currency: "EUR")
            ),
            OrderPartlyRefunded(
                orderID: order,
                customer: customer,
                number: 1,
                total: Money(amount: 999, currency: "EUR")
            ),
            OrderDispatched(orderID: order, customer: customer, trackingCode: "example"),
            PaymentCaptured(orderID: order, paymentID: "pi_example", total: total),
            PaymentDeclined(orderID: order, reason: "insufficient_funds"),
            PaymentRefundRequested(orderID: order, refundID: "re_example", total: total),
            PaymentRefunded(orderID: order, refundID: "re_example", total: total),
            PaymentPartlyRefunded(
                orderID: order,
                number: 1,
                refundID: "re_example",
                total: Money(amount: 999, currency: "EUR")
            ),
            PaymentVoided(orderID: order),
            PaymentDisputed(
                orderID: order,
                disputeID: "dp_example",
                state: .opened,
                reason: "fraudulent",
                total: total
            ),
            StockConfirmed(orderID: order),
            StockReleased(orderID: order, reason: "order-ended"),
            CouponConfirmed(orderID: order),
            CouponReleased(orderID: order, reason: "order-ended"),
            PointsRestored(orderID: order, points: 500),
            ShipmentDispatched(orderID: order, trackingCode: "example", addressVersion: 1),
            ShipmentDelivered(orderID: order),
            ShipmentRefused(orderID: order, reason: "unknown_address", addressVersion: 1),
            PointsChargeRequested(chargeID: subject, total: total, paymentMethod: "pm_card_visa"),
            PaymentTopUpCaptured(chargeID: subject, paymentID: "pi_example", total: total),
            PaymentTopUpDeclined(chargeID: subject, reason: "insufficient_funds"),
            PaymentTopUpRefunded(chargeID: subject, refundID: "re_example", total: total),
        ]
    }

    /// Every event type of the shop.
    static let types: [EventType] = examples(of: "").map { Swift.type(of: $0).type }

    /// Types without what all of them begin with: `order.placed`.
    static let shortNames = types.map { shortName(of: $0) }

    /// The type that a word means: a short name, or the type itself.
    static func type(meantBy word: String) -> EventType {
        let known = types.first { shortName(of: $0) == word }
        return known ?? EventType(rawValue: word)
    }

    /// The type without what all types of the shop begin with.
    static func shortName(of type: EventType) -> String {
        type.rawValue.hasPrefix(prefix) ? String(type.rawValue.dropFirst(prefix.count)) : type.rawValue
    }

    /// A payload that the handlers of this type understand, or nil for a type that is not the shop's.
    static func example(of type: EventType, subject: String) throws -> [UInt8]? {
        guard let event = examples(of: subject).first(where: { Swift.type(of: $0).type == type }) else { return nil }
        return try event.encodedData()
    }

    /// Where events of this type come from, by its contract; nil for a type that is not the shop's.
    static func source(of type: EventType) -> String? {
        contract(of: type)?.source
    }

    /// Reads a payload by the contract of its type; nil for a type that is not the shop's.
    ///
    /// - Throws: `EventFault` that names the field which the contract forbids.
    static func event(of type: EventType, data: [UInt8]) throws(EventFault) -> (any Event)? {
        try contract(of: type)?.init(decodingData: data)
    }

    private static func contract(of type: EventType) -> (any Event.Type)? {
        Shop.events.first { $0.type == type }
    }
}

extension Printer.Column {
    /// The type of an event under its short name.
    static let eventType = Printer.Column(eventType: "TYPE", "type")

    /// A column of event types under their short names.
    init(eventType title: String, _ path: String) {
        self.init(title) { EventCatalogue.shortName(of: EventType(rawValue: $0.member(at: path)?.text ?? "")) }
    }
}
