/// The test payment methods: Stripe's own names for cards that are charged or declined, and the sandbox's for bad days.
///
/// A method with `_once` in its name misbehaves at the first call that an order makes with it and works from then on.
enum PaymentMethod: String, Sendable, CaseIterable {
    case visa = "pm_card_visa"
    case mastercard = "pm_card_mastercard"
    case declined = "pm_card_chargeDeclined"
    case insufficientFunds = "pm_card_chargeDeclinedInsufficientFunds"
    case lostCard = "pm_card_chargeDeclinedLostCard"
    case expiredCard = "pm_card_chargeDeclinedExpiredCard"
    /// 500 before anything happened; the idempotency key stays free.
    case errorOnce = "pm_sandbox_error_once"
    /// Charges and answers 500, which the idempotency key replays: only a look-up shows the charge.
    case errorAfterOnce = "pm_sandbox_error_after_once"
    /// Charges and does not answer the first call.
    case timeoutOnce = "pm_sandbox_timeout_once"
    /// Charges and answers the first call with half a JSON document: an HTTP server of this kind cannot reset a
    /// connection, and to a client both mean the same, an answer that cannot be read.
    case resetOnce = "pm_sandbox_reset_once"
    /// Is charged after three seconds, `processing` until then.
    case slow = "pm_sandbox_slow"
    /// 503, always.
    case down = "pm_sandbox_down"

    /// Why the card is declined, or nil when it is charged.
    var decline: ProviderError? {
        switch self {
        case .declined: .declined(code: "card_declined", declineCode: "generic_decline")
        case .insufficientFunds: .declined(code: "card_declined", declineCode: "insufficient_funds")
        case .lostCard: .declined(code: "card_declined", declineCode: "lost_card")
        case .expiredCard: .declined(code: "expired_card", declineCode: nil)
        default: nil
        }
    }

    /// How a call with this method goes wrong, or nil when it goes well.
    var fault: Fault.Kind? {
        switch self {
        case .errorOnce: .error
        case .errorAfterOnce: .errorAfter
        case .timeoutOnce: .timeout
        case .resetOnce: .reset
        case .slow: .slow
        case .down: .unavailable
        case .visa, .mastercard, .declined, .insufficientFunds, .lostCard, .expiredCard: nil
        }
    }

    /// Whether only the first call of an order goes wrong.
    var failsOnce: Bool {
        switch self {
        case .errorOnce, .errorAfterOnce, .timeoutOnce, .resetOnce: true
        default: false
        }
    }
}
