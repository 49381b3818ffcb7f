import Database
import Messaging
import ShopEvents
import Telemetry

/// Takes what happens to redemptions, lets the pure values decide, and does what they say.
///
/// Every call is one visit in the caller's transaction: what was decided, the coupon, the timeouts, those that waited and the
/// events commit together or not at all.
struct RedemptionDesk: Sendable {
    let terms: Redemption.Terms
    let logger: Logger
    /// How many that wait one transaction looks at; the others follow in transactions of their own.
    var waitingAtOnce = 200
    private let store = RedemptionStore()
    private let coupons = CouponStore()

    init(terms: Redemption.Terms, logger: Logger) {
        self.terms = terms
        self.logger = logger
    }

    // MARK: Orders

    /// An order that asks for a coupon is placed.
    func orderPlaced(_ orderID: String, _ wish: Redemption.Wish, at now: Int64, in transaction: Transaction) throws {
        if let redemption = try store.find(orderID, in: transaction) {
            guard let change = redemption.placedAgain() else { return }
            return try announce(change, in: transaction)
        }
        let coupon = try coupons.find(wish.coupon, in: transaction)
        let (redemption, change) = Redemption.forOrder(orderID, wish, given: coupon, terms, at: now)
        try store.insert(redemption, in: transaction)
        try carryOut(change, of: redemption, from: nil, on: coupon, at: now, in: transaction)
    }

    /// An order that asked for a coupon is confirmed.
    func orderConfirmed(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        guard let redemption = try store.find(orderID, in: transaction) else {
            // From before Coupon was there, or Coupon is older than the order: it was restored from a backup.
            logger.warning("A confirmed order has no redemption", [LogField("order.id", orderID)])
            return
        }
        if redemption.state == .rejected || redemption.state == .released {
            logger.warning(
                "A confirmed order has no coupon",
                [LogField("order.id", orderID), LogField("redemption.state", redemption.state.rawValue)]
            )
        }
        try move(redemption, at: now, in: transaction) { $0.orderConfirmed(given: $1, at: now) }
    }

    /// An order that asked for a coupon is cancelled or rejected.
    func orderEnded(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        guard let redemption = try store.find(orderID, in: transaction) else {
            let tombstone = Redemption.tombstone(orderID, at: now)
            try store.insert(tombstone, in: transaction)
            return log(tombstone, in: transaction)
        }
        try move(redemption, at: now, in: transaction) { redemption, _ in redemption.orderEnded(at: now) }
    }

    // MARK: Timeouts

    /// A redemption was to be confirmed by now.
    func expiryDue(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        guard let redemption = try store.find(orderID, in: transaction) else { return }
        try move(redemption, at: now, in: transaction) { redemption, _ in redemption.expire(at: now) }
    }

    /// A redemption has waited as long as it may.
    func waitOver(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        guard let redemption = try store.find(orderID, in: transaction) else { return }
        try move(redemption, at: now, in: transaction) { $0.waitIsOver(given: $1, terms, at: now) }
    }

    /// More wait for a coupon than were looked at.
    func waitingRedemptionsDue(_ coupon: String, at now: Int64, in transaction: Transaction) throws {
        try serveWaiting(for: coupon, at: now, in: transaction)
    }

    // MARK: What comes of it

    private func move(
        _ before: Redemption,
        at now: Int64,
        in transaction: Transaction,
        _ transition: (inout Redemption, Coupon?) -> Redemption.Change?
    ) throws {
        let coupon = try before.wish.flatMap { try coupons.find($0.coupon, in: transaction) }
        var redemption = before
        guard let change = transition(&redemption, coupon) else { return }
        try write(redemption, change, from: before, on: coupon, at: now, in: transaction)
    }

    private func write(
        _ redemption: Redemption,
        _ change: Redemption.Change,
        from before: Redemption,
        on coupon: Coupon?,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        try store.update(redemption, from: before.state, in: transaction)
        try carryOut(change, of: redemption, from: before, on: coupon, at: now, in: transaction)
    }

    private func carryOut(
        _ change: Redemption.Change,
        of redemption: Redemption,
        from before: Redemption?,
        on coupon: Coupon?,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        try transaction.moveDeadline(of: redemption, from: before)
        try announce(change, in: transaction)
        log(redemption, in: transaction)
        guard let move = change.move, var coupon else { return }
        coupon.apply(move, for: redemption.orderID, at: now)
        try coupons.update(coupon, from: move.before, in: transaction)
        // What is promised is no news to those that wait.
        guard move != .reserve else { return }
        try serveWaiting(for: coupon.id, at: now, in: transaction)
    }

    /// Tries those that wait for a coupon, oldest first, until one has it; when it is used, all are told.
    private func serveWaiting(for coupon: String, at now: Int64, in transaction: Transaction) throws {
        var left = waitingAtOnce
        while let next = try store.firstWaiting(for: coupon, in: transaction) {
            guard left > 0 else {
                let turn = WaitingRedemptionsDue(coupon: coupon)
                return try transaction.schedule(turn, at: now, key: turn.key)
            }
            left -= 1
            var redemption = next
            let found = try coupons.find(coupon, in: transaction)
            guard let change = redemption.reconsider(given: found, terms, at: now) else { return }
            try write(redemption, change, from: next, on: found, at: now, in: transaction)
        }
    }

    private func announce(_ change: Redemption.Change, in transaction: Transaction) throws {
        switch change.announcement {
        case nil: break
        case .redeemed(let event): try transaction.append(event)
        case .rejected(let event): try transaction.append(event)
        case .confirmed(let event): try transaction.append(event)
        case .released(let event): try transaction.append(event)
        }
    }

    private func log(_ redemption: Redemption, in transaction: Transaction) {
        transaction.afterCommit { [logger] in
            var fields = [
                LogField("order.id", redemption.orderID), LogField("redemption.state", redemption.state.rawValue),
            ]
            if let wish = redemption.wish { fields.append(LogField("coupon.id", wish.coupon)) }
            if let reason = redemption.reason { fields.append(LogField("redemption.reason", reason.rawValue)) }
            logger.info("A redemption has changed", fields)
        }
    }
}
