// Coupon: defines coupons, issues them to customers, and redeems them for orders.
import HTTP
import ServiceKit
import ShopEvents
import Telemetry

let redemptionTime = Setting.duration(
    "COUPON_REDEMPTION",
    default: "1h",
    in: .seconds(1)...(.seconds(30 * 86_400)),
    help: "How long a coupon is kept for an order that is not confirmed."
)
let waitTime = Setting.duration(
    "COUPON_WAIT",
    default: "30s",
    in: .zero...(.seconds(3_600)),
    help: "How long an order waits for a coupon that another order has reserved, before it is refused."
)

var coupon = ServiceDescription(
    name: "coupon",
    summary: "Defines coupons, issues them to customers, and redeems them for orders.",
    httpPort: 8085,
    topology: Shop.topology(with: [.coupon]),
    migrations: [CouponTables.migrations],
    settings: [redemptionTime.declaration, waitTime.declaration]
)
coupon.openAPI = PackageResources.openapi_yaml
coupon.problems = ProblemKind.ofCoupon

await runService(coupon) { context in
    let settings = context.settings
    let terms = Redemption.Terms(
        keep: settings[redemptionTime].wholeMilliseconds,
        wait: settings[waitTime].wholeMilliseconds
    )
    let desk = RedemptionDesk(terms: terms, logger: context.logger.labelled("coupon"))
    CouponHandlers(desk: desk).register(on: context.subscriber)
    let api = CouponAPI(database: context.database)
    for route in CouponAPI.routes {
        context.route(route.method, route.pattern) { request in try await route.answer(api, request) }
    }
}

extension Duration {
    /// Whole milliseconds, what is less cut off.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
