import Database
import Events
import HTTP
import Messaging
import ServiceKit
import Telemetry

/// `POST /webhooks/provider`: the provider says that something has happened.
///
/// Who sends it is made sure of by the signature over the raw bytes. A webhook is remembered and has its notice scheduled in one
/// transaction, and only then answered; a repetition is answered and does nothing. What it says is not believed: the notice
/// has `NoticeHandlers` look.
struct WebhookAPI: Sendable {
    let events: EventStore
    /// Nil where there is no secret, and so nobody could be believed.
    let signature: WebhookSignature?
    let logger: Logger
    var now: @Sendable () -> Int64 = WallClock.milliseconds

    private struct Answer: Encodable {
        /// It is written down.
        let received = true
        /// It had come before.
        let duplicate: Bool
        /// It is about something that Payment looks after.
        let relevant: Bool
    }

    /// Registers the route.
    func register(_ route: (String, String, RouteAccess, @escaping Router.Handler) -> Void) {
        route("POST", "/webhooks/provider", .anyone, receive)
    }

    @Sendable private func receive(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard let signature else { throw Problem(.webhooksOff) }
        let now = now()
        do throws(WebhookSignature.Fault) {
            try signature.verify(request.headers["Stripe-Signature"], of: request.body, at: now / 1000)
        } catch {
            logger.warning("Refused a webhook", [LogField("reason", error.description)])
            throw Problem(
                .webhookSignature,
                detail: "\(error.description.prefix(1).uppercased())\(error.description.dropFirst())."
            )
        }
        try request.checkNoQuery()
        let message = try request.decode(WebhookMessage.self)
        guard let intent = message.intent, Self.isRelevant(message.type) else {
            return try .json(Answer(duplicate: false, relevant: false))
        }
        let isNew = try await events.write { transaction in
            guard try WebhookStore().add(message.id, at: now, in: transaction) else { return false }
            let known = try PaymentStore().find(paymentID: intent, in: transaction)?.orderID
            let claimed = message.orderID.flatMap { (1...255).contains($0.utf8.count) ? $0 : nil }
            let notice = ProviderNotice(
                eventID: message.id,
                what: String(message.type.prefix(100)),
                intent: intent,
                dispute: message.dispute,
                subject: known ?? claimed ?? intent
            )
            try transaction.schedule(notice, at: now, key: notice.key)
            return true
        }
        return try .json(Answer(duplicate: !isNew, relevant: true), status: isNew ? 202 : 200)
    }

    /// Whether the provider's events of that type say that a charge is decided, or that something has become of its money.
    private static func isRelevant(_ type: String) -> Bool {
        switch type {
        case "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled": true
        default: ["charge.refund", "charge.dispute.", "refund."].contains { type.hasPrefix($0) }
        }
    }
}
