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
            guard amount == due else { throw .otherAmount }
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
        case (.notRequired, .voided) where status != .confirmed:
            return .unchanged  // Nothing was to be charged, and nothing is.
        case (.requested, .refunding), (.captured, .refunding), (.declined, .refunding), (.voided, .refunding):
            return refunding(at: now)
        case (.requested, .refunded), (.captured, .refunded), (.declined, .refunded), (.refunding, .refunded),
            (.voided, .refunded):
            return refunded(at: now)
        case (.captured, .declined), (.captured, .voided), (.refunding, .declined), (.refunding, .voided),
            (.refunded, .declined), (.refunded, .voided), (.notRequested, _), (.notRequired, _):
            throw .contradiction(known: payment.status, reported: report.status)
        }
    }

    /// Whether the payment had ended without a charge before one came to light.
    private var isLate: Bool { history.contains { $0.payment == .declined || $0.payment == .voided } }

    private mutating func captured(at now: Int64) -> Outcome {
        let isWanted = status == .placed
        var payment = payment.becoming(.captured)
        payment.reason = nil
        record(
            PaymentCaptured.type,
            status: isWanted ? .confirmed : nil,
            payment: payment,
            at: now
        )
        return .changed(isWanted ? [confirmed] : [])
    }

    private mutating func declined(_ reason: String, at now: Int64) -> Outcome {
        var payment = payment.becoming(.declined)
        payment.reason = reason
        return closedUnpaid(payment, because: "payment-declined", by: PaymentDeclined.type, at: now)
    }

    private mutating func voided(at now: Int64) -> Outcome {
        return closedUnpaid(payment.becoming(.voided), because: "payment-voided", by: PaymentVoided.type, at: now)
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
        return .changed(isWaiting ? [unpaid(because: reason)] : [])
    }

    /// Without a total: the payment has ended by itself, and Payment need not hear of it.
    private func unpaid(because reason: String) -> OrderRejected {
        OrderRejected(orderID: id, customer: customer, reason: reason, deductions: deductions)
    }

    private mutating func refunding(at now: Int64) -> Outcome {
        record(PaymentRefundRequested.type, payment: payment.becoming(.refunding), at: now)
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
            payment: payment.becoming(.refunded),
            at: now
        )
        let refunded = OrderRefunded(orderID: id, customer: customer, total: refundLeft, reason: reason)
        return .changed(isOpen ? [cancelled(), refunded] : [refunded])
    }
}

extension Order.Payment {
    /// The same payment in another state.
    fileprivate func becoming(_ status: Order.PaymentStatus) -> Order.Payment {
        var payment = self
        payment.status = status
        return payment
    }
}

extension Order {
    /// The customer contests the charge at their bank, or the bank has decided.
    ///
    /// The order stays as it is: what becomes of goods and customer is for people to decide.
    ///
    /// - Throws: `Refusal.contradiction` where nothing was to be charged.
    mutating func take(_ dispute: DisputeState, at now: Int64) throws(Refusal) -> Outcome {
        switch payment.status {
        case .captured, .refunding, .refunded: break
        // A charge that came to light late, and is told of by another event.
        case .requested, .declined, .voided: break
        case .notRequested, .notRequired: throw .contradiction(known: payment.status, reported: .captured)
        }
        switch (payment.dispute, dispute) {
        case (dispute, dispute), (.won, .opened), (.lost, .opened): return .unchanged
        default: break
        }
        var payment = payment
        payment.dispute = dispute
        record(PaymentDisputed.type, payment: payment, at: now)
        return .changed([])
    }
}
