public import Events

/// The customer, as far as others need to know.
public struct Customer: Codable, Sendable, Equatable {
    /// Where mail goes.
    public var email: String
    /// How mail addresses the customer.
    public var name: String
    /// In which language mail is written, a BCP 47 tag (`ko`, `en-GB`); nil where nobody said.
    public var locale: String?
    /// Who the customer is to the shop: whose coupons and points may be used; nil where nobody has made sure of that.
    public var id: String?

    /// Makes a customer.
    public init(email: String, name: String, locale: String? = nil, id: String? = nil) {
        self.email = email
        self.name = name
        self.locale = locale
        self.id = id
    }
}

/// What pays for an order beside the customer's card.
public struct Deductions: Codable, Sendable, Equatable {
    /// The coupon; nil where there is none.
    public var coupon: String?
    /// What the coupon takes off, in minor units of the order's currency; nil until it is redeemed.
    public var discount: Int64?
    /// How many points pay, each one minor unit of the order's currency; nil where there are none.
    public var points: Int64?

    /// Makes what is deducted.
    public init(coupon: String? = nil, discount: Int64? = nil, points: Int64? = nil) {
        self.coupon = coupon
        self.discount = discount
        self.points = points
    }

    /// What is taken off in all, in minor units.
    public var amount: Int64 { (discount ?? 0) + (points ?? 0) }
}

/// Where a parcel goes.
public struct PostalAddress: Codable, Sendable, Equatable {
    /// Who gets it.
    public var name: String
    /// Street and number, one or two lines.
    public var lines: [String]
    /// As the country writes it.
    public var postalCode: String
    /// The town.
    public var city: String
    /// Two capital letters, ISO 3166-1.
    public var country: String

    /// Makes an address.
    public init(name: String, lines: [String], postalCode: String, city: String, country: String) {
        self.name = name
        self.lines = lines
        self.postalCode = postalCode
        self.city = city
        self.country = country
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
    /// The coupon and the points that are to pay for it; nil where only the card pays.
    public var deductions: Deductions?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, lines: [OrderLine], total: Money, deductions: Deductions? = nil) {
        self.orderID = orderID
        self.customer = customer
        self.lines = lines
        self.total = total
        self.deductions = deductions
    }
}

/// Everyone who was asked said yes: the order's stock is reserved, its coupon is redeemed, and it is to be paid, with points first.
///
/// Left out where nobody is asked: in a shop without Inventory, for an order without a coupon and points.
public struct OrderAccepted: Event, Equatable {
    /// On the wire `dev.warren.order.accepted`.
    public static let type: EventType = "dev.warren.order.accepted"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// The sum of the lines.
    public var total: Money
    /// Who ordered; nil unless points pay.
    public var customer: Customer?
    /// What is deducted: the points are still to be spent.
    public var deductions: Deductions?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, total: Money, customer: Customer? = nil, deductions: Deductions? = nil) {
        self.orderID = orderID
        self.total = total
        self.customer = customer
        self.deductions = deductions
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
    /// What to charge: the sum of the lines, less what is deducted.
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
    /// The sum of the lines; the card paid it, less what is deducted.
    public var total: Money
    /// What paid for it beside the card; nil where only the card paid.
    public var deductions: Deductions?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, total: Money, deductions: Deductions? = nil) {
        self.orderID = orderID
        self.customer = customer
        self.total = total
        self.deductions = deductions
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
    /// Why, as a stable code: `payment-declined`, `payment-voided`, `reservation-expired`, `timed-out`, `not-chargeable` (what
    /// is left to pay cannot be charged), or what `StockRejected`, `CouponRejected` and `PointsRejected` say.
    public var reason: String
    /// What had been ordered in all; nil where the payment ended by itself.
    ///
    /// What is charged all the same goes back.
    public var total: Money?
    /// The coupon and the points that it had asked for; they are the customer's again.
    public var deductions: Deductions?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, reason: String, total: Money? = nil, deductions: Deductions? = nil)
    {
        self.orderID = orderID
        self.customer = customer
        self.reason = reason
        self.total = total
        self.deductions = deductions
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
    /// `reservation-expired`, `redemption-expired`: the order was paid so late that its stock, or its coupon, had gone to others.
    public var reason: String?
    /// What had paid for it beside the card; it is the customer's again.
    public var deductions: Deductions?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, total: Money, reason: String? = nil, deductions: Deductions? = nil)
    {
        self.orderID = orderID
        self.customer = customer
        self.total = total
        self.reason = reason
        self.deductions = deductions
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
    /// What was paid back, without what partial cancellations had given back.
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

/// Where an order's parcel is to go, from now on.
public struct OrderShippingAddressChanged: Event, Equatable {
    /// On the wire `dev.warren.order.shipping-address-changed`.
    public static let type: EventType = "dev.warren.order.shipping-address-changed"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Where it goes.
    public var address: PostalAddress
    /// Which address of the order it is, from 1; a higher one replaces a lower one.
    public var version: Int
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, address: PostalAddress, version: Int) {
        self.orderID = orderID
        self.address = address
        self.version = version
    }
}

/// Some of what was ordered is cancelled; the rest of the order stays as it is.
public struct OrderLinesCancelled: Event, Equatable {
    /// On the wire `dev.warren.order.lines-cancelled`.
    public static let type: EventType = "dev.warren.order.lines-cancelled"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// Which partial cancellation of the order it is, from 1.
    public var number: Int
    /// What is cancelled.
    public var lines: [OrderLine]
    /// The sum of the lines that are left.
    public var total: Money
    /// What the card gets back: its share of what is cancelled; nil where that is nothing.
    public var refund: Money?
    /// How many points are the customer's again; nil where none are.
    public var points: Int64?
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(
        orderID: String,
        customer: Customer,
        number: Int,
        lines: [OrderLine],
        total: Money,
        refund: Money? = nil,
        points: Int64? = nil
    ) {
        self.orderID = orderID
        self.customer = customer
        self.number = number
        self.lines = lines
        self.total = total
        self.refund = refund
        self.points = points
    }
}

/// The customer has the money of a partial cancellation back.
public struct OrderPartlyRefunded: Event, Equatable {
    /// On the wire `dev.warren.order.partly-refunded`.
    public static let type: EventType = "dev.warren.order.partly-refunded"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// The partial cancellation.
    public var number: Int
    /// What was paid back for it.
    public var total: Money
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, number: Int, total: Money) {
        self.orderID = orderID
        self.customer = customer
        self.number = number
        self.total = total
    }
}

/// The order's parcel is on its way.
public struct OrderDispatched: Event, Equatable {
    /// On the wire `dev.warren.order.dispatched`.
    public static let type: EventType = "dev.warren.order.dispatched"
    /// Order.
    public static let source: String? = "/order-service"
    /// The order.
    public var orderID: String
    /// Who ordered.
    public var customer: Customer
    /// The courier's name of the parcel.
    public var trackingCode: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, customer: Customer, trackingCode: String) {
        self.orderID = orderID
        self.customer = customer
        self.trackingCode = trackingCode
    }
}
