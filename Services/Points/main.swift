// Points: keeps customers' points: sells, spends, restores and gives them.
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

let earnedPoints = Setting.integer(
    "POINTS_EARN",
    default: 100,
    in: 0...10_000,
    help: "How many points customers earn for what their card pays, in hundredths of a percent: 100 is 1 %."
)

var points = ServiceDescription(
    name: "points",
    summary: "Keeps customers' points: sells, spends, restores and gives them.",
    httpPort: 8086,
    topology: Shop.topology(with: [.points]),
    migrations: [PointsTables.migrations],
    settings: [earnedPoints.declaration]
)
points.openAPI = PackageResources.openapi_yaml
points.problems = ProblemKind.ofPoints

await runService(points) { context in
    let rate = Earning.Rate(basisPoints: Int64(context.settings[earnedPoints]))
    let desk = PointsDesk(rate: rate, logger: context.logger.labelled("points"))
    PointsHandlers(desk: desk).register(on: context.subscriber)
    let api = PointsAPI(database: context.database, events: context.events, desk: desk)
    for route in PointsAPI.routes {
        context.route(route.method, route.pattern) { request in try await route.answer(api, request) }
    }
}
