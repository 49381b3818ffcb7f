import Database
import Events
import Messaging

// Timeouts of this service's own; they are not published.

/// A redemption that is still held has not been confirmed in time.
struct RedemptionExpiryDue: Event, Equatable {
    static let type: EventType = "dev.warren.coupon.redemption-expiry-due"
    let orderID: String
    var subject: String { orderID }
}

/// A redemption has waited for another order's coupon as long as it may.
struct RedemptionWaitOver: Event, Equatable {
    static let type: EventType = "dev.warren.coupon.redemption-wait-over"
    let orderID: String
    var subject: String { orderID }
}

/// More redemptions wait for a coupon than one transaction looks at: it is the next ones' turn.
struct WaitingRedemptionsDue: Event, Equatable {
    static let type: EventType = "dev.warren.coupon.waiting-redemptions-due"
    let coupon: String
    var subject: String { coupon }

    /// Under which key it is scheduled.
    var key: String { "waiting-redemptions:\(coupon)" }
}

extension Redemption {
    /// Under which key its deadline is scheduled.
    func key(of kind: Deadline.Kind) -> String { "redemption-\(kind.rawValue):\(orderID)" }
}

extension Transaction {
    /// Schedules what happens to a redemption by itself from now on, and takes back what would have before.
    func moveDeadline(of redemption: Redemption, from before: Redemption?) throws {
        guard redemption.deadline != before?.deadline else { return }
        if let before, let old = before.deadline, old.kind != redemption.deadline?.kind {
            try cancelScheduled(key: before.key(of: old.kind))
        }
        guard let deadline = redemption.deadline else { return }
        let key = redemption.key(of: deadline.kind)
        switch deadline.kind {
        case .expiry: try schedule(RedemptionExpiryDue(orderID: redemption.orderID), at: deadline.at, key: key)
        case .wait: try schedule(RedemptionWaitOver(orderID: redemption.orderID), at: deadline.at, key: key)
        }
    }
}
