import Database
import Events
import Messaging
import ShopEvents

/// What Order does when Payment and Inventory speak, and when its own deadlines pass: the order changes and its own events
/// follow, in one transaction with the receipt.
struct OrderHandlers: Sendable {
    let desk: OrderDesk
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64

    init(desk: OrderDesk = OrderDesk(), now: @escaping @Sendable () -> Int64 = WallClock.milliseconds) {
        self.desk = desk
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
        // Also in a shop that has no Inventory any more: what it had said before is still to be heard.
        subscriber.on(StockReserved.self) { event, delivery in
            try await take(.reserved, of: event.orderID, delivery)
        }
        subscriber.on(StockRejected.self) { event, delivery in
            try await take(.rejected(reason: event.reason), of: event.orderID, delivery)
        }
        subscriber.on(StockConfirmed.self) { event, delivery in
            try await take(.confirmed, of: event.orderID, delivery)
        }
        subscriber.on(StockReleased.self) { event, delivery in
            try await take(.released, of: event.orderID, delivery)
        }
        subscriber.on(OrderOverdue.self) { event, delivery in
            try await delivery.commit { transaction in try expire(event.orderID, in: transaction) }
        }
    }

    private func take(_ report: Order.PaymentReport, of orderID: String, _ delivery: Delivery) async throws {
        try await delivery.commit { transaction in
            try change(orderID, in: transaction) { order throws(Order.Refusal) in try order.take(report, at: now()) }
        }
    }

    private func take(_ report: Order.StockReport, of orderID: String, _ delivery: Delivery) async throws {
        try await delivery.commit { transaction in
            try change(orderID, in: transaction) { order throws(Order.Refusal) in try order.take(report, at: now()) }
        }
    }

    /// Applies what came to its order, and writes down what follows.
    ///
    /// - Throws: `HandlerError`, permanent, for what no retry can mend: an order that does not exist (its own commit came
    ///   before anything that others can know of it), or a report that contradicts an earlier one.
    func change(
        _ orderID: String,
        in transaction: Transaction,
        _ transition: (inout Order) throws(Order.Refusal) -> Order.Outcome
    ) throws {
        guard var order = try desk.store.load(orderID, in: transaction) else {
            throw HandlerError.permanent("order.unknown", "there is no order \(orderID)")
        }
        let before = order.status
        do {
            switch try transition(&order) {
            case .unchanged: return
            case .changed(let events): try desk.change(order, from: before, events, in: transaction)
            }
        } catch let refusal as Order.Refusal {
            throw refusal.asHandlerError(of: orderID)
        }
    }

    /// The deadline of an order has passed.
    ///
    /// - Throws: `HandlerError`, permanent, where money is under way: a dead letter that an operator sees, and that holds nothing.
    private func expire(_ orderID: String, in transaction: Transaction) throws {
        guard var order = try desk.store.load(orderID, in: transaction) else {
            throw HandlerError.permanent("order.unknown", "there is no order \(orderID)")
        }
        switch order.expire(at: now()) {
        case .settled: return
        case .rejected(let events):
            // Not by `OrderDesk.change`, which takes the deadline back: this is the deadline, and its receipt ends it.
            try desk.store.update(order, in: transaction)
            for event in events { try transaction.append(event) }
        case .moneyUnclear:
            throw HandlerError.permanent(
                "order.overdue",
                "order \(orderID) waits for Payment, which has not said what became of the charge: see `GET /payments/\(orderID)` "
                    + "and Payment's dead letters; retry this once the order is decided"
            )
        }
    }
}

extension Order.Refusal {
    fileprivate func asHandlerError(of orderID: String) -> HandlerError {
        switch self {
        case .contradiction(let known, let reported):
            .permanent(
                "order.payment-contradiction",
                "payment of order \(orderID) is \(known.rawValue) and was reported as \(reported.rawValue)"
            )
        case .stockContradiction(let known, let reported):
            .permanent(
                "order.stock-contradiction",
                "stock of order \(orderID) is \(known?.rawValue ?? "not asked for") and was reported as \(reported.rawValue)"
            )
        case .otherAmount:
            .permanent("order.other-amount", "the amount reported is not the total of order \(orderID)")
        case .rejected:
            .permanent("order.rejected", "order \(orderID) is rejected")
        }
    }
}
