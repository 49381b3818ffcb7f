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

/// A part of a captured payment went back to the customer, for a partial cancellation.
public struct PaymentPartlyRefunded: Event, Equatable {
    /// On the wire `dev.warren.payment.partly-refunded`.
    public static let type: EventType = "dev.warren.payment.partly-refunded"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that had been paid.
    public var orderID: String
    /// The partial cancellation, `OrderLinesCancelled.number`.
    public var number: Int
    /// The provider's id of the refund, `re_…`.
    public var refundID: String
    /// What was paid back.
    public var total: Money
    /// The order that had been paid.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, number: Int, refundID: String, total: Money) {
        self.orderID = orderID
        self.number = number
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

/// A customer contests a charge at their bank, or the bank has decided about it.
public struct PaymentDisputed: Event, Equatable {
    /// On the wire `dev.warren.payment.disputed`.
    public static let type: EventType = "dev.warren.payment.disputed"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The order that was paid.
    public var orderID: String
    /// The provider's id of the dispute, `dp_…`.
    public var disputeID: String
    /// Where it stands.
    public var state: DisputeState
    /// The provider's code, `fraudulent`.
    public var reason: String
    /// What is contested.
    public var total: Money
    /// The order that was paid.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, disputeID: String, state: DisputeState, reason: String, total: Money) {
        self.orderID = orderID
        self.disputeID = disputeID
        self.state = state
        self.reason = reason
        self.total = total
    }
}

/// The provider has charged a customer for points.
public struct PaymentTopUpCaptured: Event, Equatable {
    /// On the wire `dev.warren.payment.top-up-captured`.
    public static let type: EventType = "dev.warren.payment.top-up-captured"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The charge of points, an id of Points.
    public var chargeID: String
    /// The provider's id of the charge, `pi_…`.
    public var paymentID: String
    /// What was charged.
    public var total: Money
    /// The charge.
    public var subject: String { chargeID }

    /// Makes the event.
    public init(chargeID: String, paymentID: String, total: Money) {
        self.chargeID = chargeID
        self.paymentID = paymentID
        self.total = total
    }
}

/// The provider refused to charge a customer for points, or could not be made to.
public struct PaymentTopUpDeclined: Event, Equatable {
    /// On the wire `dev.warren.payment.top-up-declined`.
    public static let type: EventType = "dev.warren.payment.top-up-declined"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The charge of points, an id of Points.
    public var chargeID: String
    /// The provider's code, `insufficient_funds`; `voided` where the charge was called off.
    public var reason: String
    /// The charge.
    public var subject: String { chargeID }

    /// Makes the event.
    public init(chargeID: String, reason: String) {
        self.chargeID = chargeID
        self.reason = reason
    }
}

/// What a customer paid for points went back, by the provider's own hand.
public struct PaymentTopUpRefunded: Event, Equatable {
    /// On the wire `dev.warren.payment.top-up-refunded`.
    public static let type: EventType = "dev.warren.payment.top-up-refunded"
    /// Payment.
    public static let source: String? = "/payment-service"
    /// The charge of points, an id of Points.
    public var chargeID: String
    /// The provider's id of the refund, `re_…`.
    public var refundID: String
    /// What was paid back.
    public var total: Money
    /// The charge.
    public var subject: String { chargeID }

    /// Makes the event.
    public init(chargeID: String, refundID: String, total: Money) {
        self.chargeID = chargeID
        self.refundID = refundID
        self.total = total
    }
}

/// Where a dispute stands.
public enum DisputeState: String, Codable, Sendable, CaseIterable {
    /// The bank has taken the money back, and the shop may answer.
    case opened
    /// The shop has the money again.
    case won
    /// The customer keeps it.
    case lost
}
