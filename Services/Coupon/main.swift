// Coupon: defines coupons, issues them to customers, and redeems them for orders.
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

var coupon = ServiceDescription(
    name: "coupon",
    summary: "Defines coupons, issues them to customers, and redeems them for orders.",
    httpPort: 8085,
    topology: Shop.topology(with: [.coupon])
)
coupon.openAPI = PackageResources.openapi_yaml

await runService(coupon) { _ in }
