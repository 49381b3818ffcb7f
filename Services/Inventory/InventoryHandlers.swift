import Events
import Messaging
import ShopEvents

/// What Inventory does when Order speaks, and when its own timeouts are due: one visit in the stockroom, in one transaction with
/// the receipt.
struct InventoryHandlers: Sendable {
    let room: Stockroom
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(room: Stockroom, now: @escaping @Sendable () -> Int64 = WallClock.milliseconds) {
        self.room = room
        self.now = now
    }

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderPlaced.self) { event, delivery in
            let lines = event.lines.map { Reservation.Line(sku: $0.sku, quantity: $0.quantity) }
            try await delivery.commit { try room.orderPlaced(event.orderID, lines, at: now(), in: $0) }
        }
        subscriber.on(OrderConfirmed.self) { event, delivery in
            try await delivery.commit { try room.orderConfirmed(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderCancelled.self) { event, delivery in
            try await delivery.commit { try room.orderEnded(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderRejected.self) { event, delivery in
            try await delivery.commit { try room.orderEnded(event.orderID, at: now(), in: $0) }
        }
        subscriber.on(OrderLinesCancelled.self) { event, delivery in
            let lines = event.lines.map { Reservation.Line(sku: $0.sku, quantity: $0.quantity) }
            try await delivery.commit { try room.linesCancelled(event.orderID, lines, at: now(), in: $0) }
        }
        subscriber.on(ReservationExpiryDue.self) { event, delivery in
            try await delivery.commit {
                try room.expiryDue(event.reservationID, of: event.owner, at: now(), in: $0)
            }
        }
        subscriber.on(ReservationWaitOver.self) { event, delivery in
            try await delivery.commit { try room.waitOver(event.reservationID, at: now(), in: $0) }
        }
        subscriber.on(WaitingLineDue.self) { event, delivery in
            try await delivery.commit { try room.waitingLineDue(event.sku, after: event.after, at: now(), in: $0) }
        }
    }
}
