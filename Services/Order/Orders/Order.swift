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
/// What the shop reserves comes first: the payment is asked for when stock and coupon are reserved (`Order+Reservations`) and the
/// points are spent (`Order+Points`). Its parcel has a state of its own (`Order+Shipping`), and some of its lines may be cancelled
/// before the others (`Order+Parts`).
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
        /// Not yet: the order waits for what is reserved for it, or ended before it had it.
        case notRequested = "not-requested"
        /// Coupon and points paid for all of it.
        case notRequired = "not-required"
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
        /// Where the customer's dispute of the charge stands; nil where there is none.
        var dispute: DisputeState?
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
    private(set) var stock: ReservationStatus?
    /// Nil for an order without a coupon.
    private(set) var coupon: ReservationStatus?
    /// Nil for an order without points.
    private(set) var points: PointsStatus?
    /// What is to pay for the order beside the card; the discount is known when the coupon is redeemed.
    var deductions: Deductions?
    /// Nil in a shop that does not ship.
    private(set) var shipment: Shipment?
    /// What was cancelled of it, oldest first.
    private(set) var parts: [Part]
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
        stock: ReservationStatus? = nil,
        coupon: ReservationStatus? = nil,
        points: PointsStatus? = nil,
        deductions: Deductions? = nil,
        shipment: Shipment? = nil,
        parts: [Part] = [],
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
        self.coupon = coupon
        self.points = points
        self.deductions = deductions
        self.shipment = shipment
        self.parts = parts
        self.history = history
    }

    /// A new order of a checked draft, and the events that tell of it.
    ///
    /// Where there is nobody to wait for, nothing stands between placing and paying, and the payment is requested at once.
    ///
    /// - Parameters:
    ///   - awaitsStock: whether the shop has an Inventory, which reserves first.
    ///   - isShipped: whether the shop has a Shipping.
    static func place(
        _ draft: OrderDraft,
        id: String,
        awaitsStock: Bool = false,
        isShipped: Bool = false,
        by caller: String? = nil,
        at now: Int64
    ) -> (order: Order, events: [any Event]) {
        var order = Order(
            id: id,
            customer: draft.customer,
            lines: draft.lines,
            total: draft.total,
            paymentMethod: draft.paymentMethod,
            status: .placed,
            payment: Payment(status: .notRequested),
            stock: awaitsStock ? .requested : nil,
            coupon: draft.deductions?.coupon == nil ? nil : .requested,
            points: draft.deductions?.points == nil ? nil : .requested,
            deductions: draft.deductions,
            shipment: isShipped ? Shipment(addresses: draft.address.map { [$0] } ?? []) : nil,
            history: [
                HistoryEntry(
                    at: now,
                    event: OrderPlaced.type,
                    status: .placed,
                    payment: .notRequested,
                    caller: caller
                )
            ]
        )
        order.capPoints()
        let placed = OrderPlaced(
            orderID: id,
            customer: draft.customer,
            lines: draft.lines,
            total: draft.total,
            deductions: order.deductions
        )
        var events: [any Event] = [placed] + order.addressChanged
        if order.stock == nil, order.coupon == nil {
            events += order.isAwaited ? order.accept() : order.requestPayment()
        }
        return (order, events)
    }

    /// Whether anybody was asked before the payment: such an order has a deadline.
    var isAwaited: Bool { stock != nil || coupon != nil || points != nil }
    /// What the card has to pay.
    var due: Money { Money(amount: total.amount - (deductions?.amount ?? 0), currency: total.currency) }
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
        reservation: (kind: Reservation, status: ReservationStatus)? = nil,
        points: PointsStatus? = nil,
        shipment: Shipment? = nil,
        parts: [Part]? = nil,
        by caller: String? = nil,
        at now: Int64
    ) {
        if let status { self.status = status }
        if let payment { self.payment = payment }
        switch reservation {
        case (.stock, let status)?: stock = status
        case (.coupon, let status)?: coupon = status
        case nil: break
        }
        if let points { self.points = points }
        if let shipment { self.shipment = shipment }
        if let parts { self.parts = parts }
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
        /// Inventory or Coupon says what cannot be true beside what it said before; nil where it was not asked.
        case reservationContradiction(Reservation, known: ReservationStatus?, reported: ReservationStatus)
        /// Points says what cannot be true beside what it said before; nil where it was not asked.
        case pointsContradiction(known: PointsStatus?, reported: PointsStatus)
        /// Shipping says what cannot be true beside what it said before; nil where nothing is shipped.
        case shippingContradiction(known: ShippingStatus?, reported: ShippingStatus)
        /// The shop does not ship, or the order is from before it did.
        case notShipped
        /// A cancelled or rejected order is not sent anywhere.
        case ended
        /// The parcel is on its way.
        case dispatched
        /// An order can be given only so many addresses.
        case tooManyAddresses
        /// An order that is not decided, or whose stock, coupon or money is on its way, cannot be divided.
        case undecided
        /// There are not so many of an article to keep.
        case moreThanLeft(sku: String, left: Int)
        /// Nothing of any price would be left of the order.
        case nothingLeft
        /// An order can be cancelled only in so many parts.
        case tooManyParts
    }

    /// Cancels the order, whatever its payment is doing; Payment gives back or calls off the charge when it hears of it, and the
    /// others what is reserved or spent.
    ///
    /// - Throws: `Refusal.rejected`, or `.dispatched` for an order whose parcel is on its way.
    mutating func cancel(by caller: String? = nil, at now: Int64) throws(Refusal) -> Outcome {
        switch status {
        case .cancelled: return .unchanged
        case .rejected: throw .rejected
        case .placed, .confirmed:
            guard shipment?.dispatchedTo == nil else { throw .dispatched }
            record(OrderCancelled.type, status: .cancelled, by: caller, at: now)
            return .changed([cancelled()])
        }
    }

    func cancelled(because reason: String? = nil) -> OrderCancelled {
        OrderCancelled(orderID: id, customer: customer, total: total, reason: reason, deductions: deductions)
    }

    /// With the total, so that others can leave a mark where they have not heard of the order yet.
    func rejected(because reason: String) -> OrderRejected {
        OrderRejected(orderID: id, customer: customer, reason: reason, total: total, deductions: deductions)
    }

    var confirmed: OrderConfirmed {
        OrderConfirmed(orderID: id, customer: customer, total: total, deductions: deductions)
    }

    var paymentRequested: OrderPaymentRequested {
        OrderPaymentRequested(orderID: id, total: due, paymentMethod: paymentMethod)
    }

    // MARK: What follows within one change

    /// No more points are taken than there is left to pay.
    mutating func capPoints() {
        guard let wanted = deductions?.points else { return }
        let left = total.amount - (deductions?.discount ?? 0)
        deductions?.points = left == 0 ? nil : min(wanted, left)
        if left == 0 { points = nil }
    }

    /// All that was to be reserved is: points come next, and then the card.
    mutating func accept() -> [any Event] {
        guard points != nil else {
            return [OrderAccepted(orderID: id, total: total, deductions: deductions)] + requestPayment()
        }
        return [OrderAccepted(orderID: id, total: total, customer: customer, deductions: deductions)]
    }

    /// Asks for what is left to pay; an order that is paid for already is confirmed, and one whose rest no card can be charged with is
    /// rejected.
    mutating func requestPayment() -> [any Event] {
        guard due.amount > 0 else {
            follow(status: .confirmed, payment: .notRequired)
            return [confirmed]
        }
        guard Tender.refusal(of: due) == nil else {
            follow(status: .rejected, payment: .notRequested)
            return [rejected(because: "not-chargeable")]
        }
        follow(status: .placed, payment: .requested)
        return [paymentRequested]
    }

    /// Belongs to the change that was recorded last.
    private mutating func follow(status: Status, payment: PaymentStatus) {
        self.status = status
        self.payment = Payment(status: payment)
        guard let last = history.popLast() else { return }
        history.append(
            HistoryEntry(at: last.at, event: last.event, status: status, payment: payment, caller: last.caller)
        )
    }
}
