import Events
import ShopEvents

/// What goes back of a captured payment for one partial cancellation: a value without I/O.
///
///     requested ──▶ pending ──▶ refunded
///         └─────────────────────▲
///
/// Whatever becomes of the payment as a whole meanwhile: when all of it is back, this is.
struct PartRefund: Sendable, Equatable {
    /// Where it is.
    enum State: String, Sendable, CaseIterable {
        /// The provider is to be asked, or was asked and has not answered.
        case requested
        /// The provider takes its time.
        case pending
        case refunded
    }

    let orderID: String
    /// Which partial cancellation of the order it is for, from 1.
    let number: Int
    let money: Money
    private(set) var state: State
    /// The provider's id of it, from when it is known.
    private(set) var refundID: String?
    /// Milliseconds since 1970.
    let createdAt: Int64
    private(set) var updatedAt: Int64

    init(
        orderID: String,
        number: Int,
        money: Money,
        state: State = .requested,
        refundID: String? = nil,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.orderID = orderID
        self.number = number
        self.money = money
        self.state = state
        self.refundID = refundID
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// The idempotency key of every attempt; like a payment's keys it follows from what it is for alone.
    var key: String { Payment.Purpose.order.key(part: number, orderID) }

    /// The provider takes its time with it.
    mutating func await(_ refundID: String, at now: Int64) {
        guard state == .requested else { return }
        state = .pending
        self.refundID = refundID
        updatedAt = now
    }

    /// The money is back.
    ///
    /// - Returns: nil when that has been told.
    mutating func refund(_ refundID: String, at now: Int64) -> PaymentPartlyRefunded? {
        guard state != .refunded else { return nil }
        state = .refunded
        self.refundID = refundID
        updatedAt = now
        return PaymentPartlyRefunded(orderID: orderID, number: number, refundID: refundID, total: money)
    }
}

/// A timeout of this service's own: the provider is to be asked what became of the refund of a part.
///
/// It is not published. One after the other asks, each with a key of its own.
struct PartRefundCheck: Event, Equatable {
    static let type: EventType = "dev.warren.payment.part-refund-check-due"
    let orderID: String
    /// The partial cancellation.
    let part: Int
    /// Which check it is, from 1.
    let number: Int
    var subject: String { orderID }

    /// Under which key it is scheduled.
    var key: String { "part-refund-check:\(orderID):\(part):\(number)" }

    /// The check after this one.
    var next: PartRefundCheck { PartRefundCheck(orderID: orderID, part: part, number: number + 1) }
}
