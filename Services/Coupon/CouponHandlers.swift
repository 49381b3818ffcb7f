import Events
import Messaging
import ShopEvents

/// What Coupon does when Order speaks, and when its own timeouts are due, in one transaction with the receipt.
///
/// Orders that ask for no coupon are none of its business: they leave no trace.
struct CouponHandlers: Sendable {
    let desk: RedemptionDesk
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(desk: RedemptionDesk, now: @escaping @Sendable () -> Int64 = WallClock.milliseconds) {
        self.desk = desk
        self.now = now
    }

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderPlaced.self) { event, delivery in
            guard let coupon = event.deductions?.coupon else { return }
            let wish = Redemption.Wish(coupon: coupon, customer: event.customer.id, total: event.total)
            try await delivery.commit { try desk.orderPlaced(event.orderID, wish, at: now(), in: $0) }
        }
        subscriber.on(OrderConfirmed.self) { event, delivery in
            guard event.deductions?.coupon != nil else { return }
            try await delivery.commit { try desk.orderConfirmed(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderCancelled.self) { event, delivery in
            guard event.deductions?.coupon != nil else { return }
            try await delivery.commit { try desk.orderEnded(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderRejected.self) { event, delivery in
            guard event.deductions?.coupon != nil else { return }
            try await delivery.commit { try desk.orderEnded(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(RedemptionExpiryDue.self) { event, delivery in
            try await delivery.commit { try desk.expiryDue(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(RedemptionWaitOver.self) { event, delivery in
            try await delivery.commit { try desk.waitOver(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(WaitingRedemptionsDue.self) { event, delivery in
            try await delivery.commit { try desk.waitingRedemptionsDue(event.coupon, at: now(), in: $0) }
        }
    }
}
