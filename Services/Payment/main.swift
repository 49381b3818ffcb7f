// Payment: charges customers through a payment provider and gives their money back.
import HTTP
import Messaging
import ServiceKit
import ShopEvents
import Telemetry

let providerURL = Setting.url(
    "PAYMENT_PROVIDER_URL",
    default: "http://127.0.0.1:8090",
    schemes: ["http", "https"],
    help: "Where the payment provider's API is: Stripe's, or the sandbox."
)
let providerKey = Setting.text(
    "PAYMENT_PROVIDER_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "The secret key for the payment provider.",
    defaultNote: "sk_test_sandbox, as the sandbox has it"
)
let providerTimeout = Setting.duration(
    "PAYMENT_PROVIDER_TIMEOUT",
    default: "10s",
    in: .milliseconds(100)...(.seconds(600)),
    help: "The longest that one call to the payment provider may take."
)
let webhookSecret = Setting.optionalText(
    "PAYMENT_WEBHOOK_SECRET",
    secret: true,
    help:
        "The signing secret of the provider's webhooks, several separated by commas while one is rolled; without one, none is taken."
)

var service = ServiceDescription(
    name: "payment",
    summary: "Charges orders through a payment provider and refunds cancelled ones.",
    httpPort: 8082,
    topology: Shop.topology,
    migrations: [PaymentStore.migrations],
    settings: [
        providerURL.declaration, providerKey.declaration, providerTimeout.declaration, webhookSecret.declaration,
    ]
)
// A request that ended as a dead letter must not keep its order's cancellation waiting.
service.afterDeadLetter = .proceed
service.problems = ProblemKind.ofPayment
service.openAPI = PackageResources.openapi_yaml

await runService(service) { context in
    let client = HTTPClient(metrics: context.metrics)
    context.onClose { client.close() }
    let gateway = StripeGateway(
        url: context.settings[providerURL],
        key: context.settings[providerKey],
        timeout: context.settings[providerTimeout],
        client: client,
        userAgent: "Warren/\(Warren.version) (payment-service)"
    )
    let logger = context.logger.labelled("payment")
    let payments = PaymentHandlers(events: context.events, provider: gateway, logger: logger)
    payments.register(on: context.subscriber)
    PartRefundHandlers(events: context.events, provider: gateway, logger: logger).register(on: context.subscriber)
    NoticeHandlers(events: context.events, books: gateway, provider: gateway, payments: payments, logger: logger)
        .register(on: context.subscriber)
    PaymentAPI(database: context.database).register { context.route($0, $1, $2) }
    ReconciliationAPI(reconciler: Reconciler(database: context.database, books: gateway))
        .register { context.route($0, $1, $2) }
    let secrets = context.settings[webhookSecret].map { $0.split(separator: ",").map(String.init) } ?? []
    let signature = WebhookSignature(secrets: secrets)
    if signature == nil { logger.warning("PAYMENT_WEBHOOK_SECRET is not set: webhooks are refused") }
    WebhookAPI(events: context.events, signature: signature, logger: logger)
        .register { context.route($0, $1, access: $2, $3) }
}
