// The outside world for demos and tests: a payment provider that speaks Stripe's API, and a data platform.
import HTTP
import ServiceKit
import Telemetry

let key = Setting.text(
    "SANDBOX_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "The secret key that clients of the payment provider and of the data platform give.",
    defaultNote: "sk_test_sandbox, as Payment and Analytics have it"
)
let journal = Setting.optionalText(
    "SANDBOX_JOURNAL",
    help: "A file in which the provider writes down what it does, so that a restart forgets nothing."
)
let webhookURL = Setting.optionalText(
    "SANDBOX_WEBHOOK_URL",
    help: "Where the provider sends its events, signed: http://127.0.0.1:8082/webhooks/provider for Payment."
)
let webhookSecret = Setting.text(
    "SANDBOX_WEBHOOK_SECRET",
    default: "whsec_sandbox",
    secret: true,
    help: "What the provider signs its webhooks with: Payment's PAYMENT_WEBHOOK_SECRET.",
    defaultNote: "whsec_sandbox"
)

await runServer(
    name: "sandbox",
    summary: "A payment provider with Stripe's API and a data platform for demos and tests, with faults on request.",
    httpPort: 8090,
    settings: [key.declaration, journal.declaration, webhookURL.declaration, webhookSecret.declaration],
    problems: ProblemKind.ofSandbox
) { context in
    let logger = context.logger.labelled("sandbox.provider")
    let url = context.settings[webhookURL]
    let provider =
        if let path = context.settings[journal] {
            try Provider(journal: path, logger: logger, sendsWebhooks: url != nil)
        } else {
            Provider(logger: logger, sendsWebhooks: url != nil)
        }
    if let url {
        let client = HTTPClient(metrics: context.metrics)
        context.onClose { client.close() }
        let secret = context.settings[webhookSecret]
        guard let sender = WebhookSender(url: url, secret: secret, provider: provider, client: client, logger: logger)
        else { throw WebhookSender.NoSecret() }
        context.background("webhooks") { await sender.run() }
    }
    ProviderAPI(provider: provider, key: context.settings[key]).register(context.route)
    let platform = DataPlatform()
    PlatformAPI(platform: platform, key: context.settings[key]).register(context.route)
    ControlAPI(provider: provider, platform: platform).register(context.route)
}
