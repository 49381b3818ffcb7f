import Database
import Events
import Messaging
import ShopEvents

/// What Order does when Payment speaks: the order changes and its own events follow, in one transaction with the receipt.
struct OrderHandlers: Sendable {
    let store: OrderStore
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(store: OrderStore = OrderStore(), now: @escaping @Sendable () -> Int64 = WallClock.milliseconds) {
        self.store = store
        self.now = now
    }

    func register(on subscriber: Subscriber) {
        subscriber.on(PaymentCaptured.self) { event, delivery in
            try await take(.captured(event.total), of: event.orderID, delivery)
        }
        subscriber.on(PaymentDeclined.self) { event, delivery in
            try await take(.declined(reason: event.reason), of: event.orderID, delivery)
        }
        subscriber.on(PaymentRefundRequested.self) { event, delivery in
            try await take(.refunding(event.total), of: event.orderID, delivery)
        }
        subscriber.on(PaymentRefunded.self) { event, delivery in
            try await take(.refunded(event.total), of: event.orderID, delivery)
        }
        subscriber.on(PaymentVoided.self) { event, delivery in
            try await take(.voided, of: event.orderID, delivery)
        }
    }

    private func take(_ report: Order.PaymentReport, of orderID: String, _ delivery: Delivery) async throws {
        try await delivery.commit { transaction in
            for event in try take(report, of: orderID, in: transaction) { try transaction.append(event) }
        }
    }

    /// Applies a report to its order and gives the events to append.
    ///
    /// - Throws: `HandlerError`, permanent, for what no retry can mend: an order that does not exist (its own commit came
    ///   before anything that Payment can know of it), or a report that contradicts an earlier one.
    func take(_ report: Order.PaymentReport, of orderID: String, in transaction: Transaction) throws -> [any Event] {
        guard var order = try store.load(orderID, in: transaction) else {
            throw HandlerError.permanent("order.unknown", "there is no order \(orderID)")
        }
        do {
            switch try order.take(report, at: now()) {
            case .unchanged: return []
            case .changed(let events):
                try store.update(order, in: transaction)
                return events
            }
        } catch let refusal as Order.Refusal {
            switch refusal {
            case .contradiction(let known, let reported):
                throw HandlerError.permanent(
                    "order.payment-contradiction",
                    "payment of order \(orderID) is \(known.rawValue) and was reported as \(reported.rawValue)"
                )
            case .otherAmount:
                throw HandlerError.permanent(
                    "order.other-amount",
                    "the amount reported is not the total of order \(orderID)"
                )
            case .rejected:
                throw HandlerError.permanent("order.rejected", "order \(orderID) is rejected")
            }
        }
    }
}
