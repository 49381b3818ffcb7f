public import Events

/// The provider has charged the customer.
public struct PaymentCaptured: Event, Equatable {
    /// On the wire `dev.warren.payment.captured`.
    public static let type: EventType = "dev.warren.payment.captured"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that was paid.
    public var orderID: String
    /// The provider's id of the charge, `pi_…`.
    public var paymentID: String
    /// What was charged.
    public var total: Money
    /// The order that was paid.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, paymentID: String, total: Money) {
        self.orderID = orderID
        self.paymentID = paymentID
        self.total = total
    }
}

/// The provider refused to charge the customer.
public struct PaymentDeclined: Event, Equatable {
    /// On the wire `dev.warren.payment.declined`.
    public static let type: EventType = "dev.warren.payment.declined"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that was not paid.
    public var orderID: String
    /// The provider's code, `insufficient_funds`.
    public var reason: String
    /// The order that was not paid.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// The provider was asked to give a captured payment back, and takes its time: that may be days.
///
/// Where the money goes back at once, `PaymentRefunded` comes without it.
public struct PaymentRefundRequested: Event, Equatable {
    /// On the wire `dev.warren.payment.refund-requested`.
    public static let type: EventType = "dev.warren.payment.refund-requested"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that had been paid.
    public var orderID: String
    /// The provider's id of the refund, `re_…`.
    public var refundID: String
    /// What is to be paid back.
    public var total: Money
    /// The order that had been paid.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, refundID: String, total: Money) {
        self.orderID = orderID
        self.refundID = refundID
        self.total = total
    }
}

/// A captured payment went back to the customer.
public struct PaymentRefunded: Event, Equatable {
    /// On the wire `dev.warren.payment.refunded`.
    public static let type: EventType = "dev.warren.payment.refunded"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that had been paid.
    public var orderID: String
    /// The provider's id of the refund, `re_…`.
    public var refundID: String
    /// What was paid back.
    public var total: Money
    /// The order that had been paid.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, refundID: String, total: Money) {
        self.orderID = orderID
        self.refundID = refundID
        self.total = total
    }
}

/// A payment was called off before anything was charged; it is not to be charged any more.
///
/// A charge that comes to light all the same is told (`PaymentCaptured`) and given back (`PaymentRefunded`).
public struct PaymentVoided: Event, Equatable {
    /// On the wire `dev.warren.payment.voided`.
    public static let type: EventType = "dev.warren.payment.voided"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that is not charged.
    public var orderID: String
    /// The order that is not charged.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String) {
        self.orderID = orderID
    }
}
