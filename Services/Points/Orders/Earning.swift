import ShopEvents

/// The points that one order earns its customer: an aggregate of this service, a pure value.
///
///     confirmed ──▶ earned ──order ended──▶ taken back, as far as they are there
///     order ended first ──▶ ended: confirmed late, it earns nothing
///
/// There is one of orders whose customer somebody has made sure of.
struct Earning: Sendable, Equatable {
    /// Where it stands.
    enum State: String, Sendable, Codable, CaseIterable {
        /// The points were given.
        case earned
        /// The order was cancelled afterwards, and they are taken back.
        case takenBack = "taken-back"
        /// The order had ended before: what comes late earns nothing.
        case ended
    }

    /// How many points are given for money: hundredths of a percent of what was paid.
    struct Rate: Sendable, Equatable {
        let basisPoints: Int64

        /// The points for an order, rounded down: for what the card has paid, and nothing for what was deducted.
        func points(for total: Money, less deductions: Deductions?) -> Int64 {
            let paid = max(total.amount - (deductions?.amount ?? 0), 0)
            // A total has twelve digits and a rate five.
            return paid * basisPoints / 10_000
        }
    }

    let orderID: String
    /// Nil where the order had ended before.
    let account: PointsAccount?
    /// How many were given; 0 where the order had ended before.
    let points: Int64
    /// How many of them were taken back when lines of the order were cancelled.
    private(set) var takenBack: Int64 = 0
    private(set) var state: State
    /// Milliseconds since 1970.
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// An order is confirmed.
    ///
    /// - Returns: nil where it earns nothing: nothing is kept of it then.
    static func forOrder(
        _ orderID: String,
        of customer: String,
        _ total: Money,
        less deductions: Deductions?,
        at rate: Rate,
        now: Int64
    ) -> (earning: Earning, posting: Posting)? {
        let points = rate.points(for: total, less: deductions)
        guard points > 0 else { return nil }
        let account = PointsAccount(customer: customer, currency: total.currency)
        let earning = Earning(
            orderID: orderID,
            account: account,
            points: points,
            state: .earned,
            createdAt: now,
            updatedAt: now
        )
        return (earning, .giving(points, to: account, outOf: .earned, .earned, orderID))
    }

    /// What is left of an end that comes before its order was confirmed.
    static func tombstone(_ orderID: String, at now: Int64) -> Earning {
        Earning(orderID: orderID, account: nil, points: 0, state: .ended, createdAt: now, updatedAt: now)
    }

    /// The order was cancelled: what it earned is taken back, once; what has been spent meanwhile is written off.
    ///
    /// - Parameter balance: what the customer has, with the points that the order itself has given back.
    mutating func orderEnded(given balance: Int64, at now: Int64) -> Posting? {
        guard state == .earned, let account else { return nil }
        state = .takenBack
        updatedAt = now
        return .taking(points - takenBack, from: account, into: .earned, given: balance, .takenBack, orderID)
    }

    /// Some of the order's lines are cancelled: their share of what it earned is taken back, rounded down.
    ///
    /// - Parameters:
    ///   - left: the sum of the lines that are left.
    ///   - cancelled: the sum of those that are not.
    ///   - reference: of the partial cancellation.
    ///   - balance: what the customer has, with the points that the partial cancellation has given back.
    /// - Returns: nil where that is no point, or nothing is earned any more.
    mutating func linesCancelled(
        leaving left: Int64,
        of cancelled: Int64,
        _ reference: String,
        given balance: Int64,
        at now: Int64
    ) -> Posting? {
        guard state == .earned, let account, left > 0, cancelled > 0 else { return nil }
        let share = (left + cancelled).dividingFullWidth((points - takenBack).multipliedFullWidth(by: cancelled))
        guard share.quotient > 0 else { return nil }
        takenBack += share.quotient
        updatedAt = now
        return .taking(share.quotient, from: account, into: .earned, given: balance, .takenBack, reference)
    }
}
