import ShopEvents
import Telemetry
import Testing

@testable import Coupon

/// What can happen to a redemption.
enum RedemptionStep: String, CaseIterable, Sendable {
    case placedAgain, couponMoved, waitOver, confirmed, ended, expired
}

@Suite("A redemption, a pure value")
struct RedemptionTests {
    static let terms = Redemption.Terms(keep: 60_000, wait: 5_000)
    static let wish = Redemption.Wish(coupon: "c-1", customer: "ada", total: Money(amount: 1_300, currency: "EUR"))
    static let discount = Money(amount: 130, currency: "EUR")

    static func coupon(
        _ state: Coupon.State = .issued,
        of customer: String = "ada",
        _ rule: CouponRule? = nil
    ) -> Coupon {
        Coupon(
            id: "c-1",
            definition: "TEN",
            customer: customer,
            rule: rule ?? CouponRule(discount: .percent(10)),
            state: state,
            orderID: state == .issued ? nil : "o-9",
            issuedAt: 500,
            updatedAt: 500
        )
    }

    /// What the coupon of a wish may be: free, another order's, used, and not there.
    static let coupons: [Coupon?] = [coupon(), coupon(.reserved), coupon(.used), nil]

    static func redemption(_ state: Redemption.State) -> Redemption {
        Redemption(
            orderID: "o-1",
            wish: wish,
            state: state,
            reason: nil,
            discount: state == .waiting || state == .rejected ? nil : discount,
            expiresAt: 9_000,
            createdAt: 1_000,
            updatedAt: 1_000
        )
    }

    static func take(
        _ step: RedemptionStep,
        on redemption: inout Redemption,
        given coupon: Coupon?
    ) -> Redemption.Change? {
        switch step {
        case .placedAgain: redemption.placedAgain()
        case .couponMoved: redemption.reconsider(given: coupon, terms, at: 2_000)
        case .waitOver: redemption.waitIsOver(given: coupon, terms, at: 2_000)
        case .confirmed: redemption.orderConfirmed(given: coupon, at: 2_000)
        case .ended: redemption.orderEnded(at: 2_000)
        case .expired: redemption.expire(at: 2_000)
        }
    }

    /// A change in words: `held reserve redeemed 130 EUR`.
    static func words(_ redemption: Redemption, _ change: Redemption.Change?) -> String {
        guard let change else { return "nothing" }
        let move = change.move.map { "\($0)" } ?? "-"
        let said =
            switch change.announcement {
            case nil: "silent"
            case .redeemed(let event): "redeemed \(event.discount.amount) \(event.discount.currency)"
            case .rejected(let event): "rejected \(event.reason)"
            case .confirmed: "confirmed"
            case .released(let event): "released \(event.reason)"
            }
        return "\(redemption.state.rawValue) \(move) \(said)"
    }

    /// Every transition, for a coupon that is free, another order's, used and not there; what is not here does nothing.
    static let table: [Redemption.State: [RedemptionStep: [String]]] = [
        .waiting: [
            .couponMoved: [
                "held reserve redeemed 130 EUR", "nothing", "rejected - rejected coupon-used",
                "rejected - rejected unknown-coupon",
            ],
            .waitOver: [
                "held reserve redeemed 130 EUR", "rejected - rejected coupon-locked",
                "rejected - rejected coupon-used", "rejected - rejected unknown-coupon",
            ],
            .confirmed: ["confirmed useFree confirmed"]
                + Array(repeating: "rejected - rejected redemption-expired", count: 3),
            .ended: Array(repeating: "released - released order-ended", count: 4),
        ],
        .held: [
            .confirmed: Array(repeating: "confirmed use confirmed", count: 4),
            .ended: Array(repeating: "released free released order-ended", count: 4),
            .expired: Array(repeating: "expired free released expired", count: 4),
        ],
        .confirmed: [.ended: Array(repeating: "released giveBack released order-ended", count: 4)],
        .released: [:],
        .expired: [
            .confirmed: ["confirmed useFree confirmed"]
                + Array(repeating: "rejected - rejected redemption-expired", count: 3)
        ],
        .rejected: [:],
    ]

    @Test("Every step has its result in every state", arguments: Redemption.State.allCases, RedemptionStep.allCases)
    func transitions(state: Redemption.State, step: RedemptionStep) {
        let expected = Self.table[state]?[step] ?? Array(repeating: "nothing", count: 4)
        for (coupon, expected) in zip(Self.coupons, expected) {
            var redemption = Self.redemption(state)
            let change = Self.take(step, on: &redemption, given: coupon)
            #expect(Self.words(redemption, change) == expected)
            if change == nil {
                #expect(redemption == Self.redemption(state), "what changes nothing leaves it as it was")
            } else {
                #expect(redemption.updatedAt == 2_000)
            }
        }
    }

    @Test(
        "A step that comes twice does nothing the second time",
        arguments: Redemption.State.allCases,
        RedemptionStep.allCases
    )
    func repetitions(state: Redemption.State, step: RedemptionStep) {
        var redemption = Self.redemption(state)
        _ = Self.take(step, on: &redemption, given: Self.coupon())
        let once = redemption
        let again = Self.take(step, on: &redemption, given: Self.coupon())
        #expect(again == nil)
        #expect(redemption == once)
    }

    private static func begin(_ wish: Redemption.Wish, _ coupon: Coupon?) -> String {
        let (redemption, change) = Redemption.forOrder("o-1", wish, given: coupon, terms, at: 1_000)
        return words(redemption, change)
    }

    @Test("An order gets its customer's coupon, waits for it, or is told why not")
    func beginnings() {
        #expect(Self.begin(Self.wish, Self.coupon()) == "held reserve redeemed 130 EUR")
        #expect(Self.begin(Self.wish, Self.coupon(.reserved)) == "waiting - silent")
        #expect(Self.begin(Self.wish, Self.coupon(.used)) == "rejected - rejected coupon-used")
        #expect(Self.begin(Self.wish, nil) == "rejected - rejected unknown-coupon")
        #expect(Self.begin(Self.wish, Self.coupon(of: "bob")) == "rejected - rejected unknown-coupon")
        let nobody = Redemption.Wish(coupon: "c-1", customer: nil, total: Self.wish.total)
        #expect(Self.begin(nobody, Self.coupon()) == "rejected - rejected unknown-coupon")
    }

    @Test("Nobody waits for a coupon that they would not get, and nobody learns of another's")
    func hopeless() {
        let small = CouponRule(discount: .percent(10), minimum: Money(amount: 2_000, currency: "EUR"))
        #expect(Self.begin(Self.wish, Self.coupon(.reserved, small)) == "rejected - rejected coupon-below-minimum")
        let over = CouponRule(discount: .percent(10), validUntil: 900)
        #expect(Self.begin(Self.wish, Self.coupon(.reserved, over)) == "rejected - rejected coupon-not-valid")
        #expect(Self.begin(Self.wish, Self.coupon(.used, of: "bob")) == "rejected - rejected unknown-coupon")
        #expect(Self.begin(Self.wish, Self.coupon(.reserved, of: "bob")) == "rejected - rejected unknown-coupon")
    }

    @Test("What was promised is kept: a late confirmation asks for the coupon alone, not for its rule")
    func promises() {
        let over = Self.coupon(.issued, CouponRule(discount: .percent(50), validUntil: 1_500))
        var redemption = Self.redemption(.expired)
        let change = redemption.orderConfirmed(given: over, at: 2_000)
        #expect(Self.words(redemption, change) == "confirmed useFree confirmed")
        #expect(redemption.discount == Self.discount)
    }

    @Test("What is held ends when the terms say, and so does a wait")
    func deadlines() {
        let held = Redemption.forOrder("o-1", Self.wish, given: Self.coupon(), Self.terms, at: 1_000)
        #expect(held.redemption.deadline == Redemption.Deadline(kind: .expiry, at: 61_000))
        #expect(held.redemption.discount == Self.discount)
        let event = CouponRedeemed(
            orderID: "o-1",
            coupon: "c-1",
            discount: Self.discount,
            expiresAt: Timestamp(milliseconds: 61_000).description
        )
        #expect(held.change.announcement == .redeemed(event))
        var waiting = Redemption.forOrder("o-1", Self.wish, given: Self.coupon(.reserved), Self.terms, at: 1_000)
            .redemption
        #expect(waiting.deadline == Redemption.Deadline(kind: .wait, at: 6_000))
        _ = waiting.reconsider(given: Self.coupon(), Self.terms, at: 4_000)
        #expect(waiting.deadline == Redemption.Deadline(kind: .expiry, at: 64_000), "it is kept from when it is held")
        for state in Redemption.State.allCases where ![.held, .waiting].contains(state) {
            #expect(Self.redemption(state).deadline == nil)
        }
    }

    @Test("A tombstone refuses the order that comes late, however often")
    func tombstones() {
        var tombstone = Redemption.tombstone("o-1", at: 1_000)
        let before = tombstone
        for _ in 1...2 {
            #expect(Self.words(tombstone, tombstone.placedAgain()) == "released - rejected order-ended")
        }
        for step in RedemptionStep.allCases where step != .placedAgain {
            #expect(Self.take(step, on: &tombstone, given: Self.coupon()) == nil)
        }
        #expect(tombstone == before)
    }

    @Test(
        "A move takes a coupon from where it was to where it is, with the order that has it",
        arguments: CouponMove.allCases
    )
    func moves(move: CouponMove) {
        var coupon = Self.coupon(move.before)
        coupon.apply(move, for: "o-1", at: 2_000)
        let expected: (Coupon.State, String?) =
            switch move {
            case .reserve: (.reserved, "o-1")
            case .use, .useFree: (.used, "o-1")
            case .free, .giveBack: (.issued, nil)
            }
        #expect(coupon.state == expected.0)
        #expect(coupon.orderID == expected.1)
        #expect(coupon.updatedAt == 2_000)
        #expect(coupon.state != move.before)
    }
}
