/// A story that the shop can play.
enum Scenario: String, Sendable, CaseIterable {
    case happy
    case declined
    case cancelled
    case providerError = "provider-error"
    case providerTimeout = "provider-timeout"
    case duplicate
    case keyReused = "key-reused"
    case poison
    case mailBounce = "mail-bounce"
    case paidAndCancelled = "paid-and-cancelled"
    case refundRepeated = "refund-repeated"
    case webhookBeforeRefund = "webhook-before-refund"
    case webhookBeforeOrder = "webhook-before-order"
    case lateFailure = "late-failure"
    case refundFailedLate = "refund-failed-late"
    case forgedWebhook = "forged-webhook"
    case lastPiece = "last-piece"
    case priceChanged = "price-changed"
    case couponLimit = "coupon-limit"
    case pointsTwice = "points-twice"
    case courierRefuses = "courier-refuses"
    case courierDown = "courier-down"

    var summary: String {
        switch self {
        case .happy: "an order is placed, paid and confirmed"
        case .declined: "the card is declined and the order rejected"
        case .cancelled: "a paid order is cancelled and the money goes back"
        case .providerError: "the provider fails once; the charge is tried again"
        case .providerTimeout: "the provider charges, does not answer, and is asked again"
        case .duplicate: "a request and an event come twice and count once"
        case .keyReused: "one key on two requests; the second is refused"
        case .poison: "an event that Payment cannot read becomes a dead letter"
        case .mailBounce: "a mail to an address that is none becomes a dead letter"
        case .paidAndCancelled: "cancelled while it is charged; nobody keeps the money"
        case .refundRepeated: "a refund fails twice, and is repeated under one key"
        case .webhookBeforeRefund: "the refund's webhook beats its own answer"
        case .webhookBeforeOrder: "a webhook of an order that nobody knows"
        case .lateFailure: "a webhook says failed after paid; it stays paid"
        case .refundFailedLate: "a refund fails after it had succeeded"
        case .forgedWebhook: "webhooks unsigned, or signed by a stranger, are refused"
        case .lastPiece: "two customers order the last piece; one gets it"
        case .priceChanged: "the price changes between look and order"
        case .couponLimit: "three claim two coupons at once; two get one"
        case .pointsTwice: "points are spent twice at once; they pay once"
        case .courierRefuses: "the courier refuses an address and takes the next"
        case .courierDown: "the courier is down for a while; booked once all the same"
        }
    }

    /// What a shop has to have for a scenario.
    enum Need: CaseIterable {
        case nothing
        case sandbox
        case webhooks
        case inventory
        case coupon
        case points
        case shipping

        /// As the help says it.
        var title: String {
            switch self {
            case .nothing: "Scenarios"
            case .sandbox: "With the sandbox as payment provider (--sandbox-url)"
            case .webhooks: "With its webhooks, which Payment takes (--sandbox-url, --payment-url)"
            case .inventory: "In a shop with Inventory (--inventory-url)"
            case .coupon: "In a shop with Coupon (--coupon-url)"
            case .points: "In a shop with Points (--points-url)"
            case .shipping: "In a shop with Shipping, the sandbox as courier (--sandbox-url)"
            }
        }
    }

    /// What it needs beside Order, Payment and Notification.
    var need: Need {
        switch self {
        case .happy, .declined, .cancelled, .providerError, .providerTimeout, .duplicate, .keyReused, .poison,
            .mailBounce:
            .nothing
        case .paidAndCancelled, .refundRepeated: .sandbox
        case .webhookBeforeRefund, .webhookBeforeOrder, .lateFailure, .refundFailedLate, .forgedWebhook: .webhooks
        case .lastPiece, .priceChanged: .inventory
        case .couponLimit: .coupon
        case .pointsTwice: .points
        case .courierRefuses, .courierDown: .shipping
        }
    }

    /// Plays the story once.
    ///
    /// - Throws: `CommandFailure` at the first step that does not come out as it should, or where the shop lacks what it needs.
    func play(on stage: Stage) async throws {
        switch self {
        case .happy: try await stage.order(paidWith: "pm_card_visa", until: .confirmed)
        case .declined: try await stage.order(paidWith: "pm_card_chargeDeclined", until: .rejected)
        case .cancelled:
            let id = try await stage.order(paidWith: "pm_card_visa", until: .confirmed)
            try await stage.cancel(id)
        case .providerError: try await stage.order(paidWith: "pm_sandbox_error_once", until: .confirmed)
        case .providerTimeout: try await stage.order(paidWith: "pm_sandbox_timeout_once", until: .confirmed)
        case .duplicate:
            try await stage.placeTwice()
            try await stage.publishTwice()
        case .keyReused: try await stage.reuseKey()
        case .poison: try await stage.poison()
        case .mailBounce: try await stage.mailBounce()
        case .paidAndCancelled: try await stage.cancelWhileCharged()
        case .refundRepeated: try await stage.repeatRefund()
        case .webhookBeforeRefund: try await stage.webhookBeforeRefund()
        case .webhookBeforeOrder: try await stage.webhookBeforeOrder()
        case .lateFailure: try await stage.failLate()
        case .refundFailedLate: try await stage.failRefundLate()
        case .forgedWebhook: try await stage.forgeWebhooks()
        case .lastPiece: try await stage.sellLastPiece()
        case .priceChanged: try await stage.changePrice()
        case .couponLimit: try await stage.claimCoupons()
        case .pointsTwice: try await stage.spendPointsTwice()
        case .courierRefuses: try await stage.refuseAddress()
        case .courierDown: try await stage.courierDown()
        }
    }
}
