public import Events
public import Messaging

/// The shop's contracts: which events there are and who subscribes to what.
///
/// `asyncapi.yaml` beside this file says the same to those who do not read Swift.
public enum Shop {
    /// Every event type of the shop, in the order in which an order's life brings them.
    public static let events: [any Event.Type] = [
        OrderPlaced.self, OrderPaymentRequested.self, OrderConfirmed.self, OrderRejected.self, OrderCancelled.self,
        OrderRefunded.self, PaymentCaptured.self, PaymentDeclined.self, PaymentRefundRequested.self,
        PaymentRefunded.self, PaymentVoided.self,
    ]

    /// Every service declares all of it, so that no event is lost because its subscriber has not started yet.
    public static let topology = Topology([
        .init(
            "order",
            to: [
                PaymentCaptured.type, PaymentDeclined.type, PaymentRefundRequested.type, PaymentRefunded.type,
                PaymentVoided.type,
            ]
        ),
        .init("payment", to: [OrderPaymentRequested.type, OrderCancelled.type]),
        .init(
            "notification",
            to: [OrderConfirmed.type, OrderRejected.type, OrderCancelled.type, OrderRefunded.type]
        ),
    ])
}
