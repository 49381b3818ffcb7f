import Events

/// A timeout of this service's own: the provider is to be asked what became of a refund that it takes its time with.
///
/// It is not published. One after the other asks, each with a key of its own.
struct RefundCheck: Event, Equatable {
    static let type: EventType = "dev.warren.payment.refund-check-due"
    let orderID: String
    /// Which check it is, from 1.
    let number: Int
    var subject: String { orderID }

    /// Under which key it is scheduled.
    var key: String { "refund-check:\(orderID):\(number)" }

    /// The check after this one.
    var next: RefundCheck { RefundCheck(orderID: orderID, number: number + 1) }

    /// How long a refund may take before a person has to look, in milliseconds: 30 days.
    static let patience: Int64 = 30 * 24 * 3_600_000

    /// When to ask again, in milliseconds since 1970: after as long as the refund is under way, between a second and six
    /// hours.
    static func due(of refundAt: Int64, now: Int64) -> Int64 {
        now + min(max(now - refundAt, 1_000), 6 * 3_600_000)
    }
}
