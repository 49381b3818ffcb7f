import Database
import Events
import HTTP
import JSON
import ShopEvents
import TestSupport
import Testing

@testable import Messaging
@testable import Order

@Suite("Order hears from Payment")
struct OrderHandlerTests {
    private static let captured = ["order.placed", "order.payment-requested", "order.confirmed"]

    private func state(of id: String, in world: OrderWorld) async throws -> String {
        let shown = try JSONValue(parsing: await world.send("GET", "/orders/\(id)").body)
        return "\(shown["status"]?.text ?? "")/\(shown["payment", "status"]?.text ?? "")"
    }

    @Test("A capture confirms the order and tells the customer's side, caused by it and in its flow")
    func captured() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: OrderFixtures.total))
            #expect(try await state(of: id, in: world) == "confirmed/captured")
            let stored = try await world.stored()
            #expect(try await world.storedTypes() == Self.captured)
            let confirmed = try #require(stored.last)
            #expect(confirmed.causationID != nil)
            #expect(confirmed.correlationID == "flow-\(id)")
            #expect(try OrderConfirmed(decodingData: confirmed.data).customer == OrderFixtures.draft.customer)
        }
    }

    @Test("A decline rejects the order and shows why")
    func declined() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            try await world.deliver(PaymentDeclined(orderID: id, reason: "insufficient_funds"))
            let shown = try JSONValue(parsing: await world.send("GET", "/orders/\(id)").body)
            #expect(shown["status"]?.text == "rejected")
            #expect(shown["payment", "reason"]?.text == "insufficient_funds")
            #expect(try await world.storedTypes() == ["order.placed", "order.payment-requested", "order.rejected"])
        }
    }

    @Test("A cancel while the charge is in flight: captured, then refunded, and never confirmed")
    func cancelInFlight() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            _ = await world.send("POST", "/orders/\(id)/cancel")
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: OrderFixtures.total))
            #expect(try await state(of: id, in: world) == "cancelled/captured")
            try await world.deliver(PaymentRefunded(orderID: id, refundID: "re_1", total: OrderFixtures.total))
            #expect(try await state(of: id, in: world) == "cancelled/refunded")
            let types = try await world.storedTypes()
            #expect(types == ["order.placed", "order.payment-requested", "order.cancelled", "order.refunded"])
            let shown = try JSONValue(parsing: await world.send("GET", "/orders/\(id)").body)
            let history = (shown["history"]?.array ?? []).compactMap { $0["event"]?.text }
            #expect(
                history == [
                    "dev.warren.order.placed", "dev.warren.order.cancelled", "dev.warren.payment.captured",
                    "dev.warren.payment.refunded",
                ]
            )
        }
    }

    @Test(
        "A charge that comes to light after a void is no dead letter: it is shown, and the customer hears of its refund"
    )
    func lateCharge() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            let total = OrderFixtures.total
            try await world.deliver(PaymentVoided(orderID: id))
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: total))
            #expect(try await state(of: id, in: world) == "rejected/captured")
            try await world.deliver(PaymentRefundRequested(orderID: id, refundID: "re_1", total: total))
            #expect(try await state(of: id, in: world) == "rejected/refunding")
            try await world.deliver(PaymentRefunded(orderID: id, refundID: "re_1", total: total))
            #expect(try await state(of: id, in: world) == "rejected/refunded")
            #expect(
                try await world.storedTypes() == [
                    "order.placed", "order.payment-requested", "order.rejected", "order.refunded",
                ]
            )
            let refunded = try #require(try await world.stored().last)
            #expect(try OrderRefunded(decodingData: refunded.data).reason == "late-charge")
        }
    }

    @Test("A void after a cancel is recorded and told to nobody")
    func voided() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            _ = await world.send("POST", "/orders/\(id)/cancel")
            try await world.deliver(PaymentVoided(orderID: id))
            #expect(try await state(of: id, in: world) == "cancelled/voided")
            #expect(try await world.storedTypes() == ["order.placed", "order.payment-requested", "order.cancelled"])
        }
    }

    @Test("The same news under another id changes nothing")
    func repeated() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            for _ in 0..<3 {
                try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: OrderFixtures.total))
            }
            #expect(try await world.storedTypes() == Self.captured)
            #expect(try await world.count("order_history") == 2)
        }
    }

    @Test("What no retry can mend is permanent and changes nothing")
    func permanent() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi_1", total: OrderFixtures.total))
            func expect(_ errorClass: String, _ event: some Event) async {
                let error = await #expect(throws: HandlerError.self) { try await world.deliver(event) }
                #expect(error?.kind == .permanent)
                #expect(error?.errorClass == errorClass)
            }
            await expect("order.unknown", PaymentVoided(orderID: OrderFixtures.id))
            await expect("order.payment-contradiction", PaymentDeclined(orderID: id, reason: "x"))
            await expect(
                "order.other-amount",
                PaymentRefunded(orderID: id, refundID: "re_1", total: Money(amount: 1, currency: "EUR"))
            )
            #expect(try await state(of: id, in: world) == "confirmed/captured")
            #expect(try await world.storedTypes() == Self.captured)
        }
    }

    @Test("Order has a handler for every type that its queue takes, for what its feed brings, and for its deadline")
    func complete() async throws {
        try await OrderWorld.with(hasInventory: true) { world async throws in
            let whole = Shop.topology(with: Set(Shop.Context.allCases))
            let subscription = try #require(whole.subscriptions.first { $0.subscriber == "order" })
            #expect(ProductPicture.types.isDisjoint(with: subscription.types), "what comes both ways has no order")
            let own = ProductPicture.types.union([OrderOverdue.type])
            #expect(world.subscriber.types == Set(subscription.types).union(own))
        }
    }
}

@Suite("Orders in the database")
struct OrderStoreTests {
    private let store = OrderStore()

    @Test("An order comes back as it was stored, after every change", arguments: OrderStep.allCases, OrderStep.allCases)
    func roundTrip(first: OrderStep, second: OrderStep) async throws {
        try await OrderWorld.with { world async throws in
            let (stored, loaded) = try await world.database.write { [store] transaction in
                var order = OrderFixtures.placed()
                try store.insert(order, in: transaction)
                for step in [first, second] {
                    let version = order.version
                    _ = OrderTests.result(of: step, on: &order)
                    if order.version > version { try store.update(order, in: transaction) }
                }
                return (order, try store.load(order.id, in: transaction))
            }
            #expect(loaded == stored)
        }
    }

    @Test("Of two who change the same version one is told to start again")
    func concurrentChange() async throws {
        try await OrderWorld.with { world async throws in
            await #expect(throws: OrderStore.ChangedMeanwhile.self) {
                try await world.database.write { [store] transaction in
                    try store.insert(OrderFixtures.placed(), in: transaction)
                    var first = OrderFixtures.placed()
                    var second = first
                    _ = try first.cancel(at: 2000)
                    _ = try second.take(.voided, at: 2000)
                    try store.update(first, in: transaction)
                    try store.update(second, in: transaction)
                }
            }
            #expect(try await world.count("orders") == 0)
        }
    }

    @Test("Text of all kinds survives")
    func text() async throws {
        let customer = Customer(email: "o'neill@example.com", name: "Zoë 'O' \"Neill\" 東京 🫖 \\")
        let draft = OrderDraft(
            customer: customer,
            lines: (1...100).map { OrderLine(sku: "S-\($0)", quantity: $0, unitPrice: Int64($0)) },
            total: Money(amount: 338_350, currency: "JPY"),
            paymentMethod: "pm_~!"
        )
        try await OrderWorld.with { world async throws in
            let (order, _) = Order.place(draft, id: OrderFixtures.id, at: 1)
            let loaded = try await world.database.write { [store] transaction in
                try store.insert(order, in: transaction)
                return try store.load(OrderFixtures.id, in: transaction)
            }
            #expect(loaded == order)
        }
    }
}
