import ShopEvents

/// The payment of one order, or of one charge of points: a value without I/O, whose methods are the only ways from state to state.
///
///     (requested) ──▶ pending ──▶ captured ──▶ refunding ──▶ refunded
///                        │  └───▶ declined ┄┄┄┄▲
///                        └──────▶ voided ┄┄┄┄┄┄┘  a charge that nobody wants any more is refunded
///     (cancelled first) ──▶ voided
///
/// Whatever arrives in whatever order, each state has an answer:
///
/// | state     | payment requested     | order cancelled | found charged       | found declined | found not charged |
/// | --------- | --------------------- | --------------- | ------------------- | -------------- | ----------------- |
/// | (no row)  | pending, charge       | voided          |                     |                |                   |
/// | pending   | look up, charge       | look up, void   | captured            | declined       | voided            |
/// | captured  | nothing               | refunding       | nothing             | nothing        | nothing           |
/// | declined  | nothing               | nothing         | refunding           | nothing        | nothing           |
/// | voided    | look up, never charge | nothing         | refunding           | nothing        | nothing           |
/// | refunding | go on refunding       | go on refunding | nothing             | nothing        | nothing           |
/// | refunded  | nothing               | nothing         | nothing             | nothing        | nothing           |
///
/// Found wholly refunded, whoever did it: `captured` and `refunding` become `refunded`; in the other states it means nothing.
struct Payment: Sendable, Equatable {
    /// Where the payment is.
    enum State: String, Sendable, CaseIterable {
        /// The provider is to be asked, or was asked and has not answered: the outcome is unknown.
        case pending
        case captured
        case declined
        /// Called off before anything was charged; it will not be charged.
        case voided
        /// Charged, and on its way back: that may take days.
        case refunding
        case refunded
    }

    /// What the provider was asked to charge.
    struct Charge: Sendable, Equatable {
        /// The provider's token of the card.
        let paymentMethod: String
        /// The idempotency key of every attempt; it never changes.
        let key: String
        /// When the key was made, in milliseconds since 1970.
        let keyAt: Int64
    }

    /// What became of a charge.
    enum Outcome: Sendable, Equatable {
        case captured(paymentID: String)
        case declined(reason: String)
        /// It was not made and cannot be made any more.
        case voided
    }

    /// What others are told.
    enum Announcement: Sendable, Equatable {
        case captured(PaymentCaptured)
        case declined(PaymentDeclined)
        case voided(PaymentVoided)
        case refundRequested(PaymentRefundRequested)
        case refunded(PaymentRefunded)
    }

    /// What is to be done about a requested payment.
    enum RequestStep: Sendable, Equatable {
        case nothing
        /// Charge; look up first whether an earlier attempt did.
        case charge(lookUpFirst: Bool)
        /// Look up whether it was charged all the same.
        case lookForLateCharge
        case refund
    }

    /// What is to be done about a cancelled order.
    enum CancellationStep: Sendable, Equatable {
        case nothing
        /// Find out what became of the charge, and see to it that none is made.
        case callOff
        /// Refund; look up first whether an earlier attempt did.
        case refund(lookUpFirst: Bool)
    }

    /// The order, or the charge of points.
    let orderID: String
    let purpose: Purpose
    let total: Money
    /// Nil when the cancellation came before the request.
    let charge: Charge?
    private(set) var state: State
    /// The provider's id of the charge.
    private(set) var paymentID: String?
    /// The idempotency key of every attempt to refund.
    private(set) var refundKey: String?
    /// The provider's id of the refund, from when it is known.
    private(set) var refundID: String?
    private(set) var declineReason: String?
    /// Milliseconds since 1970.
    let createdAt: Int64
    private(set) var updatedAt: Int64

    /// A payment as it is stored.
    init(
        orderID: String,
        purpose: Purpose = .order,
        total: Money,
        charge: Charge?,
        state: State,
        paymentID: String? = nil,
        refundKey: String? = nil,
        refundID: String? = nil,
        declineReason: String? = nil,
        createdAt: Int64,
        updatedAt: Int64
    ) {
        self.orderID = orderID
        self.purpose = purpose
        self.total = total
        self.charge = charge
        self.state = state
        self.paymentID = paymentID
        self.refundKey = refundKey
        self.refundID = refundID
        self.declineReason = declineReason
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    // MARK: Beginnings

    /// The payment of an order, or of a charge of points, that asks for one.
    static func requested(
        orderID: String,
        purpose: Purpose = .order,
        total: Money,
        paymentMethod: String,
        at now: Int64
    ) -> Payment {
        let charge = Charge(paymentMethod: paymentMethod, key: purpose.key(.charge, orderID), keyAt: now)
        return Payment(
            orderID: orderID,
            purpose: purpose,
            total: total,
            charge: charge,
            state: .pending,
            createdAt: now,
            updatedAt: now
        )
    }

    /// What stays of an order that was cancelled before it asked: a request that comes later does nothing.
    static func cancelledFirst(orderID: String, total: Money, at now: Int64) -> (Payment, Announcement) {
        let payment = Payment(
            orderID: orderID,
            total: total,
            charge: nil,
            state: .voided,
            createdAt: now,
            updatedAt: now
        )
        return (payment, .voided(PaymentVoided(orderID: orderID)))
    }

    // MARK: Events

    /// What a request, new or repeated, leads to.
    /// - Parameter isNew: the payment was made for this request, so that the provider cannot know it yet.
    func requestStep(isNew: Bool) -> RequestStep {
        switch state {
        case .pending: .charge(lookUpFirst: !isNew)
        case .voided: charge == nil ? .nothing : .lookForLateCharge
        case .refunding: .refund
        case .captured, .declined, .refunded: .nothing
        }
    }

    /// Whether a request asks for the same as the one that the payment was made for; any does after a cancellation.
    func agrees(total: Money, paymentMethod: String, purpose: Purpose = .order) -> Bool {
        guard self.purpose == purpose else { return false }
        guard let charge else { return true }
        return self.total == total && charge.paymentMethod == paymentMethod
    }

    /// The order was cancelled: what is captured is refunded from here on.
    mutating func cancel(at now: Int64) -> CancellationStep {
        switch state {
        case .pending:
            return .callOff
        case .captured:
            beginRefund(at: now)
            return .refund(lookUpFirst: false)
        case .refunding:
            return .refund(lookUpFirst: true)
        case .declined, .voided, .refunded:
            return .nothing
        }
    }

    /// The provider said what became of the charge.
    ///
    /// A charge that is found on a payment which had ended without one is recorded, announced and refunded.
    mutating func settle(_ outcome: Outcome, at now: Int64) -> Announcement? {
        switch (state, outcome) {
        case (.pending, .captured(let paymentID)):
            state = .captured
            return captured(paymentID, at: now)
        case (.declined, .captured(let paymentID)), (.voided, .captured(let paymentID)):
            beginRefund(at: now)
            return captured(paymentID, at: now)
        case (.pending, .declined(let reason)):
            state = .declined
            declineReason = reason
            updatedAt = now
            return .declined(PaymentDeclined(orderID: orderID, reason: reason))
        case (.pending, .voided):
            state = .voided
            updatedAt = now
            return .voided(PaymentVoided(orderID: orderID))
        case (.captured, _), (.refunding, _), (.refunded, _), (.declined, _), (.voided, _):
            return nil
        }
    }

    private mutating func captured(_ paymentID: String, at now: Int64) -> Announcement {
        self.paymentID = paymentID
        updatedAt = now
        return .captured(PaymentCaptured(orderID: orderID, paymentID: paymentID, total: total))
    }

    /// The provider takes its time with giving the money back.
    /// - Returns: nil when that has been told.
    mutating func awaitRefund(_ refundID: String, at now: Int64) -> Announcement? {
        guard state == .refunding, self.refundID == nil else { return nil }
        self.refundID = refundID
        updatedAt = now
        return .refundRequested(PaymentRefundRequested(orderID: orderID, refundID: refundID, total: total))
    }

    /// The provider gave the money back.
    mutating func refund(_ refundID: String, at now: Int64) -> Announcement? {
        guard state == .refunding else { return nil }
        state = .refunded
        self.refundID = refundID
        updatedAt = now
        return .refunded(PaymentRefunded(orderID: orderID, refundID: refundID, total: total))
    }

    /// All of the money is back, whoever gave it: this service, or somebody in the provider's dashboard.
    mutating func foundRefunded(_ refundID: String, at now: Int64) -> Announcement? {
        if state == .captured { beginRefund(at: now) }
        return refund(refundID, at: now)
    }

    private mutating func beginRefund(at now: Int64) {
        state = .refunding
        refundKey = purpose.key(.refund, orderID)
        updatedAt = now
    }
}
