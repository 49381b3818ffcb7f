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
notification.retryPolicy = .mail

await runService(notification) { context in
    let settings = context.settings
    // Before the first mail: what is wrong with a template is told at the start.
    let own = try settings[MailSettings.templates].map(TemplateFolder.files) ?? []
    let templates = try MailTemplates(
        [try BuiltInTemplates.files(), own],
        fallback: settings[MailSettings.language]
    )
    let client = try SMTPClient(
        url: settings[MailSettings.smtpURL],
        startTLS: settings[MailSettings.startTLS],
        helloName: settings[MailSettings.helloName],
        timeout: settings[MailSettings.timeout]
    )
    context.onClose { client.close() }
    let name = settings[MailSettings.fromName]
    let gateway = MailGateway(
        client: client,
        desk: MailDesk(connections: settings[MailSettings.connections], logger: context.logger),
        limit: RecipientLimit(most: settings[MailSettings.recipientLimit]),
        from: settings[MailSettings.from],
        fromName: name
    )
    NotificationHandlers(gateway: gateway, templates: templates, shop: name, logger: context.logger)
        .register(on: context.subscriber)
}
