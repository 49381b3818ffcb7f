import ShopEvents

/// Points that a customer buys: an aggregate of this service, a pure value.
///
/// Payment's answers may come in any order and more than once; where money has moved, the points follow it.
///
///     requested ──captured──▶ bought ──refunded──▶ refunded
///        │ └──declined──▶ declined ──captured──▶ bought
///        └──refunded first──▶ refunded, whatever comes late
struct Charge: Sendable, Equatable {
    /// Where it stands.
    enum State: String, Sendable, Codable, CaseIterable {
        /// Payment was asked.
        case requested
        /// It is paid, and the points are the customer's.
        case bought
        /// It was not paid; no points.
        case declined
        /// It was paid back, and the points are taken back as far as they were there.
        case refunded
    }

    /// What an answer of Payment's does.
    enum Outcome: Sendable, Equatable {
        /// Nothing: it was known, or came too late.
        case unchanged
        /// The charge has changed; points move where there is a posting.
        case changed(Posting?)
    }

    /// What Payment says does not fit what was asked for; nothing is moved.
    struct Mismatch: Error, Equatable {
        let said: Money
    }

    let id: String
    let customer: String
    /// What is charged: as many points as minor units.
    let total: Money
    private(set) var state: State
    /// The provider's code where it was declined.
    private(set) var reason: String?
    /// Milliseconds since 1970.
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// Restores it from its store.
    init(
        id: String,
        customer: String,
        total: Money,
        state: State,
        reason: String?,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.id = id
        self.customer = customer
        self.total = total
        self.state = state
        self.reason = reason
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// A customer buys points.
    static func request(_ id: String, by customer: String, _ total: Money, at now: Int64) -> Charge {
        Charge(
            id: id,
            customer: customer,
            total: total,
            state: .requested,
            reason: nil,
            createdAt: now,
            updatedAt: now
        )
    }

    /// Whose points.
    var account: PointsAccount { PointsAccount(customer: customer, currency: total.currency) }

    /// The provider has charged the customer: the points are theirs, also where it was said to be declined before.
    ///
    /// - Throws: `Mismatch` where another amount was charged than was asked for.
    mutating func captured(_ total: Money, at now: Int64) throws(Mismatch) -> Outcome {
        guard total == self.total else { throw Mismatch(said: total) }
        guard state == .requested || state == .declined else { return .unchanged }
        become(.bought, at: now)
        return .changed(.giving(total.amount, to: account, outOf: .sold, .bought, id))
    }

    /// The provider does not charge the customer; said late, it takes nothing back.
    mutating func declined(_ reason: String, at now: Int64) -> Outcome {
        guard state == .requested else { return .unchanged }
        become(.declined, reason, at: now)
        return .changed(nil)
    }

    /// What was paid went back, and so do the points, as far as they are there.
    ///
    /// - Parameter balance: what the customer has.
    /// - Throws: `Mismatch` where another amount went back than was asked for.
    mutating func refunded(_ total: Money, given balance: Int64, at now: Int64) throws(Mismatch) -> Outcome {
        guard total == self.total else { throw Mismatch(said: total) }
        switch state {
        case .refunded: return .unchanged
        case .requested, .declined:
            become(.refunded, at: now)
            return .changed(nil)
        case .bought:
            become(.refunded, at: now)
            return .changed(.taking(total.amount, from: account, into: .sold, given: balance, .refunded, id))
        }
    }

    private mutating func become(_ state: State, _ reason: String? = nil, at now: Int64) {
        self.state = state
        self.reason = reason
        updatedAt = now
    }
}
