import HTTP
import Messaging
import ServiceKit
import ShopEvents

var notification = ServiceDescription(
    name: "notification",
    summary: "Writes to customers when their orders are confirmed, rejected, cancelled, dispatched or refunded.",
    httpPort: 8083,
    topology: Shop.topology,
    migrations: [MailStore.migrations],
    settings: MailSettings.all
)
// A mail that fails must not hold the next one about the same order.
notification.ordering = .none

await runService(notification) { context in
    let settings = context.settings
    let client = try SMTPClient(
        url: settings[MailSettings.smtpURL],
        startTLS: settings[MailSettings.startTLS],
        helloName: settings[MailSettings.helloName],
        timeout: settings[MailSettings.timeout]
    )
    context.onClose { client.close() }
    let gateway = MailGateway(client: client, from: settings[MailSettings.from])
    NotificationHandlers(gateway: gateway, logger: context.logger).register(on: context.subscriber)
}
