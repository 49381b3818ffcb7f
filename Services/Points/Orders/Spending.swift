import ShopEvents

/// The points that pay for one order: an aggregate of this service, a pure value.
///
/// Transitions take what happened, with what the customer has where the answer depends on it, and answer with the points that
/// move and the event that tells of it; whoever calls does the input and output. All of the points are spent or none.
///
///     accepted ──enough──▶ spent ──order ended──▶ restored
///         └───not enough──▶ rejected
///     order ended first ──▶ ended: accepted late, it is refused
///
/// There is one of orders that ask for points alone. A confirmation changes nothing: what is spent is spent until the order ends.
struct Spending: Sendable, Equatable {
    /// Where it stands.
    enum State: String, Sendable, Codable, CaseIterable {
        /// The points are taken.
        case spent
        /// There were not enough; none were taken.
        case rejected
        /// The order has ended, and the points are the customer's again.
        case restored
        /// The order had ended before it asked: what comes late is refused.
        case ended
    }

    /// Why points are refused, as others read it.
    enum Reason: String, Sendable, CaseIterable {
        case insufficientPoints = "insufficient-points"
        case orderEnded = "order-ended"
    }

    /// What a transition asks of whoever called.
    struct Change: Sendable, Equatable {
        /// The points that move.
        var posting: Posting?
        /// What others are to hear.
        var announcement: Announcement?
    }

    /// What others hear.
    enum Announcement: Sendable, Equatable {
        case spent(PointsSpent)
        case rejected(PointsRejected)
        case restored(PointsRestored)
    }

    let orderID: String
    /// Whose points; nil where nobody has made sure of who ordered, and where it had ended before.
    let account: PointsAccount?
    /// How many were asked for; 0 where it had ended before.
    let points: Int64
    /// How many of them went back when lines of the order were cancelled.
    private(set) var givenBack: Int64
    private(set) var state: State
    /// Milliseconds since 1970.
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// Restores it from its store.
    init(
        orderID: String,
        account: PointsAccount?,
        points: Int64,
        givenBack: Int64 = 0,
        state: State,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.givenBack = givenBack
        self.orderID = orderID
        self.account = account
        self.points = points
        self.state = state
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Whether it only remembers that its order had ended before it asked.
    var isTombstone: Bool { state == .ended }
}

// MARK: Beginnings

extension Spending {
    /// An accepted order asks for points.
    ///
    /// - Parameters:
    ///   - account: whose; nil where nobody has made sure of who ordered: nobody has no points.
    ///   - balance: what the account has.
    static func forOrder(
        _ orderID: String,
        _ points: Int64,
        of account: PointsAccount?,
        given balance: Int64,
        at now: Int64
    ) -> (spending: Spending, change: Change) {
        var spending = Spending(
            orderID: orderID,
            account: account,
            points: points,
            state: .rejected,
            createdAt: now,
            updatedAt: now
        )
        guard let account, points <= balance else {
            return (spending, Change(announcement: spending.rejection(.insufficientPoints)))
        }
        spending.state = .spent
        let posting = Posting.taking(points, from: account, into: .spent, given: balance, .spent, orderID)
        return (spending, Change(posting: posting, announcement: .spent(PointsSpent(orderID: orderID, points: points))))
    }

    /// What is left of an end that comes before its order was accepted.
    static func tombstone(_ orderID: String, at now: Int64) -> Spending {
        Spending(orderID: orderID, account: nil, points: 0, state: .ended, createdAt: now, updatedAt: now)
    }
}

// MARK: What happens to it

extension Spending {
    /// The order was accepted once more, or after it had ended: an order that had ended is told so.
    func acceptedAgain() -> Change? {
        isTombstone ? Change(announcement: rejection(.orderEnded)) : nil
    }

    /// The order was cancelled or rejected: its points are the customer's again, once.
    mutating func orderEnded(at now: Int64) -> Change? {
        guard state == .spent, let account else { return nil }
        state = .restored
        updatedAt = now
        return Change(
            posting: .giving(points - givenBack, to: account, outOf: .spent, .restored, orderID),
            announcement: .restored(PointsRestored(orderID: orderID, points: points - givenBack))
        )
    }

    /// Some of the order's lines are cancelled, and so many points are the customer's again; nobody hears of it.
    ///
    /// - Parameter reference: of the partial cancellation.
    /// - Returns: nil where nothing is spent any more, or as many points would go back as are spent, or more.
    mutating func linesCancelled(giving back: Int64, _ reference: String, at now: Int64) -> Posting? {
        guard state == .spent, let account, back < points - givenBack else { return nil }
        givenBack += back
        updatedAt = now
        return .giving(back, to: account, outOf: .spent, .restored, reference)
    }

    private func rejection(_ reason: Reason) -> Announcement {
        .rejected(PointsRejected(orderID: orderID, reason: reason.rawValue))
    }
}
