public import Events

/// A customer's points have been taken for an order.
public struct PointsSpent: Event, Equatable {
    /// On the wire `dev.warren.points.spent`.
    public static let type: EventType = "dev.warren.points.spent"
    /// Points.
    public static let source: String? = "/points-service"
    /// The order.
    public var orderID: String
    /// How many.
    public var points: Int64
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, points: Int64) {
        self.orderID = orderID
        self.points = points
    }
}

/// A customer's points cannot pay for an order; none were taken.
public struct PointsRejected: Event, Equatable {
    /// On the wire `dev.warren.points.rejected`.
    public static let type: EventType = "dev.warren.points.rejected"
    /// Points.
    public static let source: String? = "/points-service"
    /// The order.
    public var orderID: String
    /// Why, as a stable code.
    ///
    /// `insufficient-points`: the customer has not got so many; `order-ended`: the order had ended before it came.
    public var reason: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// The points that were taken for an order are its customer's again.
public struct PointsRestored: Event, Equatable {
    /// On the wire `dev.warren.points.restored`.
    public static let type: EventType = "dev.warren.points.restored"
    /// Points.
    public static let source: String? = "/points-service"
    /// The order.
    public var orderID: String
    /// How many.
    public var points: Int64
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, points: Int64) {
        self.orderID = orderID
        self.points = points
    }
}

/// A customer buys points: Payment is asked to charge for them.
public struct PointsChargeRequested: Event, Equatable {
    /// On the wire `dev.warren.points.charge-requested`.
    public static let type: EventType = "dev.warren.points.charge-requested"
    /// Points.
    public static let source: String? = "/points-service"
    /// The charge of points, an id of Points.
    public var chargeID: String
    /// What to charge; a point costs one minor unit.
    public var total: Money
    /// The provider's token of the customer's payment method, `pm_card_visa`.
    public var paymentMethod: String
    /// The charge.
    public var subject: String { chargeID }

    /// Makes the event.
    public init(chargeID: String, total: Money, paymentMethod: String) {
        self.chargeID = chargeID
        self.total = total
        self.paymentMethod = paymentMethod
    }
}
