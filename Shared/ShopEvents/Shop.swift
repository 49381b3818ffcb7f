public import Messaging

/// The shop's contracts: who subscribes to what.
public enum Shop {
    /// Every service declares all of it, so that no event is lost because its subscriber has not started yet.
    public static let topology = Topology([
        .init(
            "order",
            to: [PaymentCaptured.type, PaymentDeclined.type, PaymentRefunded.type, PaymentVoided.type]
        ),
        .init("payment", to: [OrderPaymentRequested.type, OrderCancelled.type]),
        .init(
            "notification",
            to: [OrderConfirmed.type, OrderRejected.type, OrderCancelled.type, OrderRefunded.type]
        ),
    ])
}
