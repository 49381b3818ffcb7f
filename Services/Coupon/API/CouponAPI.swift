import Database
import Events
import HTTP
import ServiceKit

/// Coupon's HTTP interface, as `openapi.yaml` describes it.
struct CouponAPI: Sendable {
    /// One route and what answers it.
    struct Route: Sendable {
        let method: String
        let pattern: String
        let answer: @Sendable (CouponAPI, HTTPRequest) async throws -> HTTPResponse
    }

    static let routes = [
        Route(method: "GET", pattern: "/coupons/definitions") { try await $0.listDefinitions($1) },
        Route(method: "GET", pattern: "/coupons/definitions/{id}") { try await $0.showDefinition($1) },
        Route(method: "PUT", pattern: "/coupons/definitions/{id}") { try await $0.putDefinition($1) },
        Route(method: "POST", pattern: "/coupons/definitions/{id}/claims") { try await $0.claim($1) },
        Route(method: "GET", pattern: "/coupons") { try await $0.listCoupons($1) },
        Route(method: "GET", pattern: "/coupons/{id}") { try await $0.showCoupon($1) },
    ]

    let database: Database
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    let definitions = DefinitionStore()
    let coupons = CouponStore()
    let keys = ClaimKeys()

    init(database: Database, now: @escaping @Sendable () -> Int64 = WallClock.milliseconds) {
        self.database = database
        self.now = now
    }

    /// Makes sure that no customer sends a request that customers may not send.
    func checkBackEnd(_ request: HTTPRequest) throws {
        guard try request.knownCaller.kind != .customer else {
            throw Problem(
                .roleNotAllowed,
                detail: "Customers may claim coupons and see their own; everything else is for back ends."
            )
        }
    }

    /// Makes sure that a customer names nobody else.
    func check(_ caller: Caller, mayNameAs customer: String) throws {
        guard caller.kind != .customer || caller.name == customer else {
            throw Problem(.roleNotAllowed, detail: "A customer may claim and see their own coupons alone.")
        }
    }
}
