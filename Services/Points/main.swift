// Points: keeps customers' points: sells, spends, restores and gives them.
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

var points = ServiceDescription(
    name: "points",
    summary: "Keeps customers' points: sells, spends, restores and gives them.",
    httpPort: 8086,
    topology: Shop.topology(with: [.points])
)
points.openAPI = PackageResources.openapi_yaml

await runService(points) { _ in }
