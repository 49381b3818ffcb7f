import Events
import ShopEvents

extension Order {
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
        case (.notRequested, .voided) where status != .placed: return voided(at: now)
        case (.requested, .refunding), (.captured, .refunding), (.declined, .refunding), (.voided, .refunding):
            return refunding(at: now)
        case (.requested, .refunded), (.captured, .refunded), (.declined, .refunded), (.refunding, .refunded),
            (.voided, .refunded):
            return refunded(at: now)
        case (.captured, .declined), (.captured, .voided), (.refunding, .declined), (.refunding, .voided),
            (.refunded, .declined), (.refunded, .voided), (.notRequested, _):
            throw .contradiction(known: payment.status, reported: report.status)
        }
    }

    /// Whether the payment had ended without a charge before one came to light.
    private var isLate: Bool { history.contains { $0.payment == .declined || $0.payment == .voided } }

    private mutating func captured(at now: Int64) -> Outcome {
        let isWanted = status == .placed
        record(
            PaymentCaptured.type,
            status: isWanted ? .confirmed : nil,
            payment: Payment(status: .captured),
            at: now
        )
        return .changed(isWanted ? [OrderConfirmed(orderID: id, customer: customer, total: total)] : [])
    }

    private mutating func declined(_ reason: String, at now: Int64) -> Outcome {
        let payment = Payment(status: .declined, reason: reason)
        return closedUnpaid(payment, because: "payment-declined", by: PaymentDeclined.type, at: now)
    }

    private mutating func voided(at now: Int64) -> Outcome {
        let payment = Payment(status: .voided, reason: payment.reason)
        return closedUnpaid(payment, because: "payment-voided", by: PaymentVoided.type, at: now)
    }

    /// An order that still waits for its money will not get it: it is rejected.
    ///
    /// One already cancelled stays so.
    private mutating func closedUnpaid(
        _ payment: Payment,
        because reason: String,
        by event: EventType,
        at now: Int64
    ) -> Outcome {
        let isWaiting = status == .placed
        record(event, status: isWaiting ? .rejected : nil, payment: payment, at: now)
        return .changed(isWaiting ? [OrderRejected(orderID: id, customer: customer, reason: reason)] : [])
    }

    private mutating func refunding(at now: Int64) -> Outcome {
        record(PaymentRefundRequested.type, payment: Payment(status: .refunding, reason: payment.reason), at: now)
        return .changed([])
    }

    /// Money that went back without a cancel (by the provider's own hand) cancels the order: it is not paid any more.
    ///
    /// A rejected order stays rejected: what went back is a charge that came to light after its payment had ended.
    private mutating func refunded(at now: Int64) -> Outcome {
        let reason = isLate ? "late-charge" : nil
        let isOpen = status == .placed || status == .confirmed
        record(
            PaymentRefunded.type,
            status: isOpen ? .cancelled : nil,
            payment: Payment(status: .refunded, reason: payment.reason),
            at: now
        )
        let refunded = OrderRefunded(orderID: id, customer: customer, total: total, reason: reason)
        return .changed(isOpen ? [cancelled(), refunded] : [refunded])
    }
}
