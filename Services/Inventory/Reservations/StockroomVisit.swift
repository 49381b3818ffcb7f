import Database
import Messaging
import ShopEvents
import Telemetry

/// One transaction's work in the stockroom: each product is read once and written once, at the end, after those that wait have
/// been looked at.
struct StockroomVisit {
    private let room: Stockroom
    private let transaction: Transaction
    private let now: Int64
    private let store = ReservationStore()
    private let productStore = ProductStore()
    private let movements = StockMovements()

    /// The products that were read, as they are now.
    private(set) var products: [String: Product] = [:]
    /// The names that were looked up and are no product's.
    private var unknown: Set<String> = []
    /// The products whose stock has moved.
    private var moved: Set<String> = []
    /// The products of which more can be reserved than before.
    private var freed: Set<String> = []
    /// The products of which fewer lie there than before.
    private var shrunk: Set<String> = []
    /// Where the look along the line begins: behind those that were looked at before.
    private var lookedAt: Int64 = 0

    init(_ room: Stockroom, at now: Int64, in transaction: Transaction) {
        self.room = room
        self.now = now
        self.transaction = transaction
    }

    // MARK: Reading

    func find(_ id: String, of owner: Reservation.Owner) throws -> ReservationStore.Stored? {
        try store.find(id, of: owner, in: transaction)
    }

    /// Whosever it is.
    func find(_ id: String) throws -> ReservationStore.Stored? { try store.find(id, in: transaction) }

    /// The stock of those products that exist.
    mutating func stocks(of lines: [Reservation.Line]) throws -> [String: Stock] {
        var stocks: [String: Stock] = [:]
        for line in lines { stocks[line.sku] = try product(line.sku)?.stock }
        return stocks
    }

    private mutating func product(_ sku: String) throws -> Product? {
        if let product = products[sku] { return product }
        guard !unknown.contains(sku) else { return nil }
        guard let product = try productStore.find(sku, in: transaction) else {
            unknown.insert(sku)
            return nil
        }
        products[sku] = product
        return product
    }

    // MARK: Writing

    /// Adds a reservation, and does what its beginning asks for.
    mutating func add(_ reservation: Reservation, _ change: Reservation.Change) throws {
        try store.insert(reservation, in: transaction)
        try carryOut(change, of: reservation, from: nil)
    }

    /// Writes a reservation, and does what its change asks for.
    mutating func write(
        _ reservation: Reservation,
        _ change: Reservation.Change,
        from before: ReservationStore.Stored
    ) throws {
        try store.update(reservation, from: before, in: transaction)
        try carryOut(change, of: reservation, from: before.reservation)
    }

    private mutating func carryOut(
        _ change: Reservation.Change,
        of reservation: Reservation,
        from before: Reservation?
    ) throws {
        try transaction.moveDeadline(of: reservation, from: before)
        if let move = change.move {
            try carryOut(move, change.lines ?? reservation.lines, reference: reservation.id)
        }
        try announce(change)
        log(reservation)
    }

    private mutating func carryOut(_ move: StockMove, _ lines: [Reservation.Line], reference: String) throws {
        for line in lines {
            // No product is ever removed: what was reserved of it is there.
            guard var product = try product(line.sku) else { continue }
            product.stock.apply(move, line.quantity)
            products[line.sku] = product
            note(line.sku, givesBack: move.givesBack, takesAway: move.takesAway)
            guard move.onHand != 0 else { continue }
            try movements.append(
                move == .putBack ? .returned : .confirmed,
                of: move.onHand * line.quantity,
                line.sku,
                reference: reference,
                at: now,
                in: transaction
            )
        }
    }

    /// Goods came in, were lost or counted; the movement is the caller's to write.
    ///
    /// - Returns: false where there is no such product.
    /// - Throws: `Stockroom.NotFree`.
    mutating func adjust(_ sku: String, by change: Int) throws -> Bool {
        guard var product = try product(sku) else { return false }
        guard product.stock.adjust(by: change) else {
            throw Stockroom.NotFree(available: product.stock.available)
        }
        products[sku] = product
        note(sku, givesBack: change > 0, takesAway: change < 0)
        return true
    }

    private mutating func note(_ sku: String, givesBack: Bool, takesAway: Bool) {
        moved.insert(sku)
        if givesBack { freed.insert(sku) }
        if takesAway { shrunk.insert(sku) }
    }

    /// Says what a change has to say.
    func announce(_ change: Reservation.Change) throws {
        switch change.announcement {
        case nil: break
        case .reserved(let event): try transaction.append(event)
        case .rejected(let event): try transaction.append(event)
        case .confirmed(let event): try transaction.append(event)
        case .released(let event): try transaction.append(event)
        }
    }

    private func log(_ reservation: Reservation) {
        transaction.afterCommit { [logger = room.logger] in
            var fields = [
                LogField("reservation.id", reservation.id),
                LogField("reservation.owner", reservation.owner.rawValue),
                LogField("reservation.state", reservation.state.rawValue),
            ]
            if let reason = reservation.reason { fields.append(LogField("reservation.reason", reason.rawValue)) }
            logger.info("A reservation has changed", fields)
        }
    }

    // MARK: Those that wait

    /// Looks at the line of a product once more, behind those that were looked at before.
    mutating func lookAtLine(of sku: String, after number: Int64) throws {
        guard try product(sku) != nil else { return }
        freed.insert(sku)
        shrunk.insert(sku)
        lookedAt = number
    }

    /// Tries those that wait for what was freed, oldest first, and rejects those whose hope is gone.
    ///
    /// No change of theirs frees anything, so one look along the line is enough.
    private mutating func serveWaiting() throws {
        var left = room.waitingAtOnce
        for sku in shrunk.sorted() {
            while let next = try store.firstWaiting(for: sku, moreThan: onHand(sku), in: transaction) {
                guard left > 0 else {
                    try goOnLater(with: sku)
                    break
                }
                left -= 1
                guard try reconsider(next) else { break }
            }
        }
        while let next = try oldestWaiting() {
            guard left > 0 else {
                for sku in freed.sorted() { try goOnLater(with: sku) }
                break
            }
            left -= 1
            lookedAt = next.number
            _ = try reconsider(next)
        }
        freed = []
        shrunk = []
    }

    /// - Returns: whether it waits no more.
    private mutating func reconsider(_ stored: ReservationStore.Stored) throws -> Bool {
        var reservation = stored.reservation
        let stocks = try stocks(of: reservation.lines)
        guard let change = reservation.reconsider(given: stocks, room.rules.terms, at: now) else { return false }
        try write(reservation, change, from: stored)
        return true
    }

    /// The oldest that has not been looked at and for which enough of a freed product is free.
    private func oldestWaiting() throws -> ReservationStore.Stored? {
        var oldest: ReservationStore.Stored?
        for sku in freed {
            let free = products[sku]?.stock.available ?? 0
            guard free > 0 else { continue }
            let next = try store.firstWaiting(for: sku, atMost: free, after: lookedAt, in: transaction)
            if let next, oldest.map({ next.number < $0.number }) ?? true { oldest = next }
        }
        return oldest
    }

    private func onHand(_ sku: String) -> Int { products[sku]?.stock.onHand ?? 0 }

    private func goOnLater(with sku: String) throws {
        let turn = WaitingLineDue(sku: sku, after: lookedAt)
        try transaction.schedule(turn, at: now, key: turn.key)
    }

    // MARK: The end

    /// Looks at those that wait, writes the products that moved, and says the levels that changed; a second time there is nothing
    /// left to do.
    mutating func close() throws {
        try serveWaiting()
        for sku in moved.sorted() {
            guard var product = products[sku] else { continue }
            let level = product.levelToSay(low: room.rules.low)
            product.updatedAt = now
            products[sku] = product
            try productStore.updateStock(of: product, in: transaction)
            if let level { try transaction.append(level) }
        }
        moved = []
    }
}
