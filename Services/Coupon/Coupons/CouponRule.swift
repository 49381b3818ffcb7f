import ShopEvents

/// What a coupon takes off, and of which orders: a pure value.
struct CouponRule: Sendable, Equatable {
    /// What is taken off.
    enum Discount: Sendable, Equatable {
        /// So many hundredths of the order's total, 1 to 100.
        case percent(Int)
        case amount(Money)
    }

    var discount: Discount
    /// The least total that it is taken off.
    var minimum: Money?
    /// From when on, in milliseconds since 1970; nil for always.
    var validFrom: Int64?
    /// Until when: at that moment no more; nil for ever.
    var validUntil: Int64?

    /// Why an order does not get its discount.
    enum Refusal: Sendable, Equatable {
        /// It is not its time.
        case notValid
        /// Its amounts are in another currency than the order's.
        case otherCurrency
        /// The order is too small.
        case belowMinimum
    }

    /// What it takes off an order of that total; a percentage is rounded down, and it is at least 1 and never more than the total.
    func discount(of total: Money, at now: Int64) -> Result<Money, Refusal> {
        if let validFrom, now < validFrom { return .failure(.notValid) }
        if hasEnded(at: now) { return .failure(.notValid) }
        if let minimum {
            guard minimum.currency == total.currency else { return .failure(.otherCurrency) }
            guard minimum.amount <= total.amount else { return .failure(.belowMinimum) }
        }
        let taken: Int64
        switch discount {
        case .percent(let percent): taken = Self.part(Int64(percent), of: total.amount)
        case .amount(let money):
            guard money.currency == total.currency else { return .failure(.otherCurrency) }
            taken = money.amount
        }
        return .success(Money(amount: min(max(taken, 1), total.amount), currency: total.currency))
    }

    /// Whether its time is over.
    func hasEnded(at now: Int64) -> Bool { validUntil.map { $0 <= now } ?? false }

    /// So many hundredths, rounded down; whatever the amount, nothing overflows on the way.
    private static func part(_ percent: Int64, of amount: Int64) -> Int64 {
        amount / 100 * percent + amount % 100 * percent / 100
    }
}

extension CouponRule.Refusal: Error {}
