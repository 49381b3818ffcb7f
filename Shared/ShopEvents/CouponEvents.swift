public import Events

/// A coupon is reserved for an order, until a time.
public struct CouponRedeemed: Event, Equatable {
    /// On the wire `dev.warren.coupon.redeemed`.
    public static let type: EventType = "dev.warren.coupon.redeemed"
    /// Coupon.
    public static let source: String? = "/coupon-service"
    /// The order.
    public var orderID: String
    /// The coupon.
    public var coupon: String
    /// What it takes off the sum of the lines; never more than that.
    public var discount: Money
    /// When the redemption ends unless the order is confirmed before, RFC 3339 in UTC.
    public var expiresAt: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, coupon: String, discount: Money, expiresAt: String) {
        self.orderID = orderID
        self.coupon = coupon
        self.discount = discount
        self.expiresAt = expiresAt
    }
}

/// An order does not get its coupon; also said of one that was confirmed after its redemption had expired.
public struct CouponRejected: Event, Equatable {
    /// On the wire `dev.warren.coupon.rejected`.
    public static let type: EventType = "dev.warren.coupon.rejected"
    /// Coupon.
    public static let source: String? = "/coupon-service"
    /// The order.
    public var orderID: String
    /// Why, as a stable code.
    ///
    /// `unknown-coupon`: there is none, or it is somebody else's; `coupon-not-valid`: it is not its time; `coupon-below-minimum`: the order
    /// is too small; `coupon-other-currency`; `coupon-used`: it was used already;
    /// `coupon-locked`: another order had it for as long as was waited; `redemption-expired`: it was confirmed too late; `order-ended`: the
    /// order had ended before it came.
    public var reason: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}

/// A coupon has been used for an order for good.
public struct CouponConfirmed: Event, Equatable {
    /// On the wire `dev.warren.coupon.confirmed`.
    public static let type: EventType = "dev.warren.coupon.confirmed"
    /// Coupon.
    public static let source: String? = "/coupon-service"
    /// The order.
    public var orderID: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String) {
        self.orderID = orderID
    }
}

/// A coupon that was reserved or used for an order is its customer's again.
public struct CouponReleased: Event, Equatable {
    /// On the wire `dev.warren.coupon.released`.
    public static let type: EventType = "dev.warren.coupon.released"
    /// Coupon.
    public static let source: String? = "/coupon-service"
    /// The order.
    public var orderID: String
    /// Why, as a stable code.
    ///
    /// `expired`: the order was not confirmed in time; `order-ended`: it was cancelled or rejected.
    public var reason: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, reason: String) {
        self.orderID = orderID
        self.reason = reason
    }
}
