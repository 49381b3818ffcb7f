public import Events

/// The customer, as far as others need to know.
public struct Customer: Codable, Sendable, Equatable {
    /// Where mail goes.
    public var email: String
    /// How mail addresses the customer.
    public var name: String

    /// Makes a customer.
    public init(email: String, name: String) {
        self.email = email
        self.name = name
    }
}

/// One line of an order.
public struct OrderLine: Codable, Sendable, Equatable {
    /// The article.
    public var sku: String
    /// How many, from 1.
    public var quantity: Int
    /// What one costs, in minor units of the order's currency.
    public var unitPrice: Int64
    /// What the article was called when it was ordered; nil in a shop without Inventory.
    public var name: String?

    /// Makes a line.
    public init(sku: String, quantity: Int, unitPrice: Int64, name: String? = nil) {
        self.sku = sku
        self.quantity = quantity
        self.unitPrice = unitPrice
        self.name = name
    }
}

/// Order took an order from a customer.
public struct OrderPlaced: Event, Equatable {
    /// On the wire `dev.warren.order.placed`.
    public static let type: EventType = "dev.warren.order.placed"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// What was ordered; at least one line.
    public var lines: [OrderLine]
    /// The sum of the lines.
    public var total: Money
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, lines: [OrderLine], total: Money) {
        self.orderID = orderID
        self.customer = customer
        self.lines = lines
        self.total = total
    }
}

/// Everyone who was asked said yes: the order's stock is reserved, and it is to be paid.
///
/// In a shop without Inventory nobody is asked, and it is left out.
public struct OrderAccepted: Event, Equatable {
    /// On the wire `dev.warren.order.accepted`.
    public static let type: EventType = "dev.warren.order.accepted"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// The sum of the lines.
    public var total: Money
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, total: Money) {
        self.orderID = orderID
        self.total = total
    }
}

/// Order has all it waits for and asks Payment to charge the customer.
public struct OrderPaymentRequested: Event, Equatable {
    /// On the wire `dev.warren.order.payment-requested`.
    public static let type: EventType = "dev.warren.order.payment-requested"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// What to charge.
    public var total: Money
    /// The provider's token of the customer's payment method, `pm_card_visa`.
    public var paymentMethod: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, total: Money, paymentMethod: String) {
        self.orderID = orderID
        self.total = total
        self.paymentMethod = paymentMethod
    }
}

/// The order is paid and will be delivered.
public struct OrderConfirmed: Event, Equatable {
    /// On the wire `dev.warren.order.confirmed`.
    public static let type: EventType = "dev.warren.order.confirmed"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// What was paid.
    public var total: Money
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, total: Money) {
        self.orderID = orderID
        self.customer = customer
        self.total = total
    }
}

/// The order cannot be carried out.
public struct OrderRejected: Event, Equatable {
    /// On the wire `dev.warren.order.rejected`.
    public static let type: EventType = "dev.warren.order.rejected"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// Why, as a stable code: `payment-declined`, `payment-voided`, `reservation-expired`, `timed-out`, or what
    /// `StockRejected` says.
    public var reason: String
    /// What had been ordered in all; nil where the payment ended by itself.
    ///
    /// What is charged all the same goes back.
    public var total: Money?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, reason: String, total: Money? = nil) {
        self.orderID = orderID
        self.customer = customer
        self.reason = reason
        self.total = total
    }
}

/// The order is cancelled, by its customer or because it cannot be delivered; whatever was done for it is undone.
public struct OrderCancelled: Event, Equatable {
    /// On the wire `dev.warren.order.cancelled`.
    public static let type: EventType = "dev.warren.order.cancelled"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// What had been ordered in all.
    public var total: Money
    /// Why, as a stable code; nil where the customer asked for it.
    ///
    /// `reservation-expired`: the order was paid so late that its stock had gone to others.
    public var reason: String?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, total: Money, reason: String? = nil) {
        self.orderID = orderID
        self.customer = customer
        self.total = total
        self.reason = reason
    }
}

/// The customer has the money of an order back that is cancelled or rejected.
public struct OrderRefunded: Event, Equatable {
    /// On the wire `dev.warren.order.refunded`.
    public static let type: EventType = "dev.warren.order.refunded"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// What was paid back.
    public var total: Money
    /// Why it went back, as a stable code; nil after a cancel.
    ///
    /// `late-charge`: the payment had ended without a charge, and one came to light afterwards.
    public var reason: String?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, total: Money, reason: String? = nil) {
        self.orderID = orderID
        self.customer = customer
        self.total = total
        self.reason = reason
    }
}
