import Events
import Messaging
import ShopEvents

/// What Points does when Order and Payment speak: one piece of work at the desk, in one transaction with the receipt.
struct PointsHandlers: Sendable {
    let desk: PointsDesk
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(desk: PointsDesk, now: @escaping @Sendable () -> Int64 = WallClock.milliseconds) {
        self.desk = desk
        self.now = now
    }

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderAccepted.self) { event, delivery in
            try await delivery.commit { try desk.orderAccepted(event, at: now(), in: $0) }
        }
        subscriber.on(OrderConfirmed.self) { event, delivery in
            try await delivery.commit { try desk.orderConfirmed(event, at: now(), in: $0) }
        }
        subscriber.on(OrderCancelled.self) { event, delivery in
            try await delivery.commit { try desk.orderCancelled(event, at: now(), in: $0) }
        }
        subscriber.on(OrderRejected.self) { event, delivery in
            try await delivery.commit { try desk.orderRejected(event, at: now(), in: $0) }
        }
        subscriber.on(OrderLinesCancelled.self) { event, delivery in
            try await delivery.commit { try desk.linesCancelled(event, at: now(), in: $0) }
        }
        subscriber.on(PaymentTopUpCaptured.self) { event, delivery in
            try await delivery.commit { try desk.topUpCaptured(event, at: now(), in: $0) }
        }
        subscriber.on(PaymentTopUpDeclined.self) { event, delivery in
            try await delivery.commit { try desk.topUpDeclined(event, at: now(), in: $0) }
        }
        subscriber.on(PaymentTopUpRefunded.self) { event, delivery in
            try await delivery.commit { try desk.topUpRefunded(event, at: now(), in: $0) }
        }
    }
}
