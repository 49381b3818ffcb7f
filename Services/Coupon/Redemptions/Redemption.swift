import ShopEvents
import Telemetry

/// A coupon in an order: the aggregate of this service, a pure value.
///
/// Transitions take what happened, with the coupon and the time where the answer depends on them, and answer with what becomes
/// of the coupon and the event that tells of it; whoever calls does the input and output.
///
///     placed ──free──▶ held ──order confirmed──▶ confirmed ──order ended──▶ released
///      │ │              ▲ │ └──────────order ended────────────────────────────▲ ▲
///      │ └─locked─▶ waiting──────────────────────────order ended────────────────┘
///      │              │   └──in time not──▶ expired ──confirmed, free─▶ confirmed
///      └──refused─▶ rejected ◀──confirmed, gone──┘
///
/// A waiting one is rejected too, when its wait is over or its hope is gone. What is kept of an end that comes before its
/// redemption is `released` without a wish: it refuses the order that comes late.
struct Redemption: Sendable, Equatable {
    /// Where the redemption stands.
    enum State: String, Sendable, Codable, CaseIterable {
        /// Another order has reserved the coupon; it may give it back in time.
        case waiting
        /// The coupon is promised to it, for a time.
        case held
        /// The coupon is used for good.
        case confirmed
        /// Given back, or given up before anything was promised.
        case released
        /// Not confirmed in time; the coupon is its customer's again.
        case expired
        /// There was nothing to promise.
        case rejected
    }

    /// Why it ended, as others read it.
    enum Reason: String, Sendable, Codable, CaseIterable {
        case unknownCoupon = "unknown-coupon"
        case couponNotValid = "coupon-not-valid"
        case couponBelowMinimum = "coupon-below-minimum"
        case couponOtherCurrency = "coupon-other-currency"
        case couponUsed = "coupon-used"
        case couponLocked = "coupon-locked"
        case redemptionExpired = "redemption-expired"
        case orderEnded = "order-ended"
        case expired
    }

    /// What an order asks for.
    struct Wish: Sendable, Equatable {
        /// The coupon's id, whether there is one or not.
        let coupon: String
        /// Who orders; nil where nobody has made sure of it, who has no coupons.
        let customer: String?
        /// The sum of the order's lines.
        let total: Money
    }

    /// How long orders keep and wait, in milliseconds.
    struct Terms: Sendable, Equatable {
        let keep: Int64
        let wait: Int64
    }

    /// What a transition asks of whoever called.
    struct Change: Sendable, Equatable {
        /// What becomes of the coupon.
        var move: CouponMove?
        /// What others are to hear.
        var announcement: Announcement?
    }

    /// What others hear of it.
    enum Announcement: Sendable, Equatable {
        case redeemed(CouponRedeemed)
        case rejected(CouponRejected)
        case confirmed(CouponConfirmed)
        case released(CouponReleased)
    }

    /// When something happens by itself.
    struct Deadline: Sendable, Equatable {
        enum Kind: String, Sendable, CaseIterable {
            /// A held redemption expires.
            case expiry
            /// A waiting one gives up.
            case wait
        }

        let kind: Kind
        /// Milliseconds since 1970.
        let at: Int64
    }

    /// The order, whose id it has.
    let orderID: String
    /// Nil where the order had ended before it came.
    let wish: Wish?
    private(set) var state: State
    private(set) var reason: Reason?
    /// What is taken off the order; nil until it is held.
    private(set) var discount: Money?
    /// When it ends, or ended, by itself: milliseconds since 1970.
    private(set) var expiresAt: Int64
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// Restores a redemption from its store.
    init(
        orderID: String,
        wish: Wish?,
        state: State,
        reason: Reason?,
        discount: Money?,
        expiresAt: Int64,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.orderID = orderID
        self.wish = wish
        self.state = state
        self.reason = reason
        self.discount = discount
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

    /// Whether it only remembers that its order had ended before it came.
    var isTombstone: Bool { wish == nil }
}

// MARK: Beginnings

extension Redemption {
    /// An order asks for a coupon.
    ///
    /// - Parameter coupon: the one that it asks for; nil where there is none.
    static func forOrder(
        _ orderID: String,
        _ wish: Wish,
        given coupon: Coupon?,
        _ terms: Terms,
        at now: Int64
    ) -> (redemption: Redemption, change: Change) {
        var redemption = Redemption(
            orderID: orderID,
            wish: wish,
            state: .waiting,
            reason: nil,
            discount: nil,
            expiresAt: now + terms.wait,
            createdAt: now,
            updatedAt: now
        )
        let change = redemption.reconsider(given: coupon, terms, at: now) ?? Change()
        return (redemption, change)
    }

    /// What is left of an order that ends before it comes.
    static func tombstone(_ orderID: String, at now: Int64) -> Redemption {
        Redemption(
            orderID: orderID,
            wish: nil,
            state: .released,
            reason: .orderEnded,
            discount: nil,
            expiresAt: now,
            createdAt: now,
            updatedAt: now
        )
    }
}

// MARK: What happens to it

extension Redemption {
    /// The order was placed once more, or after it had ended: an order that had ended is told so.
    func placedAgain() -> Change? {
        isTombstone ? Change(announcement: rejection(.orderEnded)) : nil
    }

    /// Its coupon has moved: it is held if that is free now, and rejected if the hope is gone.
    ///
    /// - Returns: nil when nothing changes: it does not wait, or waits on.
    mutating func reconsider(given coupon: Coupon?, _ terms: Terms, at now: Int64) -> Change? {
        guard state == .waiting, let wish else { return nil }
        switch Redeemability(of: wish, given: coupon, at: now) {
        case .free(let discount):
            become(.held, at: now)
            self.discount = discount
            expiresAt = now + terms.keep
            let event = CouponRedeemed(
                orderID: orderID,
                coupon: wish.coupon,
                discount: discount,
                expiresAt: Timestamp(milliseconds: expiresAt).description
            )
            return Change(move: .reserve, announcement: .redeemed(event))
        case .locked: return nil
        case .refused(let reason): return reject(reason, at: now)
        }
    }

    /// It has waited as long as it may; what is free now it still gets.
    mutating func waitIsOver(given coupon: Coupon?, _ terms: Terms, at now: Int64) -> Change? {
        guard state == .waiting else { return nil }
        return reconsider(given: coupon, terms, at: now) ?? reject(.couponLocked, at: now)
    }

    /// The order is confirmed: its coupon is used for good.
    ///
    /// One that has expired gets its coupon if no other order has it, with the discount that was promised, whatever its rule says
    /// by now; one that still waits is tried against what is free.
    mutating func orderConfirmed(given coupon: Coupon?, at now: Int64) -> Change? {
        switch state {
        case .held: return confirm(.use, at: now)
        case .expired:
            guard coupon?.state == .issued else { return reject(.redemptionExpired, at: now) }
            return confirm(.useFree, at: now)
        case .waiting:
            guard let wish, case .free(let discount) = Redeemability(of: wish, given: coupon, at: now) else {
                return reject(.redemptionExpired, at: now)
            }
            self.discount = discount
            return confirm(.useFree, at: now)
        case .confirmed, .released, .rejected: return nil
        }
    }

    /// The order was cancelled or rejected: all that was done for it is undone.
    mutating func orderEnded(at now: Int64) -> Change? {
        let move: CouponMove?
        switch state {
        case .held: move = .free
        case .confirmed: move = .giveBack
        case .waiting: move = nil
        case .released, .expired, .rejected: return nil
        }
        return release(.released, .orderEnded, move, at: now)
    }

    /// It was not confirmed in time.
    mutating func expire(at now: Int64) -> Change? {
        guard state == .held else { return nil }
        return release(.expired, .expired, .free, at: now)
    }

    private mutating func confirm(_ move: CouponMove, at now: Int64) -> Change {
        become(.confirmed, at: now)
        return Change(move: move, announcement: .confirmed(CouponConfirmed(orderID: orderID)))
    }

    private mutating func release(_ state: State, _ reason: Reason, _ move: CouponMove?, at now: Int64) -> Change {
        become(state, reason, at: now)
        return Change(
            move: move,
            announcement: .released(CouponReleased(orderID: orderID, reason: reason.rawValue))
        )
    }

    private mutating func reject(_ reason: Reason, at now: Int64) -> Change {
        become(.rejected, reason, at: now)
        return Change(announcement: rejection(reason))
    }

    private func rejection(_ reason: Reason) -> Announcement {
        .rejected(CouponRejected(orderID: orderID, reason: reason.rawValue))
    }

    private mutating func become(_ state: State, _ reason: Reason? = nil, at now: Int64) {
        self.state = state
        self.reason = reason
        updatedAt = now
    }
}
