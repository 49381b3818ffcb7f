import Database
import Events
import HTTP
import JSON
import ShopEvents
import TestSupport
import Testing

@testable import Messaging
@testable import Order

@Suite("Order in a shop with Inventory")
struct OrderInventoryTests {
    private static let eur = Money(amount: 650, currency: "EUR")

    private func list(_ world: OrderWorld, price: Money = eur) async throws {
        try await world.deliver(ProductListed(sku: "TEA-500", name: "Green tea", price: price))
    }

    private static func body(_ line: String, currency: String = "EUR") -> String {
        """
        {"customer":{"email":"ada@example.com","name":"Ada Lovelace"},"currency":"\(currency)","lines":[\(line)],\
        "paymentMethod":"pm_card_visa"}
        """
    }

    private func place(_ world: OrderWorld, _ line: String, key: String? = nil) async throws -> (Int, JSONValue) {
        let headers = key.map { [("Idempotency-Key", $0)] } ?? []
        let answer = await world.send("POST", "/orders", headers: headers, body: Self.body(line))
        return (answer.status, try JSONValue(parsing: answer.body))
    }

    private func timeouts(_ world: OrderWorld) async throws -> [String] {
        try await world.database.read { transaction in
            try transaction.query("SELECT key FROM warren_timeouts").map {
                try $0[0]
            }
        }
    }

    @Test("An order copies name and price of the moment, and what changes later never touches it")
    func copies() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            let (status, order) = try await place(world, #"{"sku":"TEA-500","quantity":2}"#)
            #expect(status == 202)
            #expect(order["total", "amount"]?.integer == 1300)
            #expect(order["lines"]?.array?.first?["name"]?.text == "Green tea")
            #expect(order["stockStatus"]?.text == "requested")
            #expect(order["payment", "status"]?.text == "not-requested")
            try await world.deliver(
                ProductPriceChanged(sku: "TEA-500", price: Money(amount: 700, currency: "EUR"))
            )
            try await list(world, price: Money(amount: 720, currency: "EUR"))
            let id = try #require(order["id"]?.text)
            let shown = try JSONValue(parsing: await world.send("GET", "/orders/\(id)").body)
            #expect(shown == order)
            let placed = try #require(try await world.stored().first)
            #expect(try OrderPlaced(decodingData: placed.data).lines.first?.name == "Green tea")
            let (_, next) = try await place(world, #"{"sku":"TEA-500","quantity":1}"#)
            #expect(next["total", "amount"]?.integer == 720)
        }
    }

    @Test("A price that is another one now is a conflict that names it, and nothing is ordered")
    func priceChanged() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            #expect(try await place(world, #"{"sku":"TEA-500","quantity":2,"unitPrice":650}"#).0 == 202)
            let (status, problem) = try await place(world, #"{"sku":"TEA-500","quantity":2,"unitPrice":600}"#)
            #expect(status == 409)
            #expect(problem["type"]?.text == "/problems/price-changed")
            #expect(problem["errors"]?.array?.first?["field"]?.text == "lines[0].unitPrice")
            #expect(problem["errors"]?.array?.first?["detail"]?.text == "is 650 now")
            #expect(try await world.count("orders") == 1)
        }
    }

    @Test("What is not a product, or is sold in another currency, is refused by its place")
    func unknown() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            try await world.deliver(
                ProductListed(sku: "US", name: "Mug", price: Money(amount: 900, currency: "USD"))
            )
            let lines = #"{"sku":"TEA-500","quantity":1},{"sku":"NONE","quantity":1},{"sku":"US","quantity":1}"#
            let (status, problem) = try await place(world, lines)
            #expect(status == 422)
            let fields = (problem["errors"]?.array ?? []).compactMap { $0["field"]?.text }
            #expect(fields == ["lines[1].sku", "lines[2].sku"])
            let details = (problem["errors"]?.array ?? []).compactMap { $0["detail"]?.text }
            #expect(details == ["is no product of this shop", "is sold in USD"])
            #expect(try await world.stored().isEmpty)
        }
    }

    @Test("All other faults are named at once, as in a shop without Inventory")
    func faults() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            let (status, problem) = try await place(world, #"{"sku":"T T","quantity":0,"unitPrice":-1}"#)
            #expect(status == 422)
            let fields = (problem["errors"]?.array ?? []).compactMap { $0["field"]?.text }
            #expect(fields == ["lines[0].sku", "lines[0].quantity", "lines[0].unitPrice"])
        }
    }

    @Test("A total that cannot be charged is refused with its bounds")
    func total() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world, price: Money(amount: 0, currency: "EUR"))
            let (status, problem) = try await place(world, #"{"sku":"TEA-500","quantity":1}"#)
            #expect(status == 422)
            #expect(problem["errors"]?.array?.first?["field"]?.text == "lines")
        }
    }

    @Test("A key gives its first answer again although the price has changed since")
    func replay() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            let line = #"{"sku":"TEA-500","quantity":2,"unitPrice":650}"#
            let (_, first) = try await place(world, line, key: "k")
            try await world.deliver(
                ProductPriceChanged(sku: "TEA-500", price: Money(amount: 700, currency: "EUR"))
            )
            let (status, again) = try await place(world, line, key: "k")
            #expect(status == 202)
            #expect(again == first)
            #expect(try await place(world, #"{"sku":"TEA-500","quantity":2}"#, key: "k").0 == 422)
            #expect(try await world.count("orders") == 1)
        }
    }

    @Test("The payment is asked for when the stock is reserved, and the deadline goes when the order is decided")
    func accepted() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            let (_, order) = try await place(world, #"{"sku":"TEA-500","quantity":2}"#)
            let id = try #require(order["id"]?.text)
            #expect(try await timeouts(world) == ["order-deadline:\(id)"])
            #expect(try await world.storedTypes() == ["order.placed"])
            try await world.deliver(StockReserved(orderID: id, expiresAt: "2026-01-01T01:00:00Z"))
            #expect(
                try await world.storedTypes() == ["order.placed", "order.accepted", "order.payment-requested"]
            )
            #expect(try await timeouts(world) == ["order-deadline:\(id)"])
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: OrderFixtures.total))
            #expect(try await timeouts(world) == [])
            try await world.deliver(StockConfirmed(orderID: id))
            let listing = try JSONValue(parsing: await world.send("GET", "/orders").body)
            #expect(listing["orders"]?.array?.first?["stockStatus"]?.text == "confirmed")
            #expect(listing["orders"]?.array?.first?["status"]?.text == "confirmed")
        }
    }

    @Test(
        "An order that Inventory does not answer is rejected at its deadline, and what comes later changes nothing of that"
    )
    func overdue() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            let (_, order) = try await place(world, #"{"sku":"TEA-500","quantity":2}"#)
            let id = try #require(order["id"]?.text)
            try await world.deliver(OrderOverdue(orderID: id))
            #expect(try await world.storedTypes() == ["order.placed", "order.rejected"])
            let rejected = try #require(try await world.stored().last)
            #expect(try OrderRejected(decodingData: rejected.data).reason == "timed-out")
            try await world.deliver(StockReserved(orderID: id, expiresAt: "2026-01-01T01:00:00Z"))
            #expect(try await world.storedTypes() == ["order.placed", "order.rejected"])
        }
    }

    @Test("One whose charge is not known is reported at its deadline, and not decided")
    func moneyUnclear() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await list(world)
            let (_, order) = try await place(world, #"{"sku":"TEA-500","quantity":2}"#)
            let id = try #require(order["id"]?.text)
            try await world.deliver(StockReserved(orderID: id, expiresAt: "2026-01-01T01:00:00Z"))
            let error = await #expect(throws: HandlerError.self) { try await world.deliver(OrderOverdue(orderID: id)) }
            #expect(error?.errorClass == "order.overdue")
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: OrderFixtures.total))
            try await world.deliver(OrderOverdue(orderID: id))
            #expect(try await world.storedTypes().last == "order.confirmed")
        }
    }

    @Test("A new price of what is not listed yet, as a late beginner may read it, is left for the listing to come")
    func unlisted() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            try await world.deliver(ProductPriceChanged(sku: "TEA-500", price: Self.eur))
            #expect(try await world.count("products") == 0)
            try await list(world, price: Money(amount: 700, currency: "EUR"))
            #expect(try await place(world, #"{"sku":"TEA-500","quantity":1,"unitPrice":700}"#).0 == 202)
        }
    }

    @Test(
        "The contexts of a shop are words, separated by commas",
        arguments: [
            ("", []), ("none", []), ("inventory", [.inventory]), (" inventory ", [.inventory]), ("inventory,", nil),
            ("inventori", nil), ("inventory,none", nil),
        ] as [(String, Set<Shop.Context>?)]
    )
    func contexts(text: String, contexts: Set<Shop.Context>?) {
        #expect(Shop.contexts(named: text) == contexts)
    }

    @Test("A shop without Inventory has no queue of it, and nobody hears what it says")
    func topology() {
        #expect(Shop.topology.subscriptions.map(\.subscriber) == ["order", "payment", "notification"])
        #expect(!Shop.topology.subscribedTypes.contains(OrderPlaced.type))
        #expect(Shop.topology(with: [.inventory]).subscribedTypes.contains(OrderPlaced.type))
    }
}
