public import Events
public import Messaging

/// The shop's contracts: which events there are and who subscribes to what.
///
/// `asyncapi.yaml` beside this file says the same to those who do not read Swift.
public enum Shop {
    /// What a shop may have beside Order, Payment and Notification, which are a shop by themselves.
    ///
    /// `SHOP_CONTEXTS` of Order says which of them this one has. Analytics is not among them: nobody waits for it.
    public enum Context: String, Sendable, CaseIterable {
        /// Knows products, prices and stock, and reserves what is ordered.
        case inventory
        /// Takes off what a customer's coupon says.
        case coupon
        /// Lets customers pay with points, and gives them some for what they buy.
        case points
        /// Sends what was ordered.
        case shipping
    }

    /// The contexts that a text names, separated by commas; `none`, or nothing, is a shop without any.
    ///
    /// - Returns: nil where a word names none.
    public static func contexts(named text: String) -> Set<Context>? {
        if text == "none" || text.isEmpty { return [] }
        let names = text.split(separator: ",", omittingEmptySubsequences: false)
        let contexts = names.compactMap { name in
            Context(rawValue: String(name.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()))
        }
        return contexts.count == names.count ? Set(contexts) : nil
    }

    /// Every event type of the shop, in the order in which an order's life brings them.
    public static let events: [any Event.Type] = [
        ProductListed.self, ProductPriceChanged.self, StockChanged.self, OrderPlaced.self,
        OrderShippingAddressChanged.self, StockReserved.self, StockRejected.self, CouponRedeemed.self,
        CouponRejected.self, OrderAccepted.self, PointsSpent.self, PointsRejected.self, OrderPaymentRequested.self,
        OrderConfirmed.self, OrderRejected.self, OrderCancelled.self, OrderRefunded.self,
        OrderLinesCancelled.self, OrderPartlyRefunded.self, OrderDispatched.self, PaymentCaptured.self,
        PaymentDeclined.self, PaymentRefundRequested.self, PaymentRefunded.self, PaymentPartlyRefunded.self,
        PaymentVoided.self, PaymentDisputed.self, StockConfirmed.self, StockReleased.self, CouponConfirmed.self,
        CouponReleased.self, PointsRestored.self, ShipmentDispatched.self, ShipmentDelivered.self,
        ShipmentRefused.self, PointsChargeRequested.self, PaymentTopUpCaptured.self, PaymentTopUpDeclined.self,
        PaymentTopUpRefunded.self,
    ]

    /// The shop of Order, Payment and Notification alone.
    public static let topology = topology(with: [])

    /// Every service declares all that its own events concern, so that no event is lost because its subscriber has not started
    /// yet; a queue of a context that is not there would fill for ever.
    public static func topology(with contexts: Set<Context>) -> Topology {
        // In the order of `Context`, so that the same shop is always declared in the same words.
        let guests = Context.allCases.filter(contexts.contains)
        let waits = guests.contains { $0 != .shipping }
        let core: [Topology.Subscription] = [
            .init("order", to: payments + guests.flatMap(\.answers)),
            .init(
                "payment",
                to: [OrderPaymentRequested.type, OrderCancelled.type, OrderLinesCancelled.type]
                    + (waits ? [OrderRejected.type] : [])
                    + (contexts.contains(.points) ? [PointsChargeRequested.type] : [])
            ),
            .init(
                "notification",
                to: [
                    OrderConfirmed.type, OrderRejected.type, OrderCancelled.type, OrderRefunded.type,
                    OrderLinesCancelled.type, OrderPartlyRefunded.type,
                ]
                    + (contexts.contains(.shipping) ? [OrderDispatched.type] : [])
            ),
        ]
        return Topology(core + guests.map { .init($0.rawValue, to: $0.hears) })
    }

    private static let payments = [
        PaymentCaptured.type, PaymentDeclined.type, PaymentRefundRequested.type, PaymentRefunded.type,
        PaymentPartlyRefunded.type, PaymentVoided.type, PaymentDisputed.type,
    ]
}

extension Shop.Context {
    /// What it tells Order.
    fileprivate var answers: [EventType] {
        switch self {
        case .inventory: [StockReserved.type, StockRejected.type, StockConfirmed.type, StockReleased.type]
        case .coupon: [CouponRedeemed.type, CouponRejected.type, CouponConfirmed.type, CouponReleased.type]
        case .points: [PointsSpent.type, PointsRejected.type, PointsRestored.type]
        case .shipping: [ShipmentDispatched.type, ShipmentDelivered.type, ShipmentRefused.type]
        }
    }

    /// What it subscribes to.
    fileprivate var hears: [EventType] {
        let ends = [OrderConfirmed.type, OrderRejected.type, OrderCancelled.type]
        return switch self {
        case .inventory: [OrderPlaced.type] + ends + [OrderLinesCancelled.type]
        case .coupon: [OrderPlaced.type] + ends
        case .points:
            [OrderAccepted.type] + ends + [OrderLinesCancelled.type]
                + [PaymentTopUpCaptured.type, PaymentTopUpDeclined.type, PaymentTopUpRefunded.type]
        case .shipping: [OrderShippingAddressChanged.type] + ends
        }
    }
}
