import Events
import ShopEvents
import Telemetry

/// An order as the API shows it.
///
/// The payment method stays inside.
struct OrderView: Encodable {
    struct HistoryEntry: Encodable {
        let at: String
        let event: String
        let status: Order.Status
        let payment: Order.PaymentStatus
        /// Who asked for it; absent where an event did.
        let by: String?
    }

    /// A partial cancellation.
    struct Part: Encodable {
        let number: Int
        let lines: [OrderLine]
        /// What the card gets back; absent where that is nothing.
        let refund: Money?
        /// The points that are the customer's again; absent where none are.
        let points: Int64?
        let refundStatus: Order.RefundStatus
    }

    let id: String
    let status: Order.Status
    let payment: Order.Payment
    /// Absent in a shop without Inventory.
    let stockStatus: Order.ReservationStatus?
    /// Absent without a coupon.
    let couponStatus: Order.ReservationStatus?
    /// Absent without points.
    let pointsStatus: Order.PointsStatus?
    /// Absent in a shop that does not ship, as the three that follow.
    let shippingStatus: Order.ShippingStatus?
    /// Where the parcel goes; absent as long as there is no address.
    let shippingAddress: PostalAddress?
    /// The courier's name of the parcel; absent before it is on its way.
    let trackingCode: String?
    /// The courier's code where it does not take the parcel to the address.
    let shippingReason: String?
    let customer: Customer
    /// As they were ordered.
    let lines: [OrderLine]
    let total: Money
    /// What was cancelled of the lines, oldest first; absent where nothing was.
    let cancelled: [Part]?
    /// What pays beside the card; absent where nothing does.
    let deductions: Deductions?
    /// What the card pays; absent where that is the total.
    let due: Money?
    let placedAt: String
    let updatedAt: String
    let history: [HistoryEntry]

    init(_ order: Order) {
        id = order.id
        status = order.status
        payment = order.payment
        stockStatus = order.stock
        couponStatus = order.coupon
        pointsStatus = order.points
        shippingStatus = order.shipment?.status
        shippingAddress = order.shipment?.address
        trackingCode = order.shipment?.trackingCode
        shippingReason = order.shipment?.reason
        customer = order.customer
        lines = order.lines
        total = order.total
        let parts = order.parts.enumerated().map { index, part in
            Part(
                number: index + 1,
                lines: part.lines,
                refund: part.refund.map { Money(amount: $0, currency: order.total.currency) },
                points: part.points,
                refundStatus: part.refundStatus
            )
        }
        cancelled = parts.isEmpty ? nil : parts
        deductions = order.deductions
        due = order.deductions == nil ? nil : order.due
        placedAt = Timestamp(milliseconds: order.placedAt).description
        updatedAt = Timestamp(milliseconds: order.updatedAt).description
        history = order.history.map { entry in
            HistoryEntry(
                at: Timestamp(milliseconds: entry.at).description,
                event: entry.event.rawValue,
                status: entry.status,
                payment: entry.payment,
                by: entry.caller
            )
        }
    }
}

/// An order in a listing, without the customer and the lines.
struct OrderSummary: Encodable, Sendable, Equatable {
    let id: String
    let status: Order.Status
    let payment: Order.Payment
    /// Absent in a shop without Inventory.
    let stockStatus: Order.ReservationStatus?
    /// Absent without a coupon.
    let couponStatus: Order.ReservationStatus?
    /// Absent without points.
    let pointsStatus: Order.PointsStatus?
    /// Absent in a shop that does not ship.
    let shippingStatus: Order.ShippingStatus?
    let total: Money
    let placedAt: String
    let updatedAt: String
}

/// One page of a listing.
struct OrderPage: Encodable {
    let orders: [OrderSummary]
    /// The `after` of the next page; absent on the last.
    let next: String?
}
