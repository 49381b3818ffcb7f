public import Events

/// A product can be bought, or is called otherwise than before: all that others keep of it.
///
/// Said again from time to time, so that who begins late, or lost it, has it all.
public struct ProductListed: Event, Equatable {
    /// On the wire `dev.warren.product.listed`.
    public static let type: EventType = "dev.warren.product.listed"
    /// Inventory.
    public static let source: String? = "/inventory-service"
    /// The product.
    public var sku: String
    /// What it is called.
    public var name: String
    /// What one costs.
    public var price: Money
    /// The product.
    public var subject: String { sku }

    /// Makes the event.
    public init(sku: String, name: String, price: Money) {
        self.sku = sku
        self.name = name
        self.price = price
    }
}

/// A product costs more or less from now on; orders that were placed before keep their price.
public struct ProductPriceChanged: Event, Equatable {
    /// On the wire `dev.warren.product.price-changed`.
    public static let type: EventType = "dev.warren.product.price-changed"
    /// Inventory.
    public static let source: String? = "/inventory-service"
    /// The product.
    public var sku: String
    /// What one costs from now on.
    public var price: Money
    /// The product.
    public var subject: String { sku }

    /// Makes the event.
    public init(sku: String, price: Money) {
        self.sku = sku
        self.price = price
    }
}

/// How much there is of a product, as far as others need to know.
public enum StockLevel: String, Codable, Sendable, CaseIterable {
    /// Nothing that could be reserved now.
    case out
    /// A few.
    case low
    /// Enough.
    case plenty
}

/// There is coarsely more or less of a product than before; said when the level changes, not for each piece.
public struct StockChanged: Event, Equatable {
    /// On the wire `dev.warren.stock.changed`.
    public static let type: EventType = "dev.warren.stock.changed"
    /// Inventory.
    public static let source: String? = "/inventory-service"
    /// The product.
    public var sku: String
    /// How much there is now.
    public var level: StockLevel
    /// The product.
    public var subject: String { sku }

    /// Makes the event.
    public init(sku: String, level: StockLevel) {
        self.sku = sku
        self.level = level
    }
}

/// All lines of an order are reserved for it, until a time.
public struct StockReserved: Event, Equatable {
    /// On the wire `dev.warren.stock.reserved`.
    public static let type: EventType = "dev.warren.stock.reserved"
    /// Inventory.
    public static let source: String? = "/inventory-service"
    /// The order.
    public var orderID: String
    /// When the reservation ends unless the order is confirmed before, RFC 3339 in UTC.
    public var expiresAt: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, expiresAt: String) {
        self.orderID = orderID
        self.expiresAt = expiresAt
    }
}

/// Nothing is reserved for an order; also said of one that was confirmed after its reservation had expired.
public struct StockRejected: Event, Equatable {
    /// On the wire `dev.warren.stock.rejected`.
    public static let type: EventType = "dev.warren.stock.rejected"
    /// Inventory.
    public static let source: String? = "/inventory-service"
    /// The order.
    public var orderID: String
    /// Why, as a stable code.
    ///
    /// `out-of-stock`: there are not enough; `stock-locked`: the last ones were reserved for others for as long as was waited;
    /// `unknown-product`: there is no such product; `reservation-expired`: it was confirmed too late; `order-ended`: the
    /// order had ended before it came.
    public var reason: String
    /// The products that it is about.
    public var skus: [String]
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String, reason: String, skus: [String]) {
        self.orderID = orderID
        self.reason = reason
        self.skus = skus
    }
}

/// What was reserved for an order has been taken out of the stock for good.
public struct StockConfirmed: Event, Equatable {
    /// On the wire `dev.warren.stock.confirmed`.
    public static let type: EventType = "dev.warren.stock.confirmed"
    /// Inventory.
    public static let source: String? = "/inventory-service"
    /// The order.
    public var orderID: String
    /// The order.
    public var subject: String { orderID }

    /// Makes the event.
    public init(orderID: String) {
        self.orderID = orderID
    }
}

/// What was reserved for an order, or taken for it, is back in the stock.
public struct StockReleased: Event, Equatable {
    /// On the wire `dev.warren.stock.released`.
    public static let type: EventType = "dev.warren.stock.released"
    /// Inventory.
    public static let source: String? = "/inventory-service"
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
