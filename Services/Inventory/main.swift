// Inventory: knows products, prices and stock, and reserves what is ordered.
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

let reservationTime = Setting.duration(
    "INVENTORY_RESERVATION",
    default: "1h",
    in: .seconds(1)...(.seconds(30 * 86_400)),
    help: "How long stock is kept for an order that is not confirmed, and for a client that does not say how long."
)
let waitTime = Setting.duration(
    "INVENTORY_WAIT",
    default: "30s",
    in: .zero...(.seconds(3_600)),
    help: "How long an order waits for the last pieces that are reserved for others, before it is refused."
)
let lowStock = Setting.integer(
    "INVENTORY_LOW",
    default: 5,
    in: 0...1_000_000,
    help: "Up to how many pieces the stock of a product is low."
)
let relistingTime = Setting.duration(
    "INVENTORY_RELIST",
    default: "168h",
    in: .seconds(1)...(.seconds(15 * 86_400)),
    help: "How often each product is listed again: at most half of WARREN_EVENT_RETENTION."
)

var inventory = ServiceDescription(
    name: "inventory",
    summary: "Knows products, prices and stock, and reserves what is ordered.",
    httpPort: 8084,
    topology: Shop.topology(with: [.inventory]),
    migrations: [InventoryTables.migrations],
    settings: [
        reservationTime.declaration, waitTime.declaration, lowStock.declaration, relistingTime.declaration,
    ]
)
// Order's picture of the products begins at 0, whenever that is.
inventory.restatementInterval = relistingTime
inventory.openAPI = PackageResources.openapi_yaml
inventory.problems = ProblemKind.ofInventory

await runService(inventory) { context in
    let settings = context.settings
    let logger = context.logger.labelled("inventory")
    let rules = Stockroom.Rules(
        terms: Reservation.Terms(
            keep: settings[reservationTime].wholeMilliseconds,
            wait: settings[waitTime].wholeMilliseconds
        ),
        low: settings[lowStock]
    )
    let room = Stockroom(rules: rules, logger: logger)
    InventoryHandlers(room: room).register(on: context.subscriber)
    let api = InventoryAPI(database: context.database, events: context.events, room: room)
    for route in InventoryAPI.routes {
        context.route(route.method, route.pattern) { request in try await route.answer(api, request) }
    }
    let relisting = Relisting(events: context.events, interval: settings[relistingTime], logger: logger)
    context.background("relisting") { await relisting.run() }
}
