import Events
import Messaging
import ShopEvents
import Telemetry

/// What Notification does when Order speaks: it writes to the customer.
struct NotificationHandlers: Sendable {
    let gateway: MailGateway
    let templates: MailTemplates
    /// How the shop signs.
    let shop: String
    let store = MailStore()
    let logger: Logger

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderConfirmed.self) { event, delivery in try await send(delivery) { try MailContent(event) } }
        subscriber.on(OrderRejected.self) { event, delivery in try await send(delivery) { MailContent(event) } }
        subscriber.on(OrderCancelled.self) { event, delivery in try await send(delivery) { try MailContent(event) } }
        subscriber.on(OrderDispatched.self) { event, delivery in try await send(delivery) { MailContent(event) } }
        subscriber.on(OrderLinesCancelled.self) { event, delivery in
            try await send(delivery) { try MailContent(event) }
        }
        subscriber.on(OrderPartlyRefunded.self) { event, delivery in
            try await send(delivery) { try MailContent(event) }
        }
        subscriber.on(OrderRefunded.self) { event, delivery in try await send(delivery) { try MailContent(event) } }
    }

    private func send(_ delivery: Delivery, _ write: () throws -> MailContent) async throws {
        let content: MailContent
        do {
            content = try write()
        } catch is MailContent.UnknownCurrency {
            throw HandlerError.permanent("mail.unknown-currency", "the amount's currency is not one of ISO 4217")
        }
        let mail = MailText(content, in: templates, shop: shop)
        try await gateway.send(
            mail,
            to: content.customer.email,
            about: delivery.envelope,
            isRetry: delivery.attempt > 1
        )
        let messageID = gateway.messageID(of: delivery.envelope)
        try await delivery.commit { transaction in
            try store.record(
                messageID: messageID,
                orderID: content.orderID,
                kind: content.kind.rawValue,
                at: WallClock.milliseconds(),
                in: transaction
            )
        }
        logger.info(
            "Sent a mail",
            [
                LogField("mail.kind", content.kind.rawValue), LogField("order.id", content.orderID),
                LogField("mail.id", messageID),
            ]
        )
    }
}
