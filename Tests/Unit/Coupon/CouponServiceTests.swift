import Events
import Messaging
import MessagingTestKit
import ShopEvents
import Telemetry
import Testing

@testable import Coupon

@Suite("Coupon with its messaging: timeouts that come by themselves")
struct CouponServiceTests {
    private static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace", id: "ada")
    private static let total = Money(amount: 650, currency: "EUR")
    private static let deductions = Deductions(coupon: "c-1")

    /// Coupon with one coupon of ada's.
    private func withCoupon(_ test: (TestService) async throws -> Void) async throws {
        let desk = RedemptionDesk(terms: CouponWorld.terms, logger: .silent)
        try await withTestService(
            "coupon",
            hears: [OrderPlaced.type, OrderConfirmed.type, OrderCancelled.type, OrderRejected.type],
            migrations: [CouponTables.migrations]
        ) { service in
            CouponHandlers(desk: desk).register(on: service.subscriber)
        } test: { service in
            try await service.events.write { transaction in
                let terms = CouponDefinition.Terms(rule: CouponRule(discount: .percent(10)))
                let definition = CouponDefinition(id: "TEN", terms: terms, createdAt: 0, updatedAt: 0)
                try DefinitionStore().insert(definition, in: transaction)
                let coupon = Coupon(
                    id: "c-1",
                    definition: "TEN",
                    customer: "ada",
                    rule: terms.rule,
                    issuedAt: 0,
                    updatedAt: 0
                )
                try CouponStore().insert(coupon, number: 1, in: transaction)
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
            total: Self.total,
            deductions: Self.deductions
        )
    }

    @Test("The coupon is reserved for one; the other is refused after the wait, and the first expires later")
    func waitAndExpiry() async throws {
        try await withCoupon { service in
            for order in ["o-1", "o-2"] { try await service.receive(placed(order)) }
            #expect(try await service.published(CouponRedeemed.self).map(\.orderID) == ["o-1"])
            #expect(try await service.published(CouponRejected.self).isEmpty)
            let wait = try #require(try await service.advanceToNextDue())
            #expect(wait <= .seconds(30))
            let refused = CouponRejected(orderID: "o-2", reason: "coupon-locked")
            #expect(try await service.published(CouponRejected.self) == [refused])
            #expect(try await service.published(CouponReleased.self).isEmpty)
            try await service.advance(by: .seconds(3_600))
            let released = CouponReleased(orderID: "o-1", reason: "expired")
            #expect(try await service.published(CouponReleased.self) == [released])
        }
    }

    @Test("What is given back goes to the one that waits, whose own time then begins")
    func freed() async throws {
        try await withCoupon { service in
            for order in ["o-1", "o-2"] { try await service.receive(placed(order)) }
            let cancelled = OrderCancelled(
                orderID: "o-1",
                customer: Self.customer,
                total: Self.total,
                deductions: Self.deductions
            )
            try await service.receive(cancelled)
            #expect(try await service.published(CouponRedeemed.self).map(\.orderID) == ["o-1", "o-2"])
            try await service.advance(by: .seconds(60))
            #expect(try await service.published(CouponRejected.self).isEmpty, "the wait was taken back")
            let confirmed = OrderConfirmed(
                orderID: "o-2",
                customer: Self.customer,
                total: Self.total,
                deductions: Deductions(coupon: "c-1", discount: 65)
            )
            try await service.receive(confirmed)
            try await service.advance(by: .seconds(7_200))
            #expect(try await service.published(CouponConfirmed.self).map(\.orderID) == ["o-2"])
            #expect(try await service.published(CouponReleased.self).map(\.orderID) == ["o-1"])
        }
    }

    @Test("An order that ends first is refused when it comes")
    func tombstone() async throws {
        try await withCoupon { service in
            let rejected = OrderRejected(
                orderID: "o-1",
                customer: Self.customer,
                reason: "out-of-stock",
                total: Self.total,
                deductions: Self.deductions
            )
            try await service.receive(rejected)
            try await service.receive(placed("o-1"))
            let refused = CouponRejected(orderID: "o-1", reason: "order-ended")
            #expect(try await service.published(CouponRejected.self) == [refused])
            #expect(try await service.published(CouponRedeemed.self).isEmpty)
        }
    }
}
