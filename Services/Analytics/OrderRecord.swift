import Events
import ShopEvents

/// What the data platform is told of an order: what became of it, for how much, and nothing of its customer.
struct OrderRecord: Codable, Sendable, Equatable {
    /// The event's id, which is the record's: the same event again is the same record.
    var id: String
    /// The event's type, `dev.warren.order.confirmed`.
    var type: String
    /// The order.
    var orderID: String
    /// When it happened, RFC 3339 in UTC.
    var occurredAt: String
    /// In minor units of the currency.
    var amount: Int64
    /// ISO 4217.
    var currency: String
    /// Why, where the event says so, as a stable code.
    var reason: String?

    /// Makes the record of an event.
    ///
    /// - Throws: `HandlerError`, permanent, for an event without the time that is a record's.
    init(_ envelope: Envelope, orderID: String, total: Money, reason: String? = nil) throws {
        guard let time = envelope.time else { throw Self.timeless }
        id = envelope.id
        type = envelope.type.rawValue
        self.orderID = orderID
        occurredAt = time
        amount = total.amount
        currency = total.currency
        self.reason = reason
    }
}
