import Database
import Messaging
import ServiceKit
import ShopEvents
import Telemetry

/// Takes what happens to orders and charges, lets the pure values decide, and does what they say.
///
/// Every call works in the caller's transaction: what was decided, the ledger and the events commit together or not at all.
/// Orders that ask for no points, of customers whom nobody has made sure of, leave no trace.
struct PointsDesk: Sendable {
    let rate: Earning.Rate
    let logger: Logger
    let ledger = Ledger()
    let orders = OrderPointsStore()
    let charges = ChargeStore()

    // MARK: Orders

    /// An order is accepted.
    func orderAccepted(_ event: OrderAccepted, at now: Int64, in transaction: Transaction) throws {
        guard let points = event.deductions?.points else { return }
        if let spending = try orders.spending(of: event.orderID, in: transaction) {
            guard let change = spending.acceptedAgain() else { return }
            return try carryOut(change, at: now, in: transaction)
        }
        let account = event.customer?.id.map { PointsAccount(customer: $0, currency: event.total.currency) }
        let (spending, change) = Spending.forOrder(
            event.orderID,
            points,
            of: account,
            given: try account.map { try ledger.balance(of: $0, in: transaction) } ?? 0,
            at: now
        )
        try orders.insert(spending, in: transaction)
        try carryOut(change, at: now, in: transaction)
        log(spending, in: transaction)
    }

    /// An order is confirmed: its customer earns points.
    func orderConfirmed(_ event: OrderConfirmed, at now: Int64, in transaction: Transaction) throws {
        if event.deductions?.points != nil {
            let state = try orders.spending(of: event.orderID, in: transaction)?.state
            if state != .spent {
                // Points is older than the order: it was restored from a backup; or the order has ended, and this is late.
                logger.warning(
                    "A confirmed order has not spent its points",
                    [LogField("order.id", event.orderID), LogField("spending.state", state?.rawValue ?? "none")]
                )
            }
            if state == .restored || state == .ended { return }
        }
        guard let customer = event.customer.id, try orders.earning(of: event.orderID, in: transaction) == nil,
            let (earning, posting) = Earning.forOrder(
                event.orderID,
                of: customer,
                event.total,
                less: event.deductions,
                at: rate,
                now: now
            )
        else { return }
        try orders.insert(earning, in: transaction)
        try ledger.write(posting, at: now, in: transaction)
    }

    /// An order is cancelled.
    func orderCancelled(_ event: OrderCancelled, at now: Int64, in transaction: Transaction) throws {
        try orderEnded(
            event.orderID,
            hasPoints: event.deductions?.points != nil,
            canEarn: event.customer.id != nil,
            at: now,
            in: transaction
        )
    }

    /// An order is rejected; such a one is never confirmed, and so has nothing to earn.
    func orderRejected(_ event: OrderRejected, at now: Int64, in transaction: Transaction) throws {
        try orderEnded(
            event.orderID,
            hasPoints: event.deductions?.points != nil,
            canEarn: false,
            at: now,
            in: transaction
        )
    }

    /// What it spent comes back first, and what it earned is taken back from that.
    private func orderEnded(
        _ orderID: String,
        hasPoints: Bool,
        canEarn: Bool,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        if let before = try orders.spending(of: orderID, in: transaction) {
            var spending = before
            if let change = spending.orderEnded(at: now) {
                try orders.update(spending, from: before, in: transaction)
                try carryOut(change, at: now, in: transaction)
                log(spending, in: transaction)
            }
        } else if hasPoints {
            try orders.insert(Spending.tombstone(orderID, at: now), in: transaction)
        }
        if let before = try orders.earning(of: orderID, in: transaction) {
            var earning = before
            let balance = try before.account.map { try ledger.balance(of: $0, in: transaction) } ?? 0
            if let posting = earning.orderEnded(given: balance, at: now) {
                try orders.update(earning, from: before, in: transaction)
                try write(posting, at: now, in: transaction)
            }
        } else if canEarn {
            try orders.insert(Earning.tombstone(orderID, at: now), in: transaction)
        }
    }

    /// Some of an order's lines are cancelled: what they had spent comes back first, and their share of what was earned is taken
    /// back from that.
    func linesCancelled(_ event: OrderLinesCancelled, at now: Int64, in transaction: Transaction) throws {
        let reference = "\(event.orderID)/\(event.number)"
        var (givenBack, takenBack) = (Int64(0), Int64(0))
        if let points = event.points {
            guard let before = try orders.spending(of: event.orderID, in: transaction) else {
                throw HandlerError.permanent(
                    "points.unknown-order",
                    "points are to go back of an order that has spent none here: Points may be restored from a backup"
                )
            }
            var spending = before
            guard let posting = spending.linesCancelled(giving: points, reference, at: now) else {
                throw HandlerError.permanent(
                    "points.other-amount",
                    "\(points) points of order \(event.orderID) are to go back, and it has spent fewer, or they went back already"
                )
            }
            try orders.update(spending, from: before, in: transaction)
            try ledger.write(posting, at: now, in: transaction)
            givenBack = points
        }
        if let before = try orders.earning(of: event.orderID, in: transaction) {
            var earning = before
            let balance = try before.account.map { try ledger.balance(of: $0, in: transaction) } ?? 0
            let cancelled = event.lines.reduce(0) { $0 + $1.unitPrice * Int64($1.quantity) }
            let posting = earning.linesCancelled(
                leaving: event.total.amount,
                of: cancelled,
                reference,
                given: balance,
                at: now
            )
            if let posting {
                try orders.update(earning, from: before, in: transaction)
                try write(posting, at: now, in: transaction)
                takenBack = earning.takenBack - before.takenBack
            }
        }
        guard givenBack > 0 || takenBack > 0 else { return }
        try orders.insertPart(
            reference,
            of: event.orderID,
            givenBack: givenBack,
            takenBack: takenBack,
            in: transaction
        )
    }

    private func carryOut(_ change: Spending.Change, at now: Int64, in transaction: Transaction) throws {
        if let posting = change.posting { try ledger.write(posting, at: now, in: transaction) }
        switch change.announcement {
        case nil: break
        case .spent(let event): try transaction.append(event)
        case .rejected(let event): try transaction.append(event)
        case .restored(let event): try transaction.append(event)
        }
    }

    private func log(_ spending: Spending, in transaction: Transaction) {
        transaction.afterCommit { [logger] in
            logger.info(
                "The points of an order have changed",
                [
                    LogField("order.id", spending.orderID), LogField("spending.state", spending.state.rawValue),
                    LogField("spending.points", spending.points),
                ]
            )
        }
    }

    // MARK: Charges

    /// A customer buys points; Payment is asked to charge for them.
    func request(
        _ charge: Charge,
        paymentMethod: String,
        by caller: String,
        under key: IdempotencyKey?,
        _ stored: ChargeStore.Stored,
        in transaction: Transaction
    ) throws {
        try charges.insert(charge, by: caller, under: key, stored, in: transaction)
        try transaction.append(
            PointsChargeRequested(chargeID: charge.id, total: charge.total, paymentMethod: paymentMethod)
        )
    }

    /// The provider has charged a customer for points.
    ///
    /// - Throws: `HandlerError`, permanent, for a charge that is not there, and for another amount than was asked for: money has
    ///   moved that nobody here has asked for, and somebody has to look.
    func topUpCaptured(_ event: PaymentTopUpCaptured, at now: Int64, in transaction: Transaction) throws {
        guard let before = try charges.find(event.chargeID, in: transaction) else { throw Self.unknownCharge }
        var charge = before
        let outcome = try Self.fitting { () throws(Charge.Mismatch) in try charge.captured(event.total, at: now) }
        if outcome == .unchanged, before.state == .refunded {
            logger.info("Points were captured after their refund", [LogField("charge.id", charge.id)])
        }
        try carryOut(outcome, of: charge, from: before, at: now, in: transaction)
    }

    /// The provider does not charge a customer for points.
    func topUpDeclined(_ event: PaymentTopUpDeclined, at now: Int64, in transaction: Transaction) throws {
        guard let before = try charges.find(event.chargeID, in: transaction) else {
            logger.warning(
                "A charge of points that is not there was declined",
                [LogField("charge.id", event.chargeID)]
            )
            return
        }
        var charge = before
        let outcome = charge.declined(event.reason, at: now)
        try carryOut(outcome, of: charge, from: before, at: now, in: transaction)
    }

    /// What a customer paid for points went back.
    ///
    /// - Throws: `HandlerError`, as `topUpCaptured` does.
    func topUpRefunded(_ event: PaymentTopUpRefunded, at now: Int64, in transaction: Transaction) throws {
        guard let before = try charges.find(event.chargeID, in: transaction) else { throw Self.unknownCharge }
        var charge = before
        let balance = try ledger.balance(of: charge.account, in: transaction)
        let outcome = try Self.fitting { () throws(Charge.Mismatch) in
            try charge.refunded(event.total, given: balance, at: now)
        }
        try carryOut(outcome, of: charge, from: before, at: now, in: transaction)
    }

    private func carryOut(
        _ outcome: Charge.Outcome,
        of charge: Charge,
        from before: Charge,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        guard case .changed(let posting) = outcome else { return }
        try charges.update(charge, from: before, in: transaction)
        if let posting { try write(posting, at: now, in: transaction) }
        transaction.afterCommit { [logger] in
            logger.info(
                "A charge of points has changed",
                [LogField("charge.id", charge.id), LogField("charge.state", charge.state.rawValue)]
            )
        }
    }

    /// Writes a posting, and says what it writes off: a loss of the shop's.
    private func write(_ posting: Posting, at now: Int64, in transaction: Transaction) throws {
        try ledger.write(posting, at: now, in: transaction)
        guard let loss = posting.entries.first(where: { $0.book == .writtenOff }) else { return }
        transaction.afterCommit { [logger] in
            logger.warning(
                "Points that were to be taken back had been spent, and are written off",
                [
                    LogField("posting.reference", posting.reference), LogField("posting.kind", posting.kind.rawValue),
                    LogField("posting.points", -loss.points),
                    LogField("posting.currency", posting.account.currency),
                ]
            )
        }
    }

    private static func fitting<Result>(_ body: () throws(Charge.Mismatch) -> Result) throws -> Result {
        do throws(Charge.Mismatch) {
            return try body()
        } catch {
            throw HandlerError.permanent(
                "points.other-amount",
                "Payment says \(error.said.amount) \(error.said.currency), which is not what was to be charged"
            )
        }
    }

    private static var unknownCharge: HandlerError {
        .permanent("points.unknown-charge", "there is no such charge: money has moved that nobody here has asked for")
    }
}
