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
        ProductListed.self, ProductPriceChanged.self, StockChanged.self, OrderPlaced.self, StockReserved.self,
        StockRejected.self, OrderAccepted.self, OrderPaymentRequested.self, OrderConfirmed.self, OrderRejected.self,
        OrderCancelled.self, OrderRefunded.self, PaymentCaptured.self, PaymentDeclined.self,
        PaymentRefundRequested.self, PaymentRefunded.self, PaymentVoided.self, StockConfirmed.self,
        StockReleased.self,
    ]

    /// The shop of Order, Payment and Notification alone.
    public static let topology = topology(with: [])

    /// Every service declares all that its own events concern, so that no event is lost because its subscriber has not started
    /// yet; a queue of a context that is not there would fill for ever.
    public static func topology(with contexts: Set<Context>) -> Topology {
        let hasInventory = contexts.contains(.inventory)
        let payments = [
            PaymentCaptured.type, PaymentDeclined.type, PaymentRefundRequested.type, PaymentRefunded.type,
            PaymentVoided.type,
        ]
        let answers = [StockReserved.type, StockRejected.type, StockConfirmed.type, StockReleased.type]
        let ends = hasInventory ? [OrderRejected.type] : []
        var subscriptions: [Topology.Subscription] = [
            .init("order", to: payments + (hasInventory ? answers : [])),
            .init("payment", to: [OrderPaymentRequested.type, OrderCancelled.type] + ends),
            .init(
                "notification",
                to: [OrderConfirmed.type, OrderRejected.type, OrderCancelled.type, OrderRefunded.type]
            ),
        ]
        if hasInventory {
            subscriptions.append(
                .init(
                    "inventory",
                    to: [OrderPlaced.type, OrderConfirmed.type, OrderRejected.type, OrderCancelled.type]
                )
            )
        }
        return Topology(subscriptions)
    }
}
