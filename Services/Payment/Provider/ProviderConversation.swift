import Messaging
import ShopEvents

/// What Payment says to the provider in which order, so that nothing is charged or refunded twice.
///
/// Before a call is repeated, a look-up by the order's id; the call itself always under its first key. Every method
/// throws the `HandlerError` that the delivery ends with: transient while the outcome is unknown, deferred while the
/// provider is at work.
struct ProviderConversation: Sendable {
    let provider: any PaymentProvider
    /// The clock, in milliseconds since 1970.
    let now: @Sendable () -> Int64

    /// Charges, or finds out that it was done.
    /// - Parameter lookUpFirst: an earlier attempt may have reached the provider.
    func charge(_ payment: Payment, lookUpFirst: Bool) async throws -> Payment.Outcome {
        guard let charge = payment.charge else { throw HandlerError.changedMeanwhile }
        return try await explained(payment) {
            if lookUpFirst {
                let status = try await provider.lookUpCharge(of: payment)
                if status != .none { return try await outcome(of: status, for: payment) }
            }
            // Order lets no such order through; one that was placed before it learned to, or an event by hand, ends here.
            guard provider.takes(payment.total) else { return .declined(reason: "amount_not_chargeable") }
            do {
                return try await outcome(of: provider.charge(payment, charge), for: payment)
            } catch let failure as ProviderFailure {
                guard case .lookUp = failure.kind else { throw failure }
                let status = try await provider.lookUpCharge(of: payment)
                guard status != .none else { throw failure }
                return try await outcome(of: status, for: payment)
            }
        }
    }

    /// A charge that was made although the payment had ended without one; nil when there is none.
    func findLateCharge(of payment: Payment) async throws -> Payment.Outcome? {
        let status = try await explained(payment) { try await provider.lookUpCharge(of: payment) }
        guard case .captured(let paymentID) = status else { return nil }
        return .captured(paymentID: paymentID)
    }

    /// Finds out what became of a charge, and when it was not made, sees to it that it never will be.
    ///
    /// A charge that the provider does not know may still be on its way, or be too new to be found. So its key is used
    /// up for an intent that is not charged. Where the charge was quicker, the provider refuses that, and then it can be
    /// looked up, now or later.
    func preventCharge(of payment: Payment) async throws -> Payment.Outcome {
        guard let charge = payment.charge else { throw HandlerError.changedMeanwhile }
        return try await explained(payment) {
            let status = try await provider.lookUpCharge(of: payment)
            if status != .none { return try await outcome(of: status, for: payment) }
            // What the provider cannot express was never asked of it.
            guard provider.takes(payment.total) else { return .voided }
            do {
                return try await outcome(of: .open(intent: provider.block(payment, charge)), for: payment)
            } catch let failure as ProviderFailure {
                guard case .lookUp = failure.kind else { throw failure }
                return try await outcome(of: provider.lookUpCharge(of: payment), for: payment)
            }
        }
    }

    /// What became of a refund.
    enum Refund: Sendable, Equatable {
        case done(refundID: String)
        /// Under way at the provider, which may take days.
        case pending(refundID: String)
    }

    /// Gives the money back, or finds out that it was done or is under way.
    /// - Parameter lookUpFirst: an earlier attempt may have reached the provider.
    func refund(_ payment: Payment, lookUpFirst: Bool) async throws -> Refund {
        guard let paymentID = payment.paymentID, let key = payment.refundKey else {
            throw HandlerError.changedMeanwhile
        }
        return try await refund(payment, lookUpFirst: lookUpFirst) {
            try await provider.lookUpRefund(of: payment, paymentID: paymentID)
        } asking: {
            try await provider.refund(payment, paymentID: paymentID, key: key)
        }
    }

    /// Gives a part of the money back, or finds out that it was done or is under way.
    /// - Parameter lookUpFirst: an earlier attempt may have reached the provider.
    func refund(_ part: PartRefund, of payment: Payment, lookUpFirst: Bool) async throws -> Refund {
        guard let paymentID = payment.paymentID else { throw HandlerError.changedMeanwhile }
        return try await refund(payment, lookUpFirst: lookUpFirst) {
            try await provider.lookUpRefund(of: part, of: payment, paymentID: paymentID)
        } asking: {
            try await provider.refund(part, of: payment, paymentID: paymentID)
        }
    }

    /// The refund of a part that is back by itself; nil where there is none.
    func refundID(of part: PartRefund, of payment: Payment) async throws -> String? {
        guard let paymentID = payment.paymentID else { return nil }
        let status = try await explained(payment) {
            try await provider.lookUpRefund(of: part, of: payment, paymentID: paymentID)
        }
        guard case .refunded(let refundID) = status else { return nil }
        return refundID
    }

    private func refund(
        _ payment: Payment,
        lookUpFirst: Bool,
        by lookUp: () async throws -> RefundStatus,
        asking ask: () async throws -> RefundStatus
    ) async throws -> Refund {
        let status = try await explained(payment) {
            if lookUpFirst {
                let status = try await lookUp()
                if status != .none { return status }
            }
            do {
                return try await ask()
            } catch let failure as ProviderFailure {
                guard case .lookUp = failure.kind else { throw failure }
                let status = try await lookUp()
                guard status != .none else { throw failure }
                return status
            }
        }
        switch status {
        case .refunded(let refundID):
            return .done(refundID: refundID)
        case .pending(let refundID):
            return .pending(refundID: refundID)
        case .failed:
            throw HandlerError.permanent(
                "payment.refund-failed",
                "the provider could not give the money back: refund it there, then retry"
            )
        case .none:
            throw HandlerError.transient("payment.outcome-unknown", "the provider does not know the refund")
        }
    }

    /// What a charge that the provider knows means for the payment.
    private func outcome(of status: ChargeStatus, for payment: Payment) async throws -> Payment.Outcome {
        switch status {
        case .captured(let paymentID):
            return .captured(paymentID: paymentID)
        case .declined(let reason):
            return .declined(reason: reason)
        case .open(let intent):
            // Only a cancellation leaves an intent that is not charged: it had used the key up and came no further.
            try await provider.cancel(intent: intent, of: payment)
            return .voided
        case .canceled:
            return .voided
        case .processing:
            throw ProviderFailure(
                kind: .atWork,
                errorClass: "payment.charge-processing",
                reason: "the provider is still at it"
            )
        case .none:
            throw HandlerError.transient("payment.outcome-unknown", "the provider does not know the charge")
        }
    }

    /// Turns the provider's failures into what they mean for the delivery.
    private func explained<Result>(_ payment: Payment, _ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let failure as ProviderFailure {
            throw failure.handlerError(of: payment, at: now())
        }
    }
}
