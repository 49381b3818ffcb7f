import ShopEvents
import Testing

@testable import Coupon

@Suite("What a coupon takes off")
struct CouponRuleTests {
    private static func euros(_ amount: Int64) -> Money { Money(amount: amount, currency: "EUR") }

    private static func taken(_ rule: CouponRule, of total: Money, at now: Int64 = 1_000) -> String {
        switch rule.discount(of: total, at: now) {
        case .success(let money): "\(money.amount) \(money.currency)"
        case .failure(let refusal): "\(refusal)"
        }
    }

    @Test(
        "is a percentage rounded down, at least 1, at most all",
        arguments: [
            (10, 1_300, 130), (10, 1_309, 130), (10, 1_299, 129), (33, 100, 33), (33, 101, 33), (33, 103, 33),
            (33, 104, 34),
            (1, 99, 1), (1, 1, 1), (1, 199, 1), (1, 200, 2), (50, 1, 1), (50, 3, 1), (99, 1, 1), (100, 1, 1),
            (100, 777, 777),
            (99, 999_999_999_999, 989_999_999_999),
        ] as [(Int, Int64, Int64)]
    )
    func percents(percent: Int, total: Int64, expected: Int64) {
        #expect(Self.taken(CouponRule(discount: .percent(percent)), of: Self.euros(total)) == "\(expected) EUR")
    }

    @Test("is never less than what is right by a minor unit, and never more", arguments: 1...100)
    func exactness(percent: Int) {
        for total in (1...300).map(Int64.init) + [Int64.max, 999_999_999_999] {
            guard
                case .success(let money) = CouponRule(discount: .percent(percent)).discount(
                    of: Self.euros(total),
                    at: 0
                )
            else {
                Issue.record("no discount")
                return
            }
            let product = total.multipliedFullWidth(by: Int64(percent))
            let exact = Int64(100).dividingFullWidth((product.high, product.low)).quotient
            guard money.amount == max(exact, 1) else {
                Issue.record("\(percent) percent of \(total) are \(money.amount)")
                return
            }
        }
    }

    @Test(
        "is an amount, at most the total",
        arguments: [(500, 1_300, 500), (500, 500, 500), (500, 499, 499), (500, 1, 1)]
    )
    func amounts(amount: Int64, total: Int64, expected: Int64) {
        #expect(
            Self.taken(CouponRule(discount: .amount(Self.euros(amount))), of: Self.euros(total)) == "\(expected) EUR"
        )
    }

    @Test("is nothing below the minimum, or in another currency")
    func minimum() {
        let rule = CouponRule(discount: .percent(10), minimum: Self.euros(1_000))
        #expect(Self.taken(rule, of: Self.euros(999)) == "belowMinimum")
        #expect(Self.taken(rule, of: Self.euros(1_000)) == "100 EUR")
        #expect(Self.taken(rule, of: Money(amount: 5_000, currency: "KRW")) == "otherCurrency")
        let amount = CouponRule(discount: .amount(Self.euros(100)))
        #expect(Self.taken(amount, of: Money(amount: 5_000, currency: "KRW")) == "otherCurrency")
        #expect(Self.taken(CouponRule(discount: .percent(10)), of: Money(amount: 5_000, currency: "KRW")) == "500 KRW")
    }

    @Test("begins at its first moment and ends before its last")
    func periods() {
        let rule = CouponRule(discount: .percent(10), validFrom: 1_000, validUntil: 2_000)
        let results = [999, 1_000, 1_999, 2_000].map { Self.taken(rule, of: Self.euros(1_000), at: $0) }
        #expect(results == ["notValid", "100 EUR", "100 EUR", "notValid"])
        #expect([1_999, 2_000].map(rule.hasEnded) == [false, true])
        #expect(!CouponRule(discount: .percent(10)).hasEnded(at: .max))
    }
}
