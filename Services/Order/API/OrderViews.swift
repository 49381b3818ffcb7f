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

    let id: String
    let status: Order.Status
    let payment: Order.Payment
    /// Absent in a shop without Inventory.
    let stockStatus: Order.StockStatus?
    let customer: Customer
    let lines: [OrderLine]
    let total: Money
    let placedAt: String
    let updatedAt: String
    let history: [HistoryEntry]

    init(_ order: Order) {
        id = order.id
        status = order.status
        payment = order.payment
        stockStatus = order.stock
        customer = order.customer
        lines = order.lines
        total = order.total
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
    let stockStatus: Order.StockStatus?
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
