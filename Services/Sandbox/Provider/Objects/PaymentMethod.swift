/// The test payment methods: Stripe's own names for cards that are charged or declined
/// (https://docs.stripe.com/testing), and the sandbox's for bad days.
///
/// A method with `_once` in its name misbehaves at the first call that an order makes with it and works from then on.
enum PaymentMethod: String, Sendable, CaseIterable {
    case visa = "pm_card_visa"
    case visaDebit = "pm_card_visa_debit"
    case mastercard = "pm_card_mastercard"
    case mastercardDebit = "pm_card_mastercard_debit"
    case mastercardPrepaid = "pm_card_mastercard_prepaid"
    case amex = "pm_card_amex"
    case discover = "pm_card_discover"
    case diners = "pm_card_diners"
    case jcb = "pm_card_jcb"
    case unionpay = "pm_card_unionpay"

    case declined = "pm_card_chargeDeclined"
    case insufficientFunds = "pm_card_chargeDeclinedInsufficientFunds"
    case lostCard = "pm_card_chargeDeclinedLostCard"
    case stolenCard = "pm_card_chargeDeclinedStolenCard"
    case fraudulent = "pm_card_chargeDeclinedFraudulent"
    case velocityLimit = "pm_card_chargeDeclinedVelocityLimitExceeded"
    case expiredCard = "pm_card_chargeDeclinedExpiredCard"
    case incorrectCvc = "pm_card_chargeDeclinedIncorrectCvc"
    case processingError = "pm_card_chargeDeclinedProcessingError"
    case customerFail = "pm_card_chargeCustomerFail"
    case radarBlock = "pm_card_radarBlock"
    /// Asks for the customer at every charge, which a server cannot give.
    case authenticationRequired = "pm_card_authenticationRequired"
    case threeDSecureRequired = "pm_card_threeDSecure2Required"

    /// Is charged; a refund is pending for three seconds.
    case pendingRefund = "pm_card_pendingRefund"
    /// Is charged; a refund has succeeded and fails three seconds later.
    case refundFail = "pm_card_refundFail"

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

    /// The method that a client names: those of cards that are declined are known as a Visa's too,
    /// `pm_card_visa_chargeDeclined`.
    init?(token: String) {
        let visa = "pm_card_visa_chargeDeclined"
        let name = token.hasPrefix(visa) ? "pm_card_chargeDeclined" + token.dropFirst(visa.count) : token
        self.init(rawValue: name)
    }

    /// Why the card is declined, or nil when it is charged.
    var decline: ProviderError? {
        switch self {
        case .declined, .customerFail: .declined(code: "card_declined", declineCode: "generic_decline")
        case .insufficientFunds: .declined(code: "card_declined", declineCode: "insufficient_funds")
        case .lostCard: .declined(code: "card_declined", declineCode: "lost_card")
        case .stolenCard: .declined(code: "card_declined", declineCode: "stolen_card")
        case .fraudulent, .radarBlock: .declined(code: "card_declined", declineCode: "fraudulent")
        case .velocityLimit: .declined(code: "card_declined", declineCode: "card_velocity_exceeded")
        case .expiredCard: .declined(code: "expired_card", declineCode: nil)
        case .incorrectCvc: .declined(code: "incorrect_cvc", declineCode: nil)
        case .processingError: .declined(code: "processing_error", declineCode: nil)
        default: nil
        }
    }

    /// Whether a charge needs the customer to confirm it.
    var needsCustomer: Bool { self == .authenticationRequired || self == .threeDSecureRequired }

    /// How a call with this method goes wrong, or nil when it goes well.
    var fault: Fault.Kind? {
        switch self {
        case .errorOnce: .error
        case .errorAfterOnce: .errorAfter
        case .timeoutOnce: .timeout
        case .resetOnce: .reset
        case .slow: .slow
        case .down: .unavailable
        default: nil
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
