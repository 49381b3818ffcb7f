import Events
import Messaging
import MessagingTestKit
import ShopEvents
import Telemetry
import Testing

@testable import Inventory

@Suite("Inventory with its messaging: timeouts that come by themselves")
struct InventoryServiceTests {
    private static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace")
    private static let total = Money(amount: 650, currency: "EUR")

    /// Inventory with that many of one product.
    private func withInventory(_ count: Int, _ test: (TestService) async throws -> Void) async throws {
        let room = Stockroom(rules: InventoryWorld.rules, logger: .silent)
        try await withTestService(
            "inventory",
            hears: [OrderPlaced.type, OrderConfirmed.type, OrderCancelled.type, OrderRejected.type],
            migrations: [InventoryTables.migrations]
        ) { service in
            InventoryHandlers(room: room).register(on: service.subscriber)
        } test: { service in
            try await service.events.write { transaction in
                let product = Product(sku: "TEA", name: "Tea", price: Self.total, updatedAt: 0)
                try ProductStore().insert(product, in: transaction)
                _ = try room.adjust("TEA", by: count, at: 0, in: transaction)
            }
            try await test(service)
            #expect(try await service.deadLetters().isEmpty)
            #expect(try await service.backlog().scheduled == 0, "nothing is left to come")
        }
    }

    private func placed(_ order: String) -> OrderPlaced {
        OrderPlaced(
            orderID: order,
            customer: Self.customer,
            lines: [OrderLine(sku: "TEA", quantity: 1, unitPrice: 650)],
            total: Self.total
        )
    }

    @Test("The last piece is reserved for one; the other is refused after the wait, and the first expires later")
    func waitAndExpiry() async throws {
        try await withInventory(1) { service in
            for order in ["o-1", "o-2"] { try await service.receive(placed(order)) }
            #expect(try await service.published(StockReserved.self).map(\.orderID) == ["o-1"])
            #expect(try await service.published(StockRejected.self).isEmpty)
            let wait = try #require(try await service.advanceToNextDue())
            #expect(wait <= .seconds(30))
            let refused = StockRejected(orderID: "o-2", reason: "stock-locked", skus: ["TEA"])
            #expect(try await service.published(StockRejected.self) == [refused])
            #expect(try await service.published(StockReleased.self).isEmpty)
            try await service.advance(by: .seconds(3_600))
            let released = StockReleased(orderID: "o-1", reason: "expired")
            #expect(try await service.published(StockReleased.self) == [released])
            #expect(try await service.published(StockChanged.self).map(\.level) == [.low, .out, .low])
        }
    }

    @Test("What is given back goes to the one that waits, whose own time then begins")
    func freed() async throws {
        try await withInventory(1) { service in
            for order in ["o-1", "o-2"] { try await service.receive(placed(order)) }
            try await service.receive(OrderCancelled(orderID: "o-1", customer: Self.customer, total: Self.total))
            #expect(try await service.published(StockReserved.self).map(\.orderID) == ["o-1", "o-2"])
            try await service.advance(by: .seconds(60))
            #expect(try await service.published(StockRejected.self).isEmpty, "the wait was taken back")
            try await service.receive(OrderConfirmed(orderID: "o-2", customer: Self.customer, total: Self.total))
            try await service.advance(by: .seconds(7_200))
            #expect(try await service.published(StockConfirmed.self).map(\.orderID) == ["o-2"])
            #expect(try await service.published(StockReleased.self).map(\.orderID) == ["o-1"])
        }
    }
}
