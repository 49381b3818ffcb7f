import HTTP
import Messaging
import ServiceKit
import ShopEvents

let contexts = Setting<Set<Shop.Context>>(
    "SHOP_CONTEXTS",
    default: "",
    expected: "\(Shop.Context.allCases.map(\.rawValue).joined(separator: ", ")), separated by commas, or none",
    help: "What the shop has beside Order, Payment and Notification; orders wait for what these say.",
    defaultNote: "none"
) { Shop.contexts(named: $0) }
let inventoryURL = Setting.url(
    "ORDER_INVENTORY_URL",
    default: "http://127.0.0.1:9084",
    schemes: ["http", "https"],
    help: "Where Inventory's operations are, whose products Order follows; WARREN_OPERATIONS_TOKEN is what it asks for."
)
let deadline = Setting.duration(
    "ORDER_DEADLINE",
    default: "2h",
    in: .seconds(1)...(.seconds(30 * 86_400)),
    help: "How long an order may wait for Inventory, Coupon and Points before it is rejected."
)

var order = ServiceDescription(
    name: "order",
    summary: "Takes orders, asks for their stock and payment, and confirms, rejects or cancels them.",
    httpPort: 8081,
    topology: Shop.topology,
    migrations: [OrderStore.migrations],
    settings: [contexts.declaration, inventoryURL.declaration, deadline.declaration]
)
order.topologyInSettings = { settings in Shop.topology(with: settings[contexts]) }
order.openAPI = PackageResources.openapi_yaml
order.problems = ProblemKind.ofOrder

await runService(order) { context in
    let settings = context.settings
    let desk = OrderDesk(deadline: Int64(settings[deadline] / .milliseconds(1)))
    let products = ProductPicture()
    OrderHandlers(desk: desk).register(on: context.subscriber)
    products.register(on: context.subscriber)
    let hasInventory = settings[contexts].contains(.inventory)
    if hasInventory {
        context.follow("inventory", at: settings[inventoryURL], types: ProductPicture.types)
    }
    let api = OrderAPI(
        database: context.database,
        events: context.events,
        desk: desk,
        products: hasInventory ? products : nil,
        contexts: settings[contexts]
    )
    for route in OrderAPI.routes {
        context.route(route.method, route.pattern) { request in try await route.answer(api, request) }
    }
}
