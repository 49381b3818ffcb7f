// Shipping: sends what was ordered, and tells where it is.
import HTTP
import Messaging
import ServiceKit
import ShopEvents
import Telemetry

let courierURL = Setting.url(
    "SHIPPING_COURIER_URL",
    default: "http://127.0.0.1:8090",
    schemes: ["http", "https"],
    help: "Where the courier's API is, or the sandbox."
)
let courierKey = Setting.text(
    "SHIPPING_COURIER_KEY",
    default: "sk_test_sandbox",
    secret: true,
    help: "The secret key for the courier.",
    defaultNote: "sk_test_sandbox, as the sandbox has it"
)
let courierTimeout = Setting.duration(
    "SHIPPING_COURIER_TIMEOUT",
    default: "10s",
    in: .milliseconds(100)...(.seconds(120)),
    help: "The longest that one call to the courier may take."
)
let courierPause = Setting.duration(
    "SHIPPING_COURIER_PAUSE",
    default: "15s",
    in: .milliseconds(100)...(.seconds(3600)),
    help: "How long a shipment waits when the courier cannot take it and does not say until when."
)
let checkTime = Setting.duration(
    "SHIPPING_CHECK",
    default: "6h",
    in: .seconds(1)...(.seconds(7 * 86_400)),
    help: "How often the courier is asked about a parcel that it says nothing of: a webhook may be lost."
)
let webhookSecret = Setting.optionalText(
    "SHIPPING_WEBHOOK_SECRET",
    secret: true,
    help:
        "What the courier signs its webhooks with, several separated by commas while one is rolled; without one, none is taken."
)

var shipping = ServiceDescription(
    name: "shipping",
    summary: "Sends what was ordered, and tells where it is.",
    httpPort: 8087,
    topology: Shop.topology(with: [.shipping]),
    migrations: [ShippingTables.migrations],
    settings: [
        courierURL.declaration, courierKey.declaration, courierTimeout.declaration, courierPause.declaration,
        checkTime.declaration, webhookSecret.declaration,
    ]
)
// An order's events may come in any order, so what ended as a dead letter holds nothing up.
shipping.afterDeadLetter = .proceed
shipping.openAPI = PackageResources.openapi_yaml
shipping.problems = ProblemKind.ofShipping

await runService(shipping) { context in
    let settings = context.settings
    let logger = context.logger.labelled("shipping")
    let client = HTTPClient(metrics: context.metrics)
    context.onClose { client.close() }
    let courier = CourierGateway(
        url: settings[courierURL],
        key: settings[courierKey],
        timeout: settings[courierTimeout],
        pause: settings[courierPause],
        client: client,
        userAgent: "Warren/\(Warren.version) (shipping-service)"
    )
    let desk = DispatchDesk(checkInterval: settings[checkTime].wholeMilliseconds, logger: logger)
    ShippingHandlers(desk: desk, database: context.database, courier: courier).register(on: context.subscriber)
    let secrets = settings[webhookSecret].map { $0.split(separator: ",").map(String.init) } ?? []
    let signature = WebhookSignature(secrets: secrets)
    if signature == nil { logger.warning("SHIPPING_WEBHOOK_SECRET is not set: webhooks are refused") }
    let api = ShippingAPI(
        database: context.database,
        events: context.events,
        desk: desk,
        signature: signature,
        logger: logger
    )
    for route in ShippingAPI.routes {
        context.route(route.method, route.pattern, access: route.access) { request in
            try await route.answer(api, request)
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    fileprivate var wholeMilliseconds: Int64 { Int64(self / .milliseconds(1)) }
}
