import Events
import ShopEvents

/// An order: the aggregate of this service, a pure value.
///
/// Its transitions take what happened and answer with the events to append; whoever calls does the input and output.
/// A refused transition leaves it as it was.
///
///     placed ──captured──▶ confirmed ──cancel──▶ cancelled
///        │ └───────────────cancel──────────────────▲
///        └──declined──▶ rejected
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
        history: [HistoryEntry]
    ) {
        self.id = id
        self.customer = customer
        self.lines = lines
        self.total = total
        self.paymentMethod = paymentMethod
        self.status = status
        self.payment = payment
        self.history = history
    }

    /// A new order of a checked draft, and the events that tell of it.
    ///
    /// Nothing stands between placing and paying, so the payment is requested at once.
    static func place(
        _ draft: OrderDraft,
        id: String,
        by caller: String? = nil,
        at now: Int64
    ) -> (order: Order, events: [any Event]) {
        let order = Order(
            id: id,
            customer: draft.customer,
            lines: draft.lines,
            total: draft.total,
            paymentMethod: draft.paymentMethod,
            status: .placed,
            payment: Payment(status: .requested),
            history: [
                HistoryEntry(
                    at: now,
                    event: OrderPlaced.type,
                    status: .placed,
                    payment: .requested,
                    caller: caller
                )
            ]
        )
        return (
            order,
            [
                OrderPlaced(orderID: id, customer: draft.customer, lines: draft.lines, total: draft.total),
                OrderPaymentRequested(orderID: id, total: draft.total, paymentMethod: draft.paymentMethod),
            ]
        )
    }

    /// When the order was placed, milliseconds since 1970.
    var placedAt: Int64 { history.first?.at ?? 0 }
    /// Who placed it.
    var placedBy: String? { history.first?.caller }
    /// When it last changed, milliseconds since 1970.
    var updatedAt: Int64 { history.last?.at ?? 0 }
    /// How many changes the order has seen; guards it against two writers.
    var version: Int { history.count }
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
    }

    /// What Payment reports.
    enum PaymentReport: Sendable, Equatable {
        case captured(Money)
        case declined(reason: String)
        case refunding(Money)
        case refunded(Money)
        case voided

        var status: PaymentStatus {
            switch self {
            case .captured: .captured
            case .declined: .declined
            case .refunding: .refunding
            case .refunded: .refunded
            case .voided: .voided
            }
        }
    }

    /// Cancels the order, whatever its payment is doing; Payment gives back or calls off the charge when it hears of it.
    ///
    /// - Throws: `Refusal.rejected`.
    mutating func cancel(by caller: String? = nil, at now: Int64) throws(Refusal) -> Outcome {
        switch status {
        case .cancelled: return .unchanged
        case .rejected: throw .rejected
        case .placed, .confirmed:
            status = .cancelled
            record(OrderCancelled.type, by: caller, at: now)
            return .changed([cancelled])
        }
    }

    /// Takes what Payment reports.
    ///
    /// Payment's events may come late, twice or after a cancel: every pair has its result.
    ///
    /// - Throws: `Refusal.contradiction` or `.otherAmount`: an operator has to look at it.
    mutating func take(_ report: PaymentReport, at now: Int64) throws(Refusal) -> Outcome {
        switch report {
        case .captured(let amount), .refunding(let amount), .refunded(let amount):
            guard amount == total else { throw .otherAmount }
        case .declined, .voided: break
        }
        switch (payment.status, report) {
        case (.captured, .captured), (.declined, .declined), (.refunding, .refunding), (.refunded, .refunded),
            (.voided, .voided):
            return .unchanged  // A repetition.
        case (.refunding, .captured), (.refunded, .captured), (.refunded, .refunding):
            return .unchanged  // The refund overtook what came before it.
        case (.declined, .voided), (.voided, .declined):
            return .unchanged  // Both say that nothing is charged.
        case (.requested, .captured), (.declined, .captured), (.voided, .captured): return captured(at: now)
        case (.requested, .declined(let reason)): return declined(reason, at: now)
        case (.requested, .voided): return voided(at: now)
        case (.requested, .refunding), (.captured, .refunding), (.declined, .refunding), (.voided, .refunding):
            return refunding(at: now)
        case (.requested, .refunded), (.captured, .refunded), (.declined, .refunded), (.refunding, .refunded),
            (.voided, .refunded):
            return refunded(at: now)
        case (.captured, .declined), (.captured, .voided), (.refunding, .declined), (.refunding, .voided),
            (.refunded, .declined), (.refunded, .voided):
            throw .contradiction(known: payment.status, reported: report.status)
        }
    }

    /// Whether the payment had ended without a charge before one came to light.
    private var isLate: Bool { history.contains { $0.payment == .declined || $0.payment == .voided } }

    private mutating func captured(at now: Int64) -> Outcome {
        payment = Payment(status: .captured)
        let isWanted = status == .placed
        if isWanted { status = .confirmed }
        record(PaymentCaptured.type, at: now)
        return .changed(isWanted ? [OrderConfirmed(orderID: id, customer: customer, total: total)] : [])
    }

    private mutating func declined(_ reason: String, at now: Int64) -> Outcome {
        payment = Payment(status: .declined, reason: reason)
        return closedUnpaid(because: "payment-declined", by: PaymentDeclined.type, at: now)
    }

    private mutating func voided(at now: Int64) -> Outcome {
        payment.status = .voided
        return closedUnpaid(because: "payment-voided", by: PaymentVoided.type, at: now)
    }

    /// An order that still waits for its money will not get it: it is rejected.
    ///
    /// One already cancelled stays so.
    private mutating func closedUnpaid(because reason: String, by event: EventType, at now: Int64) -> Outcome {
        let isWaiting = status == .placed
        if isWaiting { status = .rejected }
        record(event, at: now)
        return .changed(isWaiting ? [OrderRejected(orderID: id, customer: customer, reason: reason)] : [])
    }

    private mutating func refunding(at now: Int64) -> Outcome {
        payment.status = .refunding
        record(PaymentRefundRequested.type, at: now)
        return .changed([])
    }

    /// Money that went back without a cancel (by the provider's own hand) cancels the order: it is not paid any more.
    ///
    /// A rejected order stays rejected: what went back is a charge that came to light after its payment had ended.
    private mutating func refunded(at now: Int64) -> Outcome {
        let reason = isLate ? "late-charge" : nil
        payment.status = .refunded
        let isOpen = status == .placed || status == .confirmed
        if isOpen { status = .cancelled }
        record(PaymentRefunded.type, at: now)
        let refunded = OrderRefunded(orderID: id, customer: customer, total: total, reason: reason)
        return .changed(isOpen ? [cancelled, refunded] : [refunded])
    }

    private var cancelled: OrderCancelled { OrderCancelled(orderID: id, customer: customer, total: total) }

    private mutating func record(_ event: EventType, by caller: String? = nil, at now: Int64) {
        let entry = HistoryEntry(
            at: max(now, updatedAt),
            event: event,
            status: status,
            payment: payment.status,
            caller: caller
        )
        history.append(entry)
    }
}
