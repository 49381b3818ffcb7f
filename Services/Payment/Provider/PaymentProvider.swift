import Messaging
import ShopEvents

/// What Payment asks of the company that moves the money.
///
/// Every method throws `ProviderFailure`. None of them is ever "failed" for want of an answer: that is unknown. And none
/// believes an answer that is about something else than was asked: that is a contradiction.
protocol PaymentProvider: Sendable {
    /// Whether the provider can express an amount and charges in its currency.
    func takes(_ total: Money) -> Bool
    /// Charges the card, once per key.
    func charge(_ payment: Payment, _ charge: Payment.Charge) async throws -> ChargeStatus
    /// What the provider knows of the charge of a payment's order.
    func lookUpCharge(of payment: Payment) async throws -> ChargeStatus
    /// Uses up a charge's key for an intent that is not charged, so that a charge still on its way comes too late.
    /// - Returns: the intent.
    func block(_ payment: Payment, _ charge: Payment.Charge) async throws -> String
    /// Calls a payment's intent off that is not charged.
    func cancel(intent: String, of payment: Payment) async throws
    /// Gives back what is left of a payment's charge, once per key.
    func refund(_ payment: Payment, paymentID: String, key: String) async throws -> RefundStatus
    /// Gives a part of a payment's charge back, once per key.
    func refund(_ part: PartRefund, of payment: Payment, paymentID: String) async throws -> RefundStatus
    /// What the provider knows of the refund of a part.
    func lookUpRefund(of part: PartRefund, of payment: Payment, paymentID: String) async throws -> RefundStatus
    /// What the provider knows of the refunds of a payment's charge, other than of its parts.
    func lookUpRefund(of payment: Payment, paymentID: String) async throws -> RefundStatus
}

/// What the provider knows of a charge.
enum ChargeStatus: Sendable, Equatable {
    /// It has never heard of it.
    case none
    /// An intent exists, and its charge was never tried.
    case open(intent: String)
    case processing
    case captured(paymentID: String)
    case declined(reason: String)
    case canceled
}

/// What the provider knows of a refund.
enum RefundStatus: Sendable, Equatable {
    case none
    /// The provider takes its time: that may be days.
    case pending(refundID: String)
    case refunded(refundID: String)
    case failed
}

/// Why a call to the provider gave no result.
struct ProviderFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// What is known of the call's effect, and so what can be done.
    enum Kind: Sendable, Equatable {
        /// It may have happened or not: again later, under the same key.
        case unknown
        /// The provider has not finished with what was asked before: nothing has failed, it only takes its time.
        case atWork
        /// It may have happened, and repeating the call only repeats this answer: a look-up tells. Where that shows
        /// nothing, `thenRetry` says whether time can help.
        case lookUp(thenRetry: Bool)
        /// It did not happen, and never will as it was asked.
        case refused
        /// The answer is not about what was asked: whatever happened, a person has to find it out.
        case contradiction
    }

    let kind: Kind
    /// Stable: `payment.provider-unavailable`.
    let errorClass: String
    /// What the provider said, in its codes.
    ///
    /// It holds no personal data and no secrets: the provider's sentences stay outside.
    let reason: String

    /// An answer that does not match its question.
    /// - Parameter reason: names the fields at fault.
    static func contradiction(_ reason: String) -> ProviderFailure {
        ProviderFailure(kind: .contradiction, errorClass: "payment.provider-contradiction", reason: reason)
    }

    /// For how long a provider may be at work on a payment before waiting for it costs attempts, in milliseconds.
    private static let patience: Int64 = 3_600_000

    /// What the delivery's handler throws.
    ///
    /// While the provider is at work, the delivery is put off without costing an attempt: by as long as the payment is
    /// old, between a second and a minute.
    func handlerError(of payment: Payment, at now: Int64) -> HandlerError {
        switch kind {
        case .unknown, .lookUp(thenRetry: true): return .transient(errorClass, reason)
        case .refused, .contradiction, .lookUp(thenRetry: false): return .permanent(errorClass, reason)
        case .atWork:
            let age = now - payment.createdAt
            guard age < Self.patience else { return .transient(errorClass, reason) }
            return .deferred(until: now + min(max(age, 1_000), 60_000), errorClass, reason)
        }
    }

    var description: String { "\(errorClass): \(reason)" }
}
