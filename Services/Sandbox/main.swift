// The outside world for demos and tests: a payment provider that speaks Stripe's API, a data platform and a courier.
import HTTP
import ServiceKit
import Telemetry

let key = Setting.text(
    "SANDBOX_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "The secret key that clients of the payment provider, the data platform and the courier give.",
    defaultNote: "sk_test_sandbox, as Payment, Analytics and Shipping have it"
)
let journal = Setting.optionalText(
    "SANDBOX_JOURNAL",
    help: "A file in which the provider writes down what it does, so that a restart forgets nothing."
)
let courierDelay = Setting.duration(
    "SANDBOX_COURIER_DISPATCH",
    default: "1s",
    in: .zero...(.seconds(86_400)),
    help: "How long after its booking the courier's parcel leaves, and after that arrives."
)
let courierWebhookURL = Setting.optionalText(
    "SANDBOX_COURIER_WEBHOOK_URL",
    help: "Where the courier sends its webhooks: Shipping's http://127.0.0.1:8087/webhooks/courier."
)
let courierSecret = Setting<WebhookSignature>(
    "SANDBOX_COURIER_WEBHOOK_SECRET",
    default: "whsec_sandbox",
    secret: true,
    expected: "a text that is not empty",
    help: "What the courier signs its webhooks with.",
    defaultNote: "whsec_sandbox, as Shipping has it",
    parse: WebhookSignature.init(secret:)
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
    summary:
        "A payment provider with Stripe's API, a data platform and a courier for demos and tests, with faults on request.",
    httpPort: 8090,
    settings: [
        key.declaration, journal.declaration, webhookURL.declaration, webhookSecret.declaration,
        courierDelay.declaration, courierWebhookURL.declaration, courierSecret.declaration,
    ],
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
    let client = HTTPClient()
    context.onClose { client.close() }
    let post = CourierPost(
        url: context.settings[courierWebhookURL],
        signature: context.settings[courierSecret],
        client: client,
        logger: context.logger.labelled("sandbox.courier")
    )
    let courier = Courier(delay: context.settings[courierDelay].wholeMilliseconds, post: post)
    CourierAPI(courier: courier, key: context.settings[key]).register(context.route)
    CourierControl(courier: courier).register(context.route)
    context.background("courier") { await courier.run() }
    ControlAPI(provider: provider, platform: platform, courier: courier).register(context.route)
}

extension Duration {
    /// Whole milliseconds, rounded down.
    fileprivate var wholeMilliseconds: Int64 { Int64(self / .milliseconds(1)) }
}
