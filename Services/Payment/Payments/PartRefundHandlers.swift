import Database
import Events
import Messaging
import ShopEvents
import Telemetry

/// What Payment does when lines of an order are cancelled: it gives their share of the charge back, once.
///
/// The order of steps is that of `PaymentHandlers`: the row with its key before the call, a look-up before a repetition, and the rows
/// read again in the transaction that records the answer.
struct PartRefundHandlers: Sendable {
    private let events: EventStore
    private let provider: ProviderConversation
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let payments = PaymentStore()
    private let parts = PartRefundStore()

    init(
        events: EventStore,
        provider: any PaymentProvider,
        logger: Logger,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.events = events
        self.provider = ProviderConversation(provider: provider, now: now)
        self.logger = logger
        self.now = now
    }

    /// Subscribes.
    func register(on subscriber: Subscriber) {
        subscriber.on(OrderLinesCancelled.self) { event, delivery in
            try await linesCancelled(event) { try await delivery.commit($0) }
        }
        subscriber.on(PartRefundCheck.self) { event, delivery in
            try await refundCheck(event) { try await delivery.commit($0) }
        }
    }

    /// Some of an order is cancelled.
    func linesCancelled(_ event: OrderLinesCancelled, commit: PaymentHandlers.Commit) async throws {
        guard let money = event.refund else { return }
        let (payments, parts, now) = (payments, parts, now())
        let (payment, part, isNew) = try await events.write { transaction in
            guard let payment = try payments.find(event.orderID, in: transaction) else {
                // Order has heard of the charge: so this is another database.
                throw HandlerError.transient(
                    "payment.unknown-payment",
                    "a part of an order is to be refunded that has no payment here"
                )
            }
            if let part = try parts.find(event.orderID, event.number, in: transaction) {
                guard part.money == money else {
                    throw HandlerError.permanent(
                        "payment.conflicting-request",
                        "the partial cancellation asked for another refund before"
                    )
                }
                return (payment, part, false)
            }
            let known = try parts.all(of: event.orderID, in: transaction).reduce(0) { $0 + $1.money.amount }
            // By their sum alone: a part never takes what is somebody else's.
            guard money.currency == payment.total.currency, known + money.amount < payment.total.amount else {
                throw HandlerError.permanent(
                    "payment.conflicting-request",
                    "the parts of the order that are to be refunded come to more than what was charged, or to all of it"
                )
            }
            let part = PartRefund(
                orderID: event.orderID,
                number: event.number,
                money: money,
                createdAt: now,
                updatedAt: now
            )
            try parts.insert(part, in: transaction)
            return (payment, part, true)
        }
        try await refund(part, of: payment, lookUpFirst: !isNew, commit)
    }

    /// It is time to ask what became of a refund.
    func refundCheck(_ event: PartRefundCheck, commit: PaymentHandlers.Commit) async throws {
        let (payments, parts) = (payments, parts)
        let found = try await events.write { transaction -> (Payment, PartRefund)? in
            guard let payment = try payments.find(event.orderID, in: transaction),
                let part = try parts.find(event.orderID, event.part, in: transaction)
            else { return nil }
            return (payment, part)
        }
        guard let (payment, part) = found else { return }
        try await refund(part, of: payment, lookUpFirst: true, after: event, commit)
    }

    /// Gives the money back, or finds out that it was done, and records it with the delivery's receipt.
    private func refund(
        _ part: PartRefund,
        of payment: Payment,
        lookUpFirst: Bool,
        after check: PartRefundCheck? = nil,
        _ commit: PaymentHandlers.Commit
    ) async throws {
        guard part.state != .refunded else { return }
        let outcome = try await outcome(of: part, of: payment, lookUpFirst: lookUpFirst)
        let now = now()
        if case .pending = outcome, part.state == .pending, now - part.updatedAt > RefundCheck.patience {
            throw HandlerError.permanent(
                "payment.refund-overdue",
                "the provider has had the refund for more than 30 days: find out there what holds it up, then retry"
            )
        }
        let (parts, payments) = (parts, payments)
        try await commit { transaction in
            guard let payment = try payments.find(part.orderID, in: transaction) else {
                throw HandlerError.changedMeanwhile
            }
            if case .done(let refundID) = outcome {
                return try parts.settle(part.orderID, part.number, refundID, of: payment, at: now, in: transaction)
            }
            guard var part = try parts.find(part.orderID, part.number, in: transaction) else {
                throw HandlerError.changedMeanwhile
            }
            let before = part.state
            guard before != .refunded else { return }
            if case .pending(let refundID) = outcome {
                part.await(refundID, at: now)
                try parts.update(part, from: before, in: transaction)
            }
            let next = check?.next ?? PartRefundCheck(orderID: part.orderID, part: part.number, number: 1)
            try transaction.schedule(next, at: RefundCheck.due(of: part.updatedAt, now: now), key: next.key)
        }
        logger.info(
            "Refunded a part of a payment, or the provider takes its time with it",
            [
                LogField("order.id", part.orderID), LogField("payment.part", part.number),
                LogField("payment.refund", "\(outcome)"),
            ]
        )
    }

    /// What became of a part: by itself, or with all of the payment.
    private enum Outcome {
        case done(refundID: String)
        /// Under way at the provider, which may take days.
        case pending(refundID: String)
        /// All of the payment is on its way back, this with it.
        case withWhole
    }

    private func outcome(of part: PartRefund, of payment: Payment, lookUpFirst: Bool) async throws -> Outcome {
        switch payment.state {
        case .captured:
            switch try await provider.refund(part, of: payment, lookUpFirst: lookUpFirst) {
            case .done(let refundID): return .done(refundID: refundID)
            case .pending(let refundID): return .pending(refundID: refundID)
            }
        case .refunding:
            return .withWhole
        case .refunded:
            guard let refundID = payment.refundID else { throw HandlerError.changedMeanwhile }
            return .done(refundID: refundID)
        case .pending, .declined, .voided:
            throw HandlerError.permanent(
                "payment.not-captured",
                "a part of an order is to be refunded whose payment is \(payment.state.rawValue)"
            )
        }
    }
}

extension PartRefundStore {
    /// The money of a part is back: writes that, books it and announces it, once.
    func settle(
        _ orderID: String,
        _ number: Int,
        _ refundID: String,
        of payment: Payment,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        guard var part = try find(orderID, number, in: transaction) else { throw HandlerError.changedMeanwhile }
        let before = part.state
        guard let announcement = part.refund(refundID, at: now) else { return }
        try update(part, from: before, in: transaction)
        // Where all is back, all is booked.
        if payment.state != .refunded {
            try PaymentLedger().post(.refund, refundID, part.money, of: payment, at: now, in: transaction)
        }
        try transaction.append(announcement)
    }
}
