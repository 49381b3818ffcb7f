import HTTP
import ServiceKit
import ShopEvents

var order = ServiceDescription(
    name: "order",
    summary: "Takes orders, asks for their payment, and confirms, rejects or cancels them.",
    httpPort: 8081,
    topology: Shop.topology,
    migrations: [OrderStore.migrations]
)
order.openAPI = PackageResources.openapi_yaml
order.problems = ProblemKind.ofOrder

await runService(order) { context in
    OrderHandlers().register(on: context.subscriber)
    let api = OrderAPI(database: context.database, events: context.events)
    for route in OrderAPI.routes {
        context.route(route.method, route.pattern) { request in try await route.answer(api, request) }
    }
}
