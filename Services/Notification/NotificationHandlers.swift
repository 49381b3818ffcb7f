import Events
import Messaging
import ShopEvents
import Telemetry

/// What Notification does when Order speaks: it writes to the customer.
struct NotificationHandlers: Sendable {
    let gateway: MailGateway
    let store = MailStore()
    let logger: Logger

    func register(on subscriber: Subscriber) {
        subscriber.on(OrderConfirmed.self) { event, delivery in try await send(delivery) { try MailText(event) } }
        subscriber.on(OrderRejected.self) { event, delivery in try await send(delivery) { MailText(event) } }
        subscriber.on(OrderCancelled.self) { event, delivery in try await send(delivery) { try MailText(event) } }
        subscriber.on(OrderDispatched.self) { event, delivery in try await send(delivery) { MailText(event) } }
        subscriber.on(OrderRefunded.self) { event, delivery in try await send(delivery) { try MailText(event) } }
    }

    private func send(_ delivery: Delivery, _ write: () throws -> MailText) async throws {
        let mail: MailText
        do {
            mail = try write()
        } catch is MailText.UnknownCurrency {
            throw HandlerError.permanent("mail.unknown-currency", "the amount's currency is not one of ISO 4217")
        }
        try await gateway.send(mail, about: delivery.envelope)
        let messageID = gateway.messageID(of: delivery.envelope)
        try await delivery.commit { transaction in
            try store.record(
                messageID: messageID,
                orderID: mail.orderID,
                kind: mail.kind,
                at: WallClock.milliseconds(),
                in: transaction
            )
        }
        logger.info(
            "Sent a mail",
            [LogField("mail.kind", mail.kind), LogField("order.id", mail.orderID), LogField("mail.id", messageID)]
        )
    }
}
