import Database
import Events
import Messaging
import ShopEvents

/// What Order does when the others speak, and when its own deadlines pass: the order changes and its own events
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
        subscriber.on(PaymentPartlyRefunded.self) { event, delivery in
            try await take(event.orderID, delivery) { order, now throws(Order.Refusal) in
                try order.take(refundOfPart: event.number, event.total, at: now)
            }
        }
        subscriber.on(PaymentVoided.self) { event, delivery in
            try await take(.voided, of: event.orderID, delivery)
        }
        subscriber.on(PaymentDisputed.self) { event, delivery in
            try await take(event.orderID, delivery) { order, now throws(Order.Refusal) in
                try order.take(event.state, at: now)
            }
        }
        // Also in a shop that has no such context any more: what it had said before is still to be heard.
        registerReservations(on: subscriber)
        registerPoints(on: subscriber)
        registerShipping(on: subscriber)
        subscriber.on(OrderOverdue.self) { event, delivery in
            try await delivery.commit { transaction in try expire(event.orderID, in: transaction) }
        }
    }

    private func registerReservations(on subscriber: Subscriber) {
        subscriber.on(StockReserved.self) { event, delivery in
            try await take(.reserved(), of: .stock, event.orderID, delivery)
        }
        subscriber.on(StockRejected.self) { event, delivery in
            try await take(.rejected(reason: event.reason), of: .stock, event.orderID, delivery)
        }
        subscriber.on(StockConfirmed.self) { event, delivery in
            try await take(.confirmed, of: .stock, event.orderID, delivery)
        }
        subscriber.on(StockReleased.self) { event, delivery in
            try await take(.released, of: .stock, event.orderID, delivery)
        }
        subscriber.on(CouponRedeemed.self) { event, delivery in
            try await take(event.orderID, delivery) { order, now throws(Order.Refusal) in
                guard event.discount.currency == order.total.currency else { throw .otherAmount }
                return try order.take(.reserved(discount: event.discount.amount), of: .coupon, at: now)
            }
        }
        subscriber.on(CouponRejected.self) { event, delivery in
            try await take(.rejected(reason: event.reason), of: .coupon, event.orderID, delivery)
        }
        subscriber.on(CouponConfirmed.self) { event, delivery in
            try await take(.confirmed, of: .coupon, event.orderID, delivery)
        }
        subscriber.on(CouponReleased.self) { event, delivery in
            try await take(.released, of: .coupon, event.orderID, delivery)
        }
    }

    private func registerPoints(on subscriber: Subscriber) {
        subscriber.on(PointsSpent.self) { event, delivery in
            try await take(.spent(event.points), of: event.orderID, delivery)
        }
        subscriber.on(PointsRejected.self) { event, delivery in
            try await take(.rejected(reason: event.reason), of: event.orderID, delivery)
        }
        subscriber.on(PointsRestored.self) { event, delivery in
            try await take(.restored(event.points), of: event.orderID, delivery)
        }
    }

    private func registerShipping(on subscriber: Subscriber) {
        subscriber.on(ShipmentDispatched.self) { event, delivery in
            let report = Order.ShippingReport.dispatched(
                trackingCode: event.trackingCode,
                addressVersion: event.addressVersion
            )
            try await take(report, of: event.orderID, delivery)
        }
        subscriber.on(ShipmentDelivered.self) { event, delivery in
            try await take(.delivered, of: event.orderID, delivery)
        }
        subscriber.on(ShipmentRefused.self) { event, delivery in
            let report = Order.ShippingReport.refused(reason: event.reason, addressVersion: event.addressVersion)
            try await take(report, of: event.orderID, delivery)
        }
    }

    private func take(_ report: Order.PaymentReport, of orderID: String, _ delivery: Delivery) async throws {
        try await take(orderID, delivery) { order, now throws(Order.Refusal) in try order.take(report, at: now) }
    }

    private func take(_ report: Order.PointsReport, of orderID: String, _ delivery: Delivery) async throws {
        try await take(orderID, delivery) { order, now throws(Order.Refusal) in try order.take(report, at: now) }
    }

    private func take(_ report: Order.ShippingReport, of orderID: String, _ delivery: Delivery) async throws {
        try await take(orderID, delivery) { order, now throws(Order.Refusal) in try order.take(report, at: now) }
    }

    private func take(
        _ report: Order.ReservationReport,
        of kind: Order.Reservation,
        _ orderID: String,
        _ delivery: Delivery
    ) async throws {
        try await take(orderID, delivery) { order, now throws(Order.Refusal) in
            try order.take(report, of: kind, at: now)
        }
    }

    private func take(
        _ orderID: String,
        _ delivery: Delivery,
        _ transition: @escaping @Sendable (inout Order, Int64) throws(Order.Refusal) -> Order.Outcome
    ) async throws {
        try await delivery.commit { transaction in
            try change(orderID, in: transaction) { order throws(Order.Refusal) in try transition(&order, now()) }
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
        case .reservationContradiction(let kind, let known, let reported):
            .permanent(
                "order.\(kind.rawValue)-contradiction",
                "\(kind.rawValue) of order \(orderID) is \(known?.rawValue ?? "not asked for") and was reported as \(reported.rawValue)"
            )
        case .pointsContradiction(let known, let reported):
            .permanent(
                "order.points-contradiction",
                "points of order \(orderID) are \(known?.rawValue ?? "not asked for") and were reported as \(reported.rawValue)"
            )
        case .shippingContradiction(let known, let reported):
            .permanent(
                "order.shipping-contradiction",
                "the parcel of order \(orderID) is \(known?.rawValue ?? "not shipped") and was reported as \(reported.rawValue)"
            )
        case .otherAmount:
            .permanent("order.other-amount", "the amount reported is not that of order \(orderID)")
        case .rejected, .ended, .dispatched, .notShipped, .tooManyAddresses, .undecided, .moreThanLeft, .nothingLeft,
            .tooManyParts:
            // Refused to customers alone; no event asks for it.
            .permanent("order.refused", "order \(orderID) cannot be changed so")
        }
    }
}
