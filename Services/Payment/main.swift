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

var service = ServiceDescription(
    name: "payment",
    summary: "Charges orders through a payment provider and refunds cancelled ones.",
    httpPort: 8082,
    topology: Shop.topology,
    migrations: [PaymentStore.migrations],
    settings: [providerURL.declaration, providerKey.declaration, providerTimeout.declaration]
)
// A request that ended as a dead letter must not keep its order's cancellation waiting.
service.afterDeadLetter = .proceed
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
    PaymentHandlers(events: context.events, provider: gateway, logger: context.logger.labelled("payment"))
        .register(on: context.subscriber)
    PaymentAPI(database: context.database).register { context.route($0, $1, $2) }
}
