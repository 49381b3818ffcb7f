import ServiceKit
import ShopEvents
import Telemetry

/// A product as the API shows it.
struct ProductView: Encodable {
    let sku: String
    let name: String
    let price: Money
    let onHand: Int
    let reserved: Int
    let available: Int
    let level: StockLevel
    let updatedAt: String

    init(_ product: Product, low: Int) {
        sku = product.sku
        name = product.name
        price = product.price
        onHand = product.stock.onHand
        reserved = product.stock.reserved
        available = product.stock.available
        level = product.stock.level(low: low)
        updatedAt = Timestamp(milliseconds: product.updatedAt).description
    }
}

/// One page of products.
struct ProductPage: Encodable {
    let products: [ProductView]
    /// The `after` of the next page; null on the last.
    @OrNull var next: String?
}

/// A reservation as the API shows it; what does not apply is left out.
struct ReservationView: Encodable {
    let id: String
    let state: Reservation.State
    let lines: [Reservation.Line]
    let orderID: String?
    let reason: Reservation.Reason?
    let expiresAt: String
    let createdAt: String
    let updatedAt: String

    init(_ reservation: Reservation) {
        id = reservation.id
        state = reservation.state
        lines = reservation.lines
        orderID = reservation.owner == .order ? reservation.id : nil
        reason = reservation.reason
        expiresAt = Timestamp(milliseconds: reservation.expiresAt).description
        createdAt = Timestamp(milliseconds: reservation.createdAt).description
        updatedAt = Timestamp(milliseconds: reservation.updatedAt).description
    }
}
