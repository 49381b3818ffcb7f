public import Events

/// The courier has an order's parcel.
public struct ShipmentDispatched: Event, Equatable {
    /// On the wire `dev.warren.shipment.dispatched`.
    public static let type: EventType = "dev.warren.shipment.dispatched"
    /// Shipping.
    public static let source: String? = "/shipping-service"
    /// The order.
    public var orderID: String
    /// The courier's name of the parcel.
    public var trackingCode: String
    /// Which of the order's addresses it goes to.
    public var addressVersion: Int
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, trackingCode: String, addressVersion: Int) {
        self.orderID = orderID
        self.trackingCode = trackingCode
        self.addressVersion = addressVersion
    }
}

/// The courier has delivered an order's parcel.
public struct ShipmentDelivered: Event, Equatable {
    /// On the wire `dev.warren.shipment.delivered`.
    public static let type: EventType = "dev.warren.shipment.delivered"
    /// Shipping.
    public static let source: String? = "/shipping-service"
    /// The order.
    public var orderID: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String) {
        self.orderID = orderID
    }
}

/// The courier does not take a parcel to an order's address; another address may be given.
public struct ShipmentRefused: Event, Equatable {
    /// On the wire `dev.warren.shipment.refused`.
    public static let type: EventType = "dev.warren.shipment.refused"
    /// Shipping.
    public static let source: String? = "/shipping-service"
    /// The order.
    public var orderID: String
    /// The courier's code, `unknown_address`.
    public var reason: String
    /// Which of the order's addresses it was.
    public var addressVersion: Int
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, reason: String, addressVersion: Int) {
        self.orderID = orderID
        self.reason = reason
        self.addressVersion = addressVersion
    }
}
