import Events

/// It is time to ask the courier for what a shipment needs then: a timeout of this service's own, which is not published.
///
/// It names the order alone. What is asked is decided when it is handled, by the shipment as it is at that moment: a retry never
/// brings an address that has been replaced, and no event of the order waits behind it.
struct CourierTurn: Event, Equatable {
    static let type: EventType = "dev.warren.shipping.courier-turn"
    let orderID: String
    var subject: String { orderID }

    /// Under which key it is scheduled: at most one waits per order.
    static func key(of orderID: String) -> String { "courier:\(orderID)" }
}
