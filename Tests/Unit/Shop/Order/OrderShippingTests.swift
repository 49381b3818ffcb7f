import Events
import ShopEvents
import Testing

@testable import Order

@Suite("An order's parcel")
struct OrderShippingTests {
    private static let first = OrderFixtures.address
    private static let second = PostalAddress(
        name: "Ada Lovelace",
        lines: ["Ockham Park", "Gatehouse"],
        postalCode: "GU23 6NQ",
        city: "Ockham",
        country: "GB"
    )

    private static func placed(at address: PostalAddress? = first) -> (Order, [any Event]) {
        var draft = OrderFixtures.draft
        draft.address = address
        return Order.place(draft, id: OrderFixtures.id, isShipped: true, at: 1000)
    }

    private static func confirmed() throws -> Order {
        var (order, _) = placed()
        _ = try order.take(.captured(OrderFixtures.total), at: 2000)
        return order
    }

    private func events(_ outcome: Order.Outcome) -> [any Event] {
        guard case .changed(let events) = outcome else { return [] }
        return events
    }

    @Test("The first address is told when the order is placed, each other one with a higher number")
    func addresses() throws {
        var (order, first) = Self.placed()
        #expect(
            first.map(OrderTests.shortName) == [
                "order.placed", "order.shipping-address-changed", "order.payment-requested",
            ]
        )
        #expect((first[1] as? OrderShippingAddressChanged)?.version == 1)
        let next = events(try order.ship(to: Self.second, by: "customer:ada", at: 2000))
        #expect(next.map { ($0 as? OrderShippingAddressChanged)?.version } == [2])
        #expect(order.history.last?.caller == "customer:ada")
        guard case .unchanged = try order.ship(to: Self.second, at: 3000) else {
            Issue.record("the same address is no change")
            return
        }
        #expect(order.shipment?.address == Self.second)
    }

    @Test("An order without an address gets one later")
    func later() throws {
        var (order, first) = Self.placed(at: nil)
        #expect(first.map(OrderTests.shortName) == ["order.placed", "order.payment-requested"])
        #expect(events(try order.ship(to: Self.first, at: 2000)).count == 1)
        #expect((order.shipment?.addresses.count) == 1)
    }

    @Test("A parcel that left before the new address came shows where it goes")
    func tooLate() throws {
        var order = try Self.confirmed()
        _ = try order.ship(to: Self.second, at: 2000)
        let told = events(try order.take(.dispatched(trackingCode: "T-1", addressVersion: 1), at: 3000))
        #expect((told.first as? OrderDispatched)?.trackingCode == "T-1")
        #expect(order.shipment?.address == Self.first)
        #expect(throws: Order.Refusal.dispatched) { try order.ship(to: Self.second, at: 4000) }
        #expect(throws: Order.Refusal.dispatched) { try order.cancel(at: 4000) }
    }

    @Test("Dispatched and delivered, in either order and twice")
    func orders() throws {
        var order = try Self.confirmed()
        let dispatched = Order.ShippingReport.dispatched(trackingCode: "T-1", addressVersion: 1)
        #expect(events(try order.take(dispatched, at: 2000)).count == 1)
        #expect(events(try order.take(dispatched, at: 2000)).isEmpty)
        #expect(events(try order.take(.delivered, at: 2000)).isEmpty)
        #expect(order.shipment?.status == .delivered)
        guard case .unchanged = try order.take(dispatched, at: 3000) else {
            Issue.record("an overtaken dispatch changed the order")
            return
        }
        #expect(order.shipment?.status == .delivered)
    }

    @Test("A parcel that left while the order was cancelled tells no customer of it")
    func cancelled() throws {
        var order = try Self.confirmed()
        _ = try order.cancel(at: 2000)
        let told = events(try order.take(.dispatched(trackingCode: "T-1", addressVersion: 1), at: 3000))
        #expect(told.isEmpty)
        #expect(order.shipment?.status == .dispatched)
        #expect(throws: Order.Refusal.ended) { try order.ship(to: Self.second, at: 4000) }
    }

    @Test("An address that the courier refuses is shown with the reason until another one comes")
    func refused() throws {
        var order = try Self.confirmed()
        let refused = Order.ShippingReport.refused(reason: "unknown_address", addressVersion: 1)
        _ = try order.take(refused, at: 2000)
        #expect(order.shipment?.status == .refused)
        #expect(order.shipment?.reason == "unknown_address")
        _ = try order.ship(to: Self.second, at: 3000)
        #expect(order.shipment?.status == .pending)
        // What was said of the old address comes again, or late.
        guard case .unchanged = try order.take(refused, at: 4000) else {
            Issue.record("a replaced address was refused again")
            return
        }
        #expect(order.shipment?.status == .pending)
        _ = try order.take(.dispatched(trackingCode: "T-1", addressVersion: 2), at: 5000)
        #expect(throws: Order.Refusal.shippingContradiction(known: .dispatched, reported: .refused)) {
            try order.take(refused, at: 6000)
        }
    }

    @Test("An order of a shop that does not ship has no parcel")
    func notShipped() throws {
        var order = OrderFixtures.placed()
        #expect(throws: Order.Refusal.notShipped) { try order.ship(to: Self.first, at: 2000) }
        #expect(throws: Order.Refusal.shippingContradiction(known: nil, reported: .delivered)) {
            try order.take(Order.ShippingReport.delivered, at: 2000)
        }
    }
}
