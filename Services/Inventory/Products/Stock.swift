import ShopEvents

/// How many there are of a product, and how many of them are promised: a pure value.
///
/// `0 <= reserved <= onHand` at all times; the table of products refuses anything else.
struct Stock: Sendable, Equatable {
    /// What lies there, reserved or not.
    private(set) var onHand: Int
    /// What of it is promised to reservations that are held.
    private(set) var reserved: Int

    init(onHand: Int = 0, reserved: Int = 0) {
        self.onHand = onHand
        self.reserved = reserved
    }

    /// What can be reserved now.
    var available: Int { onHand - reserved }

    /// The stock as others hear of it.
    /// - Parameter low: up to how many are a few.
    func level(low: Int) -> StockLevel {
        switch available {
        case ...0: .out
        case ...low: .low
        default: .plenty
        }
    }

    /// Moves that many.
    mutating func apply(_ move: StockMove, _ quantity: Int) {
        onHand += move.onHand * quantity
        reserved += move.reserved * quantity
    }

    /// More or fewer lie there than before: goods came in, were lost or counted.
    ///
    /// - Returns: whether it can be: what is reserved stays.
    mutating func adjust(by change: Int) -> Bool {
        guard onHand + change >= reserved else { return false }
        onHand += change
        return true
    }
}

/// What a reservation does to the stock of each of its lines.
enum StockMove: Sendable, Equatable, CaseIterable {
    /// Free pieces are promised.
    case reserve
    /// Promised pieces are free again.
    case free
    /// Promised pieces leave for good.
    case take
    /// Free pieces leave for good: their promise had expired, and nobody else got them.
    case takeFree
    /// Pieces that had left are back.
    case putBack

    /// By how much one piece changes what lies there.
    var onHand: Int {
        switch self {
        case .reserve, .free: 0
        case .take, .takeFree: -1
        case .putBack: 1
        }
    }

    /// By how much one piece changes what is promised.
    var reserved: Int {
        switch self {
        case .reserve: 1
        case .free, .take: -1
        case .takeFree, .putBack: 0
        }
    }

    /// Whether somebody who waits may get something by it.
    var givesBack: Bool { onHand - reserved > 0 }
    /// Whether somebody who waits may have lost the hope of it.
    var takesAway: Bool { onHand < 0 }
}
