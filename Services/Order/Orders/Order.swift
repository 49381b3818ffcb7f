import Events
import ShopEvents

/// An order: the aggregate of this service, a pure value.
///
/// Its transitions take what happened and answer with the events to append; whoever calls does the input and output.
/// A refused transition leaves it as it was.
///
///     placed ──captured──▶ confirmed ──cancel──▶ cancelled
///        │ └───────────────cancel──────────────────▲
///        └──declined, no stock, too late──▶ rejected
///
/// In a shop with Inventory its stock comes first: the payment is asked for when that is reserved (`Order+Stock`).
///
/// The payment runs beside it: `requested` becomes `captured`, `declined` or `voided`, and `captured` becomes
/// `refunded`, by way of `refunding` where that takes time. A charge may come to light after `declined` and `voided`; it
/// goes back. An order that is cancelled or rejected goes on recording what became of its payment.
struct Order: Sendable, Equatable {
    /// Where the order stands.
    enum Status: String, Sendable, Codable, CaseIterable {
        case placed
        case confirmed
        case rejected
        case cancelled
    }

    /// Where the order's payment stands.
    enum PaymentStatus: String, Sendable, Codable, CaseIterable {
        /// Not yet: the order waits for its stock, or ended before it had it.
        case notRequested = "not-requested"
        case requested
        case captured
        case declined
        /// Charged, and on its way back: that may take days.
        case refunding
        case refunded
        case voided
    }

    /// The order's payment, as Payment has reported it.
    struct Payment: Sendable, Equatable, Codable {
        var status: PaymentStatus
        /// The provider's code when it declined (`insufficient_funds`) or did not take the order as it is.
        var reason: String?
    }

    /// Where the order's stock stands, as Inventory has reported it.
    enum StockStatus: String, Sendable, Codable, CaseIterable {
        /// Asked for by `order.placed`.
        case requested
        case reserved
        /// Taken out of the stock for good.
        case confirmed
        case rejected
        /// Given back: the reservation expired, or the order ended.
        case released
    }

    /// What happened to the order and how it stood afterwards.
    struct HistoryEntry: Sendable, Equatable {
        /// Milliseconds since 1970.
        let at: Int64
        /// The event that changed the order: its own, or the one that it received.
        let event: EventType
        let status: Status
        let payment: PaymentStatus
        /// Who asked for it over the API (`Caller.text`); nil where an event did.
        var caller: String?
    }

    let id: String
    let customer: Customer
    let lines: [OrderLine]
    let total: Money
    /// The provider's token of the customer's payment method.
    let paymentMethod: String
    private(set) var status: Status
    private(set) var payment: Payment
    /// Nil in a shop without Inventory.
    private(set) var stock: StockStatus?
    /// Oldest first; every change adds exactly one entry.
    private(set) var history: [HistoryEntry]

    /// Restores an order from its store.
    init(
        id: String,
        customer: Customer,
        lines: [OrderLine],
        total: Money,
        paymentMethod: String,
        status: Status,
        payment: Payment,
        stock: StockStatus? = nil,
        history: [HistoryEntry]
    ) {
        self.id = id
        self.customer = customer
        self.lines = lines
        self.total = total
        self.paymentMethod = paymentMethod
        self.status = status
        self.payment = payment
        self.stock = stock
        self.history = history
    }

    /// A new order of a checked draft, and the events that tell of it.
    ///
    /// - Parameter awaitsStock: whether the shop has an Inventory, which reserves first; otherwise nothing stands between
    ///   placing and paying, and the payment is requested at once.
    static func place(
        _ draft: OrderDraft,
        id: String,
        awaitsStock: Bool = false,
        by caller: String? = nil,
        at now: Int64
    ) -> (order: Order, events: [any Event]) {
        let payment = awaitsStock ? PaymentStatus.notRequested : .requested
        let order = Order(
            id: id,
            customer: draft.customer,
            lines: draft.lines,
            total: draft.total,
            paymentMethod: draft.paymentMethod,
            status: .placed,
            payment: Payment(status: payment),
            stock: awaitsStock ? .requested : nil,
            history: [
                HistoryEntry(at: now, event: OrderPlaced.type, status: .placed, payment: payment, caller: caller)
            ]
        )
        let placed = OrderPlaced(orderID: id, customer: draft.customer, lines: draft.lines, total: draft.total)
        return (order, awaitsStock ? [placed] : [placed, order.paymentRequested])
    }

    /// When the order was placed, milliseconds since 1970.
    var placedAt: Int64 { history.first?.at ?? 0 }
    /// Who placed it.
    var placedBy: String? { history.first?.caller }
    /// When it last changed, milliseconds since 1970.
    var updatedAt: Int64 { history.last?.at ?? 0 }
    /// How many changes the order has seen; guards it against two writers.
    var version: Int { history.count }

    /// Changes what stands there, and adds the entry that says so: the only way in which an order changes.
    mutating func record(
        _ event: EventType,
        status: Status? = nil,
        payment: Payment? = nil,
        stock: StockStatus? = nil,
        by caller: String? = nil,
        at now: Int64
    ) {
        if let status { self.status = status }
        if let payment { self.payment = payment }
        if let stock { self.stock = stock }
        let entry = HistoryEntry(
            at: max(now, updatedAt),
            event: event,
            status: self.status,
            payment: self.payment.status,
            caller: caller
        )
        history.append(entry)
    }
}

extension Order {
    /// What a transition came to.
    enum Outcome: Sendable {
        /// Nothing new: the order knew it already, or a later event has overtaken it.
        case unchanged
        /// The order changed; these events tell of it.
        case changed([any Event])
    }

    /// Why a transition is refused.
    enum Refusal: Error, Equatable {
        /// A rejected order cannot be cancelled.
        case rejected
        /// Payment says what cannot be true beside what it said before.
        case contradiction(known: PaymentStatus, reported: PaymentStatus)
        /// Payment speaks of another amount than the order's.
        case otherAmount
        /// Inventory says what cannot be true beside what it said before; nil where it was not asked.
        case stockContradiction(known: StockStatus?, reported: StockStatus)
    }

    /// Cancels the order, whatever its payment is doing; Payment gives back or calls off the charge when it hears of it, and
    /// Inventory what is reserved.
    ///
    /// - Throws: `Refusal.rejected`.
    mutating func cancel(by caller: String? = nil, at now: Int64) throws(Refusal) -> Outcome {
        switch status {
        case .cancelled: return .unchanged
        case .rejected: throw .rejected
        case .placed, .confirmed:
            record(OrderCancelled.type, status: .cancelled, by: caller, at: now)
            return .changed([cancelled()])
        }
    }

    func cancelled(because reason: String? = nil) -> OrderCancelled {
        OrderCancelled(orderID: id, customer: customer, total: total, reason: reason)
    }

    var paymentRequested: OrderPaymentRequested {
        OrderPaymentRequested(orderID: id, total: total, paymentMethod: paymentMethod)
    }
}
