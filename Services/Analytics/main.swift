// Analytics: tells a data platform what became of orders, by Order's event API and without a queue.
import HTTP
import Messaging
import ServiceKit
import ShopEvents
import Telemetry

let orderURL = Setting.url(
    "ANALYTICS_ORDER_URL",
    default: "http://127.0.0.1:9081",
    schemes: ["http", "https"],
    help: "Where Order's operations are, and with them its event API; WARREN_OPERATIONS_TOKEN is what it asks for."
)
let platformURL = Setting.url(
    "PLATFORM_URL",
    default: "http://127.0.0.1:8090",
    schemes: ["http", "https"],
    help: "Where the data platform is, or the sandbox."
)
let platformKey = Setting.text(
    "PLATFORM_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "The secret key for the data platform.",
    defaultNote: "sk_test_sandbox, as the sandbox has it"
)
let platformTimeout = Setting.duration(
    "PLATFORM_TIMEOUT",
    default: "10s",
    in: .milliseconds(100)...(.seconds(120)),
    help: "The longest that one call to the data platform may take."
)
let platformPause = Setting.duration(
    "PLATFORM_PAUSE",
    default: "15s",
    in: .milliseconds(100)...(.seconds(3600)),
    help: "How long a record waits when the data platform cannot take it and does not say until when."
)

var analytics = ServiceDescription(
    name: "analytics",
    summary: "Tells a data platform which orders were confirmed, cancelled and refunded.",
    httpPort: 8088,
    topology: Shop.topology,
    settings: [
        orderURL.declaration, platformURL.declaration, platformKey.declaration, platformTimeout.declaration,
        platformPause.declaration,
    ]
)
// It has no queue: it reads Order's event store, at its own pace and from the beginning.
analytics.role = .publishesOnly
// What the platform refuses of one moment of an order says nothing of the next.
analytics.afterDeadLetter = .proceed

await runService(analytics) { context in
    let settings = context.settings
    let client = HTTPClient(metrics: context.metrics)
    context.onClose { client.close() }
    let platform = PlatformGateway(
        url: settings[platformURL],
        key: settings[platformKey],
        timeout: settings[platformTimeout],
        pause: settings[platformPause],
        client: client,
        userAgent: "Warren/\(Warren.version) (analytics-service)"
    )
    AnalyticsHandlers(platform: platform, logger: context.logger.labelled("analytics"))
        .register(on: context.subscriber)
    context.follow("order", at: settings[orderURL])
}
