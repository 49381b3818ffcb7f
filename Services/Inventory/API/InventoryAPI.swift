import Database
import Events
import HTTP
import Messaging
import ServiceKit

/// Inventory's HTTP interface, as `openapi.yaml` describes it.
struct InventoryAPI: Sendable {
    /// One route and what answers it.
    struct Route: Sendable {
        let method: String
        let pattern: String
        let answer: @Sendable (InventoryAPI, HTTPRequest) async throws -> HTTPResponse
    }

    static let routes = [
        Route(method: "GET", pattern: "/products") { try await $0.listProducts($1) },
        Route(method: "GET", pattern: "/products/{sku}") { try await $0.showProduct($1) },
        Route(method: "PUT", pattern: "/products/{sku}") { try await $0.putProduct($1) },
        Route(method: "POST", pattern: "/products/{sku}/stock") { try await $0.moveStock($1) },
        Route(method: "POST", pattern: "/reservations") { try await $0.reserve($1) },
        Route(method: "GET", pattern: "/reservations/{id}") { try await $0.showReservation($1) },
        Route(method: "PUT", pattern: "/reservations/{id}") { try await $0.confirm($1) },
        Route(method: "DELETE", pattern: "/reservations/{id}") { try await $0.cancel($1) },
    ]

    let database: Database
    let events: EventStore
    let room: Stockroom
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    let products = ProductStore()
    let movements = StockMovements()
    let reservations = ReservationStore()

    init(
        database: Database,
        events: EventStore,
        room: Stockroom,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.database = database
        self.events = events
        self.room = room
        self.now = now
    }

    /// Who sends a request that customers may not send: they may look at products, and no more.
    func backEnd(of request: HTTPRequest) throws -> Caller {
        let caller = try request.knownCaller
        guard caller.kind != .customer else {
            throw Problem(.roleNotAllowed, detail: "Customers may read products; everything else is for back ends.")
        }
        return caller
    }
}
