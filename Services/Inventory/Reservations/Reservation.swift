import ShopEvents
import Telemetry

/// Stock that is kept for an order, or for a client over HTTP: the aggregate of this service, a pure value.
///
/// It has all its lines or none. Transitions take what happened, with the stock and the time where the answer depends on
/// them, and answer with what becomes of the stock and the event that tells of it; whoever calls does the input and output.
///
///     placed ──free──▶ held ──order confirmed──▶ confirmed ──order ended──▶ released
///      │ │              ▲ │ └──────────order ended────────────────────────────▲ ▲
///      │ └─locked─▶ waiting──────────────────────────order ended────────────────┘
///      │              │   └──in time not──▶ expired ──confirmed, free─▶ confirmed
///      └──short──▶ rejected ◀──confirmed, gone──┘
///
/// A waiting one is rejected too, when its wait is over or its hope is gone. What is kept of a cancellation that comes before
/// its reservation is `released` without lines: it refuses the reservation that comes late.
struct Reservation: Sendable, Equatable {
    /// Where the reservation stands.
    enum State: String, Sendable, Codable, CaseIterable {
        /// Others have reserved the last pieces; they may give them back in time.
        case waiting
        /// Its pieces are promised to it, for a time.
        case held
        /// Its pieces have left for good.
        case confirmed
        /// Given back, or given up before anything was promised.
        case released
        /// Not confirmed in time; its pieces are free again.
        case expired
        /// There was nothing to promise.
        case rejected
    }

    /// Whose it is.
    enum Owner: String, Sendable, Codable, CaseIterable {
        /// An order's, made and ended by events; its id is the order's.
        case order
        /// A back end's, made and ended over HTTP.
        case client
    }

    /// Why it ended, as others read it.
    enum Reason: String, Sendable, Codable, CaseIterable {
        case outOfStock = "out-of-stock"
        case stockLocked = "stock-locked"
        case unknownProduct = "unknown-product"
        case reservationExpired = "reservation-expired"
        case orderEnded = "order-ended"
        case expired
        case cancelled
    }

    /// So many of one product.
    struct Line: Sendable, Equatable, Codable {
        let sku: String
        let quantity: Int

        /// Each product once, in the order in which they are first named.
        static func addedUp(_ lines: [Line]) -> [Line] {
            var places: [String: Int] = [:]
            var result: [Line] = []
            for line in lines {
                if let place = places[line.sku] {
                    result[place] = Line(sku: line.sku, quantity: result[place].quantity + line.quantity)
                } else {
                    places[line.sku] = result.count
                    result.append(line)
                }
            }
            return result
        }
    }

    /// How long orders keep and wait, in milliseconds.
    struct Terms: Sendable, Equatable {
        let keep: Int64
        let wait: Int64
    }

    /// What a transition asks of whoever called.
    struct Change: Sendable, Equatable {
        /// What becomes of the stock of each line.
        var move: StockMove?
        /// Which lines that concerns; nil for all that the reservation has.
        var lines: [Line]?
        /// What others are to hear.
        var announcement: Announcement?
    }

    /// What others hear of an order's reservation; of a client's they hear nothing.
    enum Announcement: Sendable, Equatable {
        case reserved(StockReserved)
        case rejected(StockRejected)
        case confirmed(StockConfirmed)
        case released(StockReleased)
    }

    /// Why a client's request is refused; the reservation stays what it was.
    enum Refusal: Error, Equatable {
        /// There are no such products.
        case unknown([String])
        /// There are not enough of these free.
        case outOfStock([String])
        /// It has ended: it was cancelled, or not confirmed in time.
        case ended(State)
        /// It is confirmed: nothing can be given back.
        case confirmed
        /// The id is that of another reservation.
        case otherLines
        /// It is an order's, which alone moves it.
        case ofOrder
    }

    /// When something happens by itself.
    struct Deadline: Sendable, Equatable {
        enum Kind: String, Sendable, CaseIterable {
            /// A held reservation expires.
            case expiry
            /// A waiting one gives up.
            case wait
        }

        let kind: Kind
        /// Milliseconds since 1970.
        let at: Int64
    }

    let id: String
    let owner: Owner
    /// Each product once.
    private(set) var lines: [Line]
    private(set) var state: State
    private(set) var reason: Reason?
    /// When it ends, or ended, by itself: milliseconds since 1970.
    private(set) var expiresAt: Int64
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// Restores a reservation from its store.
    init(
        id: String,
        owner: Owner,
        lines: [Line],
        state: State,
        reason: Reason?,
        expiresAt: Int64,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.id = id
        self.owner = owner
        self.lines = lines
        self.state = state
        self.reason = reason
        self.expiresAt = expiresAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// What happens by itself unless something else comes first.
    var deadline: Deadline? {
        switch state {
        case .waiting: Deadline(kind: .wait, at: expiresAt)
        case .held: Deadline(kind: .expiry, at: expiresAt)
        case .confirmed, .released, .expired, .rejected: nil
        }
    }

    /// Whether it only remembers that it was cancelled before it was made.
    var isTombstone: Bool { state == .released && lines.isEmpty }
}

// MARK: Beginnings

extension Reservation {
    /// An order asks for its lines.
    ///
    /// - Parameters:
    ///   - lines: as the order has them; those of one product are added up.
    ///   - stocks: the stock of each of them that exists.
    static func forOrder(
        _ orderID: String,
        _ lines: [Line],
        given stocks: [String: Stock],
        _ terms: Terms,
        at now: Int64
    ) -> (reservation: Reservation, change: Change) {
        var reservation = Reservation(
            id: orderID,
            owner: .order,
            lines: Line.addedUp(lines),
            state: .waiting,
            reason: nil,
            expiresAt: now + terms.wait,
            createdAt: now,
            updatedAt: now
        )
        let change = reservation.reconsider(given: stocks, terms, at: now) ?? Change()
        return (reservation, change)
    }

    /// A client tries to reserve; it does not wait.
    ///
    /// - Throws: `Refusal.unknown` or `.outOfStock`; there is no reservation then, and it can be tried again.
    static func forClient(
        _ id: String,
        _ lines: [Line],
        given stocks: [String: Stock],
        for time: Int64,
        at now: Int64
    ) throws(Refusal) -> (reservation: Reservation, change: Change) {
        let lines = Line.addedUp(lines)
        switch Availability(of: lines, given: stocks) {
        case .free: break
        case .locked(let skus):
            throw .outOfStock(skus)
        case .short:
            throw .outOfStock(lines.filter { (stocks[$0.sku]?.available ?? 0) < $0.quantity }.map(\.sku))
        case .unknown(let skus):
            throw .unknown(skus)
        }
        let reservation = Reservation(
            id: id,
            owner: .client,
            lines: lines,
            state: .held,
            reason: nil,
            expiresAt: now + time,
            createdAt: now,
            updatedAt: now
        )
        return (reservation, Change(move: .reserve))
    }

    /// What is left of a cancellation that comes before its reservation.
    static func tombstone(_ id: String, _ owner: Owner, at now: Int64) -> Reservation {
        Reservation(
            id: id,
            owner: owner,
            lines: [],
            state: .released,
            reason: owner == .order ? .orderEnded : .cancelled,
            expiresAt: now,
            createdAt: now,
            updatedAt: now
        )
    }
}

// MARK: What happens to it

extension Reservation {
    /// The order that it is for was placed once more, or after it had ended: an order that had ended is told so.
    func placedAgain() -> Change? {
        isTombstone ? Change(announcement: rejection(.orderEnded, [])) : nil
    }

    /// A client tries once more: it stands as it does.
    ///
    /// - Throws: `Refusal.ended` after a cancellation; `.otherLines`.
    func triedAgain(_ lines: [Line]) throws(Refusal) {
        guard state != .released else { throw .ended(.released) }
        func quantities(_ lines: [Line]) -> [String: Int] {
            Dictionary(uniqueKeysWithValues: Line.addedUp(lines).map { ($0.sku, $0.quantity) })
        }
        guard quantities(lines) == quantities(self.lines) else { throw .otherLines }
    }

    /// The stock of one of its lines has moved: it is held if all is free now, and rejected if the hope is gone.
    ///
    /// - Returns: nil when nothing changes: it does not wait, or waits on.
    mutating func reconsider(given stocks: [String: Stock], _ terms: Terms, at now: Int64) -> Change? {
        guard state == .waiting else { return nil }
        switch Availability(of: lines, given: stocks) {
        case .free:
            become(.held, at: now)
            expiresAt = now + terms.keep
            return change(
                .reserve,
                .reserved(StockReserved(orderID: id, expiresAt: Timestamp(milliseconds: expiresAt).description))
            )
        case .locked: return nil
        case .short(let skus): return reject(.outOfStock, skus, at: now)
        case .unknown(let skus): return reject(.unknownProduct, skus, at: now)
        }
    }

    /// It has waited as long as it may; what is free now it still gets.
    mutating func waitIsOver(given stocks: [String: Stock], _ terms: Terms, at now: Int64) -> Change? {
        guard state == .waiting else { return nil }
        if let change = reconsider(given: stocks, terms, at: now) { return change }
        guard case .locked(let skus) = Availability(of: lines, given: stocks) else { return nil }
        return reject(.stockLocked, skus, at: now)
    }

    /// The order is confirmed: its pieces leave for good.
    ///
    /// One that has expired is tried against what is free now, and so is one that still waits.
    mutating func orderConfirmed(given stocks: [String: Stock], at now: Int64) -> Change? {
        switch state {
        case .held:
            become(.confirmed, at: now)
            return change(.take, .confirmed(StockConfirmed(orderID: id)))
        case .expired, .waiting:
            switch Availability(of: lines, given: stocks) {
            case .free:
                become(.confirmed, at: now)
                return change(.takeFree, .confirmed(StockConfirmed(orderID: id)))
            case .locked(let skus), .short(let skus), .unknown(let skus):
                return reject(.reservationExpired, skus, at: now)
            }
        case .confirmed, .released, .rejected: return nil
        }
    }

    /// The order was cancelled or rejected: all that was done for it is undone.
    mutating func orderEnded(at now: Int64) -> Change? {
        let move: StockMove?
        switch state {
        case .held: move = .free
        case .confirmed: move = .putBack
        case .waiting: move = nil
        case .released, .expired, .rejected: return nil
        }
        become(.released, .orderEnded, at: now)
        return change(move, .released(StockReleased(orderID: id, reason: Reason.orderEnded.rawValue)))
    }

    /// Some of the order's lines are cancelled: those pieces are back.
    ///
    /// Order cancels lines only once it has heard that they are taken for good; what is not is left alone.
    mutating func linesCancelled(_ cancelled: [Line], at now: Int64) -> Change? {
        guard owner == .order, state == .confirmed else { return nil }
        var back: [Line] = []
        for line in Line.addedUp(cancelled) {
            guard let place = lines.firstIndex(where: { $0.sku == line.sku }) else { continue }
            let count = min(line.quantity, lines[place].quantity)
            guard count > 0 else { continue }
            back.append(Line(sku: line.sku, quantity: count))
            lines[place] = Line(sku: line.sku, quantity: lines[place].quantity - count)
        }
        guard !back.isEmpty else { return nil }
        lines.removeAll { $0.quantity == 0 }
        updatedAt = now
        return Change(move: .putBack, lines: back)
    }

    /// It was not confirmed in time.
    mutating func expire(at now: Int64) -> Change? {
        guard state == .held else { return nil }
        become(.expired, .expired, at: now)
        return change(.free, .released(StockReleased(orderID: id, reason: Reason.expired.rawValue)))
    }

    /// A client confirms; nil when it had done so before.
    ///
    /// - Throws: `Refusal.ended` or `.ofOrder`.
    mutating func confirm(at now: Int64) throws(Refusal) -> Change? {
        guard owner == .client else { throw .ofOrder }
        switch state {
        case .confirmed: return nil
        case .held:
            become(.confirmed, at: now)
            return Change(move: .take)
        case .released, .expired, .rejected, .waiting: throw .ended(state)
        }
    }

    /// A client cancels; nil when it had done so before, or nothing is held any more.
    ///
    /// - Throws: `Refusal.confirmed` or `.ofOrder`.
    mutating func cancel(at now: Int64) throws(Refusal) -> Change? {
        guard owner == .client else { throw .ofOrder }
        switch state {
        case .confirmed: throw .confirmed
        case .held:
            become(.released, .cancelled, at: now)
            return Change(move: .free)
        case .released, .expired, .rejected, .waiting: return nil
        }
    }

    private mutating func reject(_ reason: Reason, _ skus: [String], at now: Int64) -> Change {
        become(.rejected, reason, at: now)
        return change(nil, rejection(reason, skus))
    }

    private func rejection(_ reason: Reason, _ skus: [String]) -> Announcement {
        .rejected(StockRejected(orderID: id, reason: reason.rawValue, skus: skus))
    }

    private mutating func become(_ state: State, _ reason: Reason? = nil, at now: Int64) {
        self.state = state
        self.reason = reason
        updatedAt = now
    }

    private func change(_ move: StockMove?, _ announcement: Announcement) -> Change {
        Change(move: move, announcement: owner == .order ? announcement : nil)
    }
}
