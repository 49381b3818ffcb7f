import Database
import Events
import Messaging
import ShopEvents

/// A timeout of this service's own: an order should be decided by now.
///
/// It is not published.
struct OrderOverdue: Event, Equatable {
    static let type: EventType = "dev.warren.order.overdue"
    let orderID: String
    var subject: String { orderID }

    /// Under which key it is scheduled.
    static func key(of orderID: String) -> String { "order-deadline:\(orderID)" }
}

/// Writes down what became of orders: the state, the events that tell of it, and the deadline of those that wait for others.
///
/// Every call runs in the caller's transaction.
struct OrderDesk: Sendable {
    let store: OrderStore
    /// How long an order that waits for others may take to be decided, in milliseconds.
    let deadline: Int64

    init(store: OrderStore = OrderStore(), deadline: Int64 = 2 * 3_600_000) {
        self.store = store
        self.deadline = deadline
    }

    /// Stores a new order.
    func add(_ order: Order, _ events: [any Event], in transaction: Transaction) throws {
        try store.insert(order, in: transaction)
        for event in events { try transaction.append(event) }
        guard order.isAwaited, order.status == .placed else { return }
        try transaction.schedule(
            OrderOverdue(orderID: order.id),
            at: order.placedAt + deadline,
            key: OrderOverdue.key(of: order.id)
        )
    }

    /// Stores an order after exactly one change; one that is decided by it has no deadline any more.
    func change(_ order: Order, from before: Order.Status, _ events: [any Event], in transaction: Transaction) throws {
        try store.update(order, in: transaction)
        for event in events { try transaction.append(event) }
        if order.isAwaited, before == .placed, order.status != .placed {
            try transaction.cancelScheduled(key: OrderOverdue.key(of: order.id))
        }
    }
}
