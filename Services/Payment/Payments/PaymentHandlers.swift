import Database
import Events
import HTTP
import Messaging
import ShopEvents
import Telemetry

/// What Payment does when an order asks for its payment, when an order is cancelled, and when a customer buys points.
///
/// The order of steps is what keeps the promise of at most one charge and at most one refund per order:
/// 1. The row with its idempotency key is committed before the first call.
/// 2. Outside calls happen outside of transactions. Only an answer that says what happened changes the row; anything
///    else is unknown, and the delivery comes again, looks up first, and repeats under the same key.
/// 3. The row is read again in the transaction that records the answer, and `Payment` decides what the answer means
///    for a payment that may have changed meanwhile.
struct PaymentHandlers: Sendable {
    /// Commits the delivery's receipt together with what the closure does.
    typealias Commit = (@escaping @Sendable (Transaction) throws -> Void) async throws -> Void

    private let events: EventStore
    private let provider: ProviderConversation
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let store = PaymentStore()
    private let parts = PartRefundStore()
    private let ledger = PaymentLedger()

    /// The longest order id, in bytes as escaped, that leaves room for the rest of an idempotency key.
    private static let longestOrderID = 200

    /// Handlers over an event store and a provider.
    /// - Parameter now: the clock, in milliseconds since 1970.
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
        subscriber.on(OrderPaymentRequested.self) { event, delivery in
            try await paymentRequested(event) { try await delivery.commit($0) }
        }
        subscriber.on(OrderCancelled.self) { event, delivery in
            try await orderCancelled(event) { try await delivery.commit($0) }
        }
        subscriber.on(OrderRejected.self) { event, delivery in
            try await orderEnded(event.orderID, total: event.total) { try await delivery.commit($0) }
        }
        subscriber.on(PointsChargeRequested.self) { event, delivery in
            try await pointsRequested(event) { try await delivery.commit($0) }
        }
        subscriber.on(RefundCheck.self) { event, delivery in
            try await refundCheck(event) { try await delivery.commit($0) }
        }
    }

    // MARK: Payment requested

    /// An order asks for its payment, for the first time or again.
    func paymentRequested(_ event: OrderPaymentRequested, commit: Commit) async throws {
        let wish = Wish(id: event.orderID, purpose: .order, total: event.total, paymentMethod: event.paymentMethod)
        try await requested(wish, commit)
    }

    /// A customer buys points: the same, without an order.
    func pointsRequested(_ event: PointsChargeRequested, commit: Commit) async throws {
        let wish = Wish(id: event.chargeID, purpose: .points, total: event.total, paymentMethod: event.paymentMethod)
        try await requested(wish, commit)
    }

    /// What somebody asks to be charged.
    private struct Wish: Sendable {
        let id: String
        let purpose: Payment.Purpose
        let total: Money
        let paymentMethod: String
    }

    private func requested(_ wish: Wish, _ commit: Commit) async throws {
        try check(wish.id)
        let (payment, isNew) = try await open(wish)
        switch payment.requestStep(isNew: isNew) {
        case .nothing:
            return
        case .charge(let lookUpFirst):
            let outcome = try await provider.charge(payment, lookUpFirst: lookUpFirst)
            try await record(outcome, of: payment, commit)
        case .lookForLateCharge:
            guard let late = try await provider.findLateCharge(of: payment) else { return }
            try await record(late, of: payment, commit)
        case .refund:
            try await refund(payment, lookUpFirst: true, commit)
        }
    }

    /// The payment of a request, made and committed with its key unless it is there already.
    private func open(_ wish: Wish) async throws -> (Payment, isNew: Bool) {
        let (store, now) = (store, now())
        return try await events.write { transaction in
            if let payment = try store.find(wish.id, in: transaction) {
                guard payment.agrees(total: wish.total, paymentMethod: wish.paymentMethod, purpose: wish.purpose) else {
                    throw HandlerError.permanent(
                        "payment.conflicting-request",
                        "the order asked for another payment before"
                    )
                }
                return (payment, false)
            }
            let payment = Payment.requested(
                orderID: wish.id,
                purpose: wish.purpose,
                total: wish.total,
                paymentMethod: wish.paymentMethod,
                at: now
            )
            try store.insert(payment, in: transaction)
            return (payment, true)
        }
    }

    /// Records what became of a charge, with the delivery's receipt.
    private func record(_ outcome: Payment.Outcome, of payment: Payment, _ commit: Commit) async throws {
        let (store, now, orderID) = (store, now(), payment.orderID)
        do {
            try await commit { transaction in
                let settled = try store.settle(orderID, outcome, at: now, in: transaction)
                // A charge on a payment that had ended: its refund comes before the receipt.
                guard settled.before == .pending || !settled.isChanged else { throw LateCharge() }
            }
        } catch is LateCharge {
            logger.warning("Found a charge on a payment that had ended", [LogField("order.id", orderID)])
            _ = try await events.write { try store.settle(orderID, outcome, at: now, in: $0) }
            throw HandlerError.transient("payment.late-charge", "a charge that nobody wants is to be refunded")
        }
        log(outcome, of: orderID)
    }

    /// Takes what a webhook led to, as the answer to a charge is taken.
    ///
    /// A charge that comes to light on a payment that had ended is given back here.
    func take(_ outcome: Payment.Outcome, of payment: Payment, _ commit: Commit) async throws {
        guard case .captured = outcome, payment.state != .pending else {
            return try await record(outcome, of: payment, commit)
        }
        let (store, now, orderID) = (store, now(), payment.orderID)
        let found = try await events.write { try store.settle(orderID, outcome, at: now, in: $0) }
        guard found.after.state == .refunding else { return }
        logger.warning("Found a charge on a payment that had ended", [LogField("order.id", orderID)])
        try await refund(found.after, lookUpFirst: true, commit)
    }

    // MARK: Order ended

    /// An order was cancelled: what is charged is refunded, what is not charged never will be.
    func orderCancelled(_ event: OrderCancelled, commit: Commit) async throws {
        try await orderEnded(event.orderID, total: event.total, commit: commit)
    }

    /// An order was cancelled or rejected, the latter also because its payment was declined; then there is nothing to do.
    ///
    /// - Parameter total: what is not to be charged either where the request comes later; nil where it came before.
    func orderEnded(_ orderID: String, total: Money?, commit: Commit) async throws {
        try check(orderID)
        let (store, now) = (store, now())
        let begun = try await events.write { transaction -> (Payment, Payment.CancellationStep)? in
            guard var payment = try store.find(orderID, in: transaction) else { return nil }
            let before = payment
            let step = payment.cancel(at: now)
            if payment != before { try store.update(payment, from: before.state, in: transaction) }
            return (payment, step)
        }
        guard let (payment, step) = begun else {
            guard let total else { return }
            return try await commit { transaction in
                guard try store.find(orderID, in: transaction) == nil else { throw HandlerError.changedMeanwhile }
                let (payment, announcement) = Payment.cancelledFirst(orderID: orderID, total: total, at: now)
                try store.insert(payment, in: transaction)
                try transaction.announce(announcement, for: payment.purpose)
            }
        }
        switch step {
        case .nothing: return
        case .callOff: try await callOff(payment, commit)
        case .refund(let lookUpFirst): try await refund(payment, lookUpFirst: lookUpFirst, commit)
        }
    }

    /// Ends a payment whose outcome is not known: refunds what was charged, or sees to it that nothing will be.
    private func callOff(_ payment: Payment, _ commit: Commit) async throws {
        let (store, orderID) = (store, payment.orderID)
        let outcome = try await provider.preventCharge(of: payment)
        let now = now()
        guard case .captured = outcome else {
            try await commit { transaction in
                let settled = try store.settle(orderID, outcome, at: now, in: transaction)
                // Charged by another delivery meanwhile: this one has to come again and refund.
                guard settled.after.isOver else { throw HandlerError.changedMeanwhile }
            }
            return log(outcome, of: orderID)
        }
        let captured = try await events.write { transaction in
            var payment = try store.settle(orderID, outcome, at: now, in: transaction).after
            let before = payment
            _ = payment.cancel(at: now)
            if payment != before { try store.update(payment, from: before.state, in: transaction) }
            return payment
        }
        log(outcome, of: orderID)
        guard captured.state == .refunding else { throw HandlerError.changedMeanwhile }
        try await refund(captured, lookUpFirst: true, commit)
    }

    // MARK: Refunds

    /// Gives the money back, or finds out that it was done, and records it with the delivery's receipt.
    ///
    /// A refund that takes its time is waited for by timeouts: the delivery itself is done, and whatever comes next for the
    /// order is not held up for days.
    /// - Parameter check: the check that this is; nil where it is none.
    private func refund(
        _ payment: Payment,
        lookUpFirst: Bool,
        after check: RefundCheck? = nil,
        _ commit: Commit
    ) async throws {
        let (store, ledger, now, orderID) = (store, ledger, now(), payment.orderID)
        let outcome = try await provider.refund(payment, lookUpFirst: lookUpFirst)
        if case .pending = outcome, payment.refundID != nil, now - payment.updatedAt > RefundCheck.patience {
            throw HandlerError.permanent(
                "payment.refund-overdue",
                "the provider has had the refund for more than 30 days: find out there what holds it up, then retry"
            )
        }
        let ownParts = try await partsThatAreBack(of: payment, outcome)
        try await commit { [parts] transaction in
            guard var payment = try store.find(orderID, in: transaction) else { throw HandlerError.changedMeanwhile }
            let before = payment.state
            let announcement: Payment.Announcement?
            switch outcome {
            case .done(let refundID):
                for part in ownParts {
                    try parts.settle(orderID, part.number, part.refundID, of: payment, at: now, in: transaction)
                }
                announcement = payment.refund(refundID, at: now)
                if announcement != nil {
                    try ledger.postRest(refundID, of: payment, at: now, in: transaction)
                }
            case .pending(let refundID):
                guard payment.state == .refunding else { return }
                announcement = payment.awaitRefund(refundID, at: now)
                let next = check?.next ?? RefundCheck(orderID: orderID, number: 1)
                try transaction.schedule(next, at: RefundCheck.due(of: payment.updatedAt, now: now), key: next.key)
            }
            guard let announcement else { return }
            try store.update(payment, from: before, in: transaction)
            try transaction.announce(announcement, for: payment.purpose)
        }
        switch outcome {
        case .done: logger.info("Refunded a payment", [LogField("order.id", orderID)])
        case .pending: logger.info("The provider takes its time with a refund", [LogField("order.id", orderID)])
        }
    }

    /// Parts that went back by themselves and have not been heard of when all is back: the rest is booked without them.
    private func partsThatAreBack(
        of payment: Payment,
        _ outcome: ProviderConversation.Refund
    ) async throws -> [(number: Int, refundID: String)] {
        guard case .done = outcome else { return [] }
        let (parts, orderID) = (parts, payment.orderID)
        let open = try await events.write { try parts.all(of: orderID, in: $0) }.filter { $0.state != .refunded }
        var back: [(number: Int, refundID: String)] = []
        for part in open {
            guard let refundID = try await provider.refundID(of: part, of: payment) else { continue }
            back.append((part.number, refundID))
        }
        return back
    }

    /// It is time to ask what became of a refund.
    func refundCheck(_ event: RefundCheck, commit: Commit) async throws {
        let store = store
        let payment = try await events.write { try store.find(event.orderID, in: $0) }
        guard let payment, payment.state == .refunding else { return }
        try await refund(payment, lookUpFirst: true, after: event, commit)
    }

    // MARK: Helpers

    private struct LateCharge: Error {}

    /// Order ids become part of idempotency keys, which have their limits.
    private func check(_ orderID: String) throws {
        let length = PercentEncoding.encode(orderID).utf8.count
        guard (1...Self.longestOrderID).contains(length) else {
            throw HandlerError.permanent("payment.invalid-order-id", "the order id is empty or too long")
        }
    }

    private func log(_ outcome: Payment.Outcome, of orderID: String) {
        let state: Payment.State =
            switch outcome {
            case .captured: .captured
            case .declined: .declined
            case .voided: .voided
            }
        logger.info("Settled a payment", [LogField("order.id", orderID), LogField("payment.state", state.rawValue)])
    }

}

extension PaymentStore {
    /// Lets a payment take the provider's word, writes the change and announces it.
    fileprivate func settle(
        _ orderID: String,
        _ outcome: Payment.Outcome,
        at now: Int64,
        in transaction: Transaction
    ) throws -> (after: Payment, before: Payment.State, isChanged: Bool) {
        guard var payment = try find(orderID, in: transaction) else { throw HandlerError.changedMeanwhile }
        let before = payment.state
        guard let announcement = payment.settle(outcome, at: now) else { return (payment, before, false) }
        try update(payment, from: before, in: transaction)
        try transaction.announce(announcement, for: payment.purpose)
        if case .captured(let paymentID) = outcome {
            try PaymentLedger().post(.charge, paymentID, payment.total, of: payment, at: now, in: transaction)
        }
        return (payment, before, true)
    }
}

extension Transaction {
    /// Appends the event of an announcement.
    func announce(_ announcement: Payment.Announcement, for purpose: Payment.Purpose) throws {
        if let event = announcement.event(for: purpose) { try append(event) }
    }
}

extension Payment {
    /// Whether nothing is left to be done for a cancelled order.
    fileprivate var isOver: Bool {
        switch state {
        case .declined, .voided, .refunded: true
        case .pending, .captured, .refunding: false
        }
    }
}
