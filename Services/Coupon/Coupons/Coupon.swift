/// A coupon that a customer has: a pure value.
///
///     issued ──order placed──▶ reserved ──order confirmed──▶ used
///       ▲ └────────────confirmed late──────────────────────▶ │
///       └──order ended, not in time──┘◀──────order ended─────┘
///
/// It is in one order's redemption at most; the tables refuse anything else.
struct Coupon: Sendable, Equatable {
    /// Where the coupon stands; that its time is over is seen by its rule.
    enum State: String, Sendable, Codable, CaseIterable {
        /// Its customer may use it.
        case issued
        /// An order has it, for a time; another order waits.
        case reserved
        /// It is used for an order.
        case used
    }

    let id: String
    /// The definition that it was issued by.
    let definition: String
    /// Whose it is.
    let customer: String
    /// What its definition says now.
    let rule: CouponRule
    private(set) var state: State
    /// The order that has it.
    private(set) var orderID: String?
    /// Milliseconds since 1970.
    let issuedAt: Int64
    private(set) var updatedAt: Int64

    /// Restores a coupon from its store.
    init(
        id: String,
        definition: String,
        customer: String,
        rule: CouponRule,
        state: State = .issued,
        orderID: String? = nil,
        issuedAt: Int64,
        updatedAt: Int64
    ) {
        self.id = id
        self.definition = definition
        self.customer = customer
        self.rule = rule
        self.state = state
        self.orderID = orderID
        self.issuedAt = issuedAt
        self.updatedAt = updatedAt
    }

    /// Moves it for an order.
    mutating func apply(_ move: CouponMove, for order: String, at now: Int64) {
        state = move.state
        orderID = move.state == .issued ? nil : order
        updatedAt = now
    }
}

/// What a redemption does to its coupon.
enum CouponMove: Sendable, Equatable, CaseIterable {
    /// It is promised to an order.
    case reserve
    /// What was promised is its customer's again.
    case free
    /// What was promised is used.
    case use
    /// What nobody has is used: its promise had expired, and no other order got it.
    case useFree
    /// What was used is its customer's again.
    case giveBack

    /// Where the coupon stands before.
    var before: Coupon.State {
        switch self {
        case .reserve, .useFree: .issued
        case .free, .use: .reserved
        case .giveBack: .used
        }
    }

    /// Where the coupon stands afterwards.
    var state: Coupon.State {
        switch self {
        case .reserve: .reserved
        case .use, .useFree: .used
        case .free, .giveBack: .issued
        }
    }
}
