// Shipping: sends what was ordered, and tells where it is.
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

var shipping = ServiceDescription(
    name: "shipping",
    summary: "Sends what was ordered, and tells where it is.",
    httpPort: 8087,
    topology: Shop.topology(with: [.shipping])
)
shipping.openAPI = PackageResources.openapi_yaml

await runService(shipping) { _ in }
