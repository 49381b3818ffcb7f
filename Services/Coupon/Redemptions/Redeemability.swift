import ShopEvents

/// What becomes of an order's wish for a coupon, given the coupon: a pure decision.
enum Redeemability: Sendable, Equatable {
    /// It can have it, and this is taken off.
    case free(Money)
    /// Another order has reserved it, and may give it back.
    case locked
    /// It cannot have it, whatever the others do.
    case refused(Redemption.Reason)

    /// Decides.
    ///
    /// What no other order can change counts before what one may: nobody waits for a coupon that they would not get.
    ///
    /// - Parameter coupon: the one that is wished for; nil where there is none.
    init(of wish: Redemption.Wish, given coupon: Coupon?, at now: Int64) {
        guard let coupon, coupon.customer == wish.customer else {
            self = .refused(.unknownCoupon)
            return
        }
        guard coupon.state != .used else {
            self = .refused(.couponUsed)
            return
        }
        switch coupon.rule.discount(of: wish.total, at: now) {
        case .failure(let refusal): self = .refused(refusal.reason)
        case .success(let discount): self = coupon.state == .reserved ? .locked : .free(discount)
        }
    }
}

extension CouponRule.Refusal {
    /// As others read it.
    var reason: Redemption.Reason {
        switch self {
        case .notValid: .couponNotValid
        case .otherCurrency: .couponOtherCurrency
        case .belowMinimum: .couponBelowMinimum
        }
    }
}
