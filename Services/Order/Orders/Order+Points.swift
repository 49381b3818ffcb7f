import Events
import ShopEvents

extension Order {
    /// Where the points that pay for the order stand, as Points has reported it.
    enum PointsStatus: String, Sendable, Codable, CaseIterable {
        /// Wanted; `order.accepted` asks for them.
        case requested
        case spent
        case rejected
        /// The customer's again.
        case restored
    }

    /// What Points reports.
    enum PointsReport: Sendable, Equatable {
        case spent(Int64)
        case rejected(reason: String)
        case restored(Int64)

        var status: PointsStatus {
            switch self {
            case .spent: .spent
            case .rejected: .rejected
            case .restored: .restored
            }
        }
    }

    /// Takes what Points reports.
    ///
    /// Points that are spent move a placed order on to the payment of the rest; points that are not there end it. An order that
    /// has ended meanwhile only writes down what became of them: Points hears of it and restores them.
    ///
    /// - Throws: `Refusal.pointsContradiction` or `.otherAmount`: an operator has to look at it.
    mutating func take(_ report: PointsReport, at now: Int64) throws(Refusal) -> Outcome {
        switch report {
        case .spent(let points): guard points == deductions?.points else { throw .otherAmount }
        case .restored(let points): guard points == pointsLeft else { throw .otherAmount }
        case .rejected: break
        }
        let isWaiting = status == .placed
        switch (points, report) {
        case (.spent, .spent), (.rejected, .rejected), (.restored, .restored):
            return .unchanged  // A repetition.
        case (.requested, .spent) where !isWaiting || isReserved:
            record(PointsSpent.type, points: .spent, at: now)
            return .changed(isWaiting ? requestPayment() : [])
        case (.requested, .rejected(let reason)) where !isWaiting || isReserved:
            record(PointsRejected.type, status: isWaiting ? .rejected : nil, points: .rejected, at: now)
            return .changed(isWaiting ? [rejected(because: reason)] : [])
        case (.spent, .restored) where status == .cancelled || status == .rejected:
            record(PointsRestored.type, points: .restored, at: now)
            return .changed([])
        case (nil, _), (.requested, _), (.spent, _), (.rejected, _), (.restored, _):
            throw .pointsContradiction(known: points, reported: report.status)
        }
    }

    /// Whether all that was to be reserved is or was.
    private var isReserved: Bool { stock != .requested && coupon != .requested }
}
