import Database
import Events
import HTTP
import Messaging
import ShopEvents
import Telemetry

/// What Payment does when the provider says that something has happened: it looks, and takes what it sees.
///
/// A notice is never believed, only followed; so it may be late, doubled, out of order or made up, and comes to the same. What it finds
/// goes the ways of `Payment` like every other answer, each transaction reading the row again. It charges nothing and refunds
/// nothing, but for a charge that came to light after its payment had ended.
struct NoticeHandlers: Sendable {
    private let events: EventStore
    private let books: any ProviderBooks
    private let provider: any PaymentProvider
    /// Whose refunds are made and waited for.
    private let payments: PaymentHandlers
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let store = PaymentStore()
    private let parts = PartRefundStore()
    private let ledger = PaymentLedger()

    init(
        events: EventStore,
        books: any ProviderBooks,
        provider: any PaymentProvider,
        payments: PaymentHandlers,
        logger: Logger,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.events = events
        self.books = books
        self.provider = provider
        self.payments = payments
        self.logger = logger
        self.now = now
    }

    /// Subscribes.
    func register(on subscriber: Subscriber) {
        subscriber.on(ProviderNotice.self) { notice, delivery in
            try await noticed(notice) { try await delivery.commit($0) }
        }
    }

    /// Looks at what a notice is about.
    func noticed(_ notice: ProviderNotice, commit: PaymentHandlers.Commit) async throws {
        do {
            guard let payment = try await payment(of: notice) else { return }
            if let dispute = notice.dispute { try await contested(dispute, payment) }
            switch payment.state {
            case .pending, .declined, .voided:
                try await settle(payment, notice.intent, commit)
            case .captured, .refunding, .refunded:
                guard !notice.isOfCharge, let paymentID = payment.paymentID else { return }
                try await look(at: payment, paymentID)
            }
        } catch let failure as ProviderFailure {
            throw failure.noticeError
        }
    }

    /// The payment that a notice is about; nil where it is none of this shop's.
    private func payment(of notice: ProviderNotice) async throws -> Payment? {
        let store = store
        if let payment = try await events.write({ try store.find(paymentID: notice.intent, in: $0) }) { return payment }
        guard let orderID = try await books.order(ofIntent: notice.intent) else {
            logger.info("The provider tells of an intent that is not the shop's", fields(of: notice))
            return nil
        }
        if let payment = try await events.write({ try store.find(orderID, in: $0) }) { return payment }
        // The row is committed before the provider is asked: so this is another database, or another shop's intent.
        throw HandlerError.transient(
            "payment.unknown-payment",
            "the provider has an intent of an order that has no payment here"
        )
    }

    private func fields(of notice: ProviderNotice) -> [LogField] {
        [LogField("provider.event", notice.eventID), LogField("provider.event.type", notice.what)]
    }

    // MARK: Charges

    /// A payment whose charge is not known of, or had not been made.
    private func settle(_ payment: Payment, _ intent: String, _ commit: PaymentHandlers.Commit) async throws {
        guard payment.charge != nil else { return }
        var status = try await books.charge(of: payment, intent: intent)
        if payment.state == .pending, status == .canceled || status.isDecline {
            // Another intent of the order may be paid: one that failed says nothing of it.
            let best = try await provider.lookUpCharge(of: payment)
            if best.isPaidOrMayBe { status = best }
        }
        let outcome: Payment.Outcome
        switch (status, payment.state) {
        case (.captured(let paymentID), _): outcome = .captured(paymentID: paymentID)
        case (.declined(let reason), .pending): outcome = .declined(reason: reason)
        case (.canceled, .pending): outcome = .voided
        default: return
        }
        try await payments.take(outcome, of: payment, commit)
    }

    // MARK: Refunds

    /// A payment that is charged: whether its money is back, and whether what went back has come again.
    private func look(at payment: Payment, _ paymentID: String) async throws {
        let refunds = try await books.refunds(of: payment, paymentID: paymentID)
        let back = refunds.filter(\.hasMoved).reduce(0) { $0 + $1.money.amount }
        guard back <= payment.total.amount else {
            throw ProviderFailure.contradiction("more is refunded than was charged")
        }
        let isWhole = back == payment.total.amount
        let (store, parts, ledger, now) = (store, parts, ledger, now())
        let (after, own) = try await events.write { transaction in
            guard var payment = try store.find(payment.orderID, in: transaction) else {
                throw HandlerError.changedMeanwhile
            }
            let own = try parts.all(of: payment.orderID, in: transaction)
            for part in own where part.state == .pending {
                guard let refund = refunds.first(where: { $0.id == part.refundID }), refund.hasMoved else { continue }
                try parts.settle(part.orderID, part.number, refund.id, of: payment, at: now, in: transaction)
            }
            try ledger.post(refunds, of: payment, at: now, in: transaction)
            let before = payment.state
            if isWhole, let last = refunds.first(where: \.hasMoved),
                let announcement = payment.foundRefunded(last.id, at: now)
            {
                try store.update(payment, from: before, in: transaction)
                try transaction.announce(announcement, for: payment.purpose)
            }
            return (payment, own)
        }
        let owed = own.reduce(0) { $0 + $1.money.amount }
        let failed = Set(refunds.lazy.filter(\.hasFailed).map(\.id))
        let hasFailedPart = own.contains { part in part.refundID.map(failed.contains) ?? false }
        let isUnderWay = refunds.contains { $0.standing == .notMoved }
        switch after.state {
        case .refunding, .refunded:
            guard !isWhole, !isUnderWay, refunds.contains(where: \.hasFailed) else { return }
            // Order and customer have been told that the money is back, or will be: nothing un-tells it, a person makes it true.
            throw HandlerError.permanent(
                "payment.refund-failed",
                "a refund has failed, also where it had succeeded before: refund it at the provider, then retry"
            )
        case .captured where hasFailedPart && !isUnderWay && back < owed:
            throw HandlerError.permanent(
                "payment.refund-failed",
                "the refund of a partial cancellation has failed, also where it had succeeded before: refund it at the provider, then "
                    + "retry"
            )
        case .captured where back > owed:
            logger.warning(
                "A part of a payment was refunded at the provider",
                [
                    LogField("order.id", payment.orderID), LogField("payment.refunded", back),
                    LogField("payment.currency", payment.total.currency),
                ]
            )
        default: return
        }
    }

    // MARK: Disputes

    private func contested(_ id: String, _ payment: Payment) async throws {
        guard let dispute = try await books.find(.dispute, id), let state = DisputeState(dispute) else { return }
        guard dispute.intent == payment.paymentID else {
            throw payment.paymentID == nil
                ? HandlerError.transient("payment.outcome-unknown", "a charge is disputed that is not known of yet")
                : HandlerError.permanent("payment.provider-contradiction", "the dispute is about another charge")
        }
        let (store, ledger, now) = (store, ledger, now())
        let isNews = try await events.write { transaction in
            guard var payment = try store.find(payment.orderID, in: transaction) else {
                throw HandlerError.changedMeanwhile
            }
            let disputes = ContestStore()
            let known = try disputes.find(id, in: transaction)
            var contest =
                known
                ?? Contest(
                    id: id,
                    orderID: payment.orderID,
                    reason: dispute.reason ?? "general",
                    total: dispute.money,
                    state: state
                )
            guard contest.take(state) || known == nil else { return false }
            try disputes.save(contest, at: now, in: transaction)
            try ledger.post(.dispute, id, contest.total, of: payment, at: now, in: transaction)
            if let kind = contest.state.posting {
                try ledger.post(kind, id, contest.total, of: payment, at: now, in: transaction)
            }
            guard payment.purpose == .points else {
                try transaction.append(contest.announcement)
                return true
            }
            // Points hears of money that is gone, and of nothing before.
            let before = payment.state
            if contest.state == .lost, contest.total == payment.total,
                let announcement = payment.foundRefunded(id, at: now)
            {
                try store.update(payment, from: before, in: transaction)
                try transaction.announce(announcement, for: payment.purpose)
            }
            return true
        }
        guard isNews else { return }
        logger.warning(
            "A payment is disputed",
            [
                LogField("order.id", payment.orderID), LogField("dispute.id", id),
                LogField("dispute.state", state.rawValue),
            ]
        )
    }
}

extension DisputeState {
    /// Where a dispute stands; nil for a bank's question, by which no money has moved.
    fileprivate init?(_ dispute: ProviderObject) {
        switch dispute.status {
        case "won": self = .won
        case "lost": self = .lost
        case let status where status.hasPrefix("warning_"): return nil
        default: self = .opened
        }
    }

    /// What is booked of the bank's decision.
    fileprivate var posting: PaymentLedger.Kind? {
        switch self {
        case .opened: nil
        case .won: .disputeWon
        case .lost: .disputeLost
        }
    }
}

extension ChargeStatus {
    fileprivate var isDecline: Bool {
        if case .declined = self { true } else { false }
    }

    fileprivate var isPaidOrMayBe: Bool {
        switch self {
        case .captured, .processing: true
        case .none, .open, .declined, .canceled: false
        }
    }
}

extension ProviderFailure {
    /// What a look that failed means for the notice: there is nothing to repeat but the look.
    fileprivate var noticeError: HandlerError {
        switch kind {
        case .unknown, .lookUp, .atWork: .transient(errorClass, reason)
        case .refused, .contradiction: .permanent(errorClass, reason)
        }
    }
}
