import Database
import Messaging
import ShopEvents
import Telemetry

/// Takes what happens to reservations and stock, lets the pure values decide, and does what they say.
///
/// Every call is one visit in the caller's transaction: what was decided, the stock, the movements, the timeouts and the events
/// commit together or not at all.
struct Stockroom: Sendable {
    /// What a shop sets.
    struct Rules: Sendable, Equatable {
        /// How long orders keep what is reserved and wait for it.
        var terms: Reservation.Terms
        /// Up to how many are a few.
        var low: Int
    }

    let rules: Rules
    let logger: Logger
    /// How many that wait one transaction looks at; the others follow in transactions of their own.
    var waitingAtOnce = 200

    // MARK: Orders

    /// An order is placed.
    func orderPlaced(_ orderID: String, _ lines: [Reservation.Line], at now: Int64, in transaction: Transaction) throws
    {
        try visit(at: now, in: transaction) { visit in
            if let stored = try visit.find(orderID, of: .order) {
                guard let change = stored.reservation.placedAgain() else { return }
                return try visit.announce(change)
            }
            let (reservation, change) = Reservation.forOrder(
                orderID,
                lines,
                given: try visit.stocks(of: lines),
                rules.terms,
                at: now
            )
            try visit.add(reservation, change)
        }
    }

    /// An order is confirmed.
    func orderConfirmed(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(orderID, of: .order) else {
                // From before Inventory was there, or Inventory is older than the order: it was restored from a backup.
                logger.warning("A confirmed order has no reservation", [LogField("order.id", orderID)])
                return
            }
            var reservation = stored.reservation
            if reservation.state == .rejected || reservation.state == .released {
                logger.warning(
                    "A confirmed order has no stock",
                    [LogField("order.id", orderID), LogField("reservation.state", reservation.state.rawValue)]
                )
            }
            let stocks = try visit.stocks(of: reservation.lines)
            guard let change = reservation.orderConfirmed(given: stocks, at: now) else { return }
            try visit.write(reservation, change, from: stored)
        }
    }

    /// An order is cancelled or rejected.
    func orderEnded(_ orderID: String, at now: Int64, in transaction: Transaction) throws {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(orderID, of: .order) else {
                return try visit.add(.tombstone(orderID, .order, at: now), Reservation.Change())
            }
            var reservation = stored.reservation
            guard let change = reservation.orderEnded(at: now) else { return }
            try visit.write(reservation, change, from: stored)
        }
    }

    /// Some of an order's lines are cancelled.
    func linesCancelled(
        _ orderID: String,
        _ lines: [Reservation.Line],
        at now: Int64,
        in transaction: Transaction
    ) throws {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(orderID, of: .order) else {
                logger.warning("An order without a reservation has lines cancelled", [LogField("order.id", orderID)])
                return
            }
            var reservation = stored.reservation
            guard let change = reservation.linesCancelled(lines, at: now) else { return }
            try visit.write(reservation, change, from: stored)
        }
    }

    // MARK: Timeouts

    /// A reservation was to be confirmed by now.
    func expiryDue(_ id: String, of owner: Reservation.Owner, at now: Int64, in transaction: Transaction) throws {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(id, of: owner) else { return }
            var reservation = stored.reservation
            guard let change = reservation.expire(at: now) else { return }
            try visit.write(reservation, change, from: stored)
        }
    }

    /// A reservation has waited as long as it may.
    func waitOver(_ id: String, at now: Int64, in transaction: Transaction) throws {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(id, of: .order) else { return }
            var reservation = stored.reservation
            let stocks = try visit.stocks(of: reservation.lines)
            guard let change = reservation.waitIsOver(given: stocks, rules.terms, at: now) else { return }
            try visit.write(reservation, change, from: stored)
        }
    }

    /// More wait for a product than were looked at.
    func waitingLineDue(_ sku: String, after number: Int64, at now: Int64, in transaction: Transaction) throws {
        try visit(at: now, in: transaction) { visit in try visit.lookAtLine(of: sku, after: number) }
    }

    // MARK: Clients

    /// A client tries to reserve.
    ///
    /// - Returns: the reservation, and whether this try has made it.
    /// - Throws: `Reservation.Refusal`.
    func reserve(
        _ id: String,
        _ lines: [Reservation.Line],
        for time: Int64,
        at now: Int64,
        in transaction: Transaction
    ) throws -> (Reservation, isNew: Bool) {
        try visit(at: now, in: transaction) { visit in
            if let stored = try visit.find(id, of: .client) {
                try stored.reservation.triedAgain(lines)
                return (stored.reservation, false)
            }
            let (reservation, change) = try Reservation.forClient(
                id,
                lines,
                given: try visit.stocks(of: lines),
                for: time,
                at: now
            )
            try visit.add(reservation, change)
            return (reservation, true)
        }
    }

    /// A client confirms.
    ///
    /// - Returns: the reservation; nil where there is none.
    /// - Throws: `Reservation.Refusal`.
    func confirm(_ id: String, at now: Int64, in transaction: Transaction) throws -> Reservation? {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(id) else { return nil }
            var reservation = stored.reservation
            guard let change = try reservation.confirm(at: now) else { return reservation }
            try visit.write(reservation, change, from: stored)
            return reservation
        }
    }

    /// A client cancels; where there is nothing to cancel, what comes late is refused.
    ///
    /// - Throws: `Reservation.Refusal`.
    func cancel(_ id: String, at now: Int64, in transaction: Transaction) throws -> Reservation {
        try visit(at: now, in: transaction) { visit in
            guard let stored = try visit.find(id) else {
                let tombstone = Reservation.tombstone(id, .client, at: now)
                try visit.add(tombstone, Reservation.Change())
                return tombstone
            }
            var reservation = stored.reservation
            guard let change = try reservation.cancel(at: now) else { return reservation }
            try visit.write(reservation, change, from: stored)
            return reservation
        }
    }

    // MARK: Stock

    /// More or fewer of a product lie there than before.
    ///
    /// - Returns: the product as it is now, those that waited included; nil where there is none.
    /// - Throws: `NotFree`.
    func adjust(_ sku: String, by change: Int, at now: Int64, in transaction: Transaction) throws -> Product? {
        try visit(at: now, in: transaction) { visit in
            guard try visit.adjust(sku, by: change) else { return nil }
            // Those that wait come first; the answer says what is left.
            try visit.close()
            return visit.products[sku]
        }
    }

    /// What is reserved cannot be taken away.
    struct NotFree: Error, Equatable {
        /// How many can.
        let available: Int
    }

    private func visit<Result>(
        at now: Int64,
        in transaction: Transaction,
        _ body: (inout StockroomVisit) throws -> Result
    ) throws -> Result {
        var visit = StockroomVisit(self, at: now, in: transaction)
        let result = try body(&visit)
        try visit.close()
        return result
    }
}
