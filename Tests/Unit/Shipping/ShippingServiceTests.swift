import Events
import HTTP
import Messaging
import MessagingTestKit
import ShopEvents
import Synchronization
import Telemetry
import Testing

@testable import Shipping

/// A courier that says what it is told to, and keeps what it is asked.
private final class StandIn: Courier {
    private struct Books {
        var asked: [String] = []
        var answer: Result<Shipment.Word, HandlerError>?
    }

    private let books = Mutex(Books())
    var asked: [String] { books.withLock { $0.asked } }

    /// From now on everything is answered so; with nil as a courier does on a good day.
    func answer(_ answer: Result<Shipment.Word, HandlerError>?) { books.withLock { $0.answer = answer } }

    private func take(_ question: String, _ usual: Shipment.Word) throws -> Shipment.Word {
        try books.withLock { books in
            books.asked.append(question)
            return try books.answer?.get() ?? usual
        }
    }

    func book(_ id: String, _ address: PostalAddress, version: Int) async throws -> Shipment.Word {
        try take("book \(version)", .booked(version: version))
    }

    func lookUp(_ id: String) async throws -> Shipment.Word { try take("look up", .booked(version: 1)) }

    func callOff(_ id: String) async throws -> Shipment.Word { try take("call off", .calledOff) }
}

@Suite("Shipping with its messaging: turns at the courier, and its webhooks")
struct ShippingServiceTests {
    private static let customer = Customer(email: "ada@example.com", name: "Ada Lovelace")
    private static let total = Money(amount: 650, currency: "EUR")

    private let courier = StandIn()

    private func withShipping(_ test: (TestService, ShippingAPI) async throws -> Void) async throws {
        let desk = DispatchDesk(checkInterval: 6 * 3_600_000, logger: .silent)
        let signature = try #require(WebhookSignature(secret: "whsec"))
        try await withTestService(
            "shipping",
            hears: [
                OrderShippingAddressChanged.type, OrderConfirmed.type, OrderCancelled.type, OrderRejected.type,
            ],
            migrations: [ShippingTables.migrations],
            afterDeadLetter: .proceed
        ) { service in
            ShippingHandlers(desk: desk, database: service.database, courier: courier).register(on: service.subscriber)
        } test: { service in
            let api = ShippingAPI(
                database: service.database,
                events: service.events,
                desk: desk,
                signature: signature,
                logger: .silent
            )
            try await test(service, api)
        }
    }

    private func address(_ version: Int) -> OrderShippingAddressChanged {
        OrderShippingAddressChanged(orderID: "o-1", address: ShipmentTests.address(version), version: version)
    }

    private var confirmed: OrderConfirmed { OrderConfirmed(orderID: "o-1", customer: Self.customer, total: Self.total) }
    private var cancelled: OrderCancelled { OrderCancelled(orderID: "o-1", customer: Self.customer, total: Self.total) }

    private func webhook(
        _ type: String,
        id: String = "wh_1",
        order: String = "o-1",
        code: String = "SBX1",
        secret: String = "whsec",
        age: Int64 = 0
    ) throws -> HTTPRequest {
        var request = HTTPRequest(method: "POST", path: "/webhooks/courier")
        let shipment = #"{"id":"\#(order)","version":1,"trackingCode":"\#(code)"}"#
        request.body = Array(#"{"id":"\#(id)","type":"\#(type)","created":1,"shipment":\#(shipment)}"#.utf8)
        request.headers["Content-Type"] = "application/json"
        let signature = try #require(WebhookSignature(secret: secret))
        request.headers["Courier-Signature"] = signature.sign(request.body, at: WallClock.milliseconds() / 1000 - age)
        return request
    }

    private func answer(_ api: ShippingAPI, _ request: HTTPRequest) async throws -> String {
        do {
            return String(decoding: try await api.takeWebhook(request).body, as: UTF8.self)
        } catch let problem as Problem {
            return "\(problem.kind.status)"
        }
    }

    @Test("A confirmed order's address is told to the courier; what leaves and arrives is told once")
    func happyPath() async throws {
        try await withShipping { service, api in
            try await service.receive(address(1))
            #expect(courier.asked.isEmpty)
            try await service.receive(confirmed)
            try await service.settle()
            #expect(courier.asked == ["book 1"])
            #expect(try await answer(api, webhook("shipment.dispatched")).contains("taken"))
            #expect(try await answer(api, webhook("shipment.dispatched")).contains("duplicate"))
            #expect(try await answer(api, webhook("shipment.delivered", id: "wh_2")).contains("taken"))
            try await service.settle()
            let dispatched = ShipmentDispatched(orderID: "o-1", trackingCode: "SBX1", addressVersion: 1)
            #expect(try await service.published(ShipmentDispatched.self) == [dispatched])
            #expect(try await service.published(ShipmentDelivered.self) == [ShipmentDelivered(orderID: "o-1")])
            #expect(try await service.backlog().scheduled == 0, "nothing is left to ask")
        }
    }

    @Test("A webhook that is forged, old, of nobody's or contradicts takes nothing")
    func refusedWebhooks() async throws {
        try await withShipping { service, api in
            #expect(try await answer(api, webhook("shipment.dispatched")) == "404")
            try await service.receive(address(1))
            try await service.receive(confirmed)
            try await service.settle()
            #expect(try await answer(api, webhook("shipment.dispatched", secret: "other")) == "400")
            #expect(try await answer(api, webhook("shipment.dispatched", age: 600)) == "400")
            #expect(try await service.published(ShipmentDispatched.self).isEmpty)
            // The one that nobody could take before is taken now: its id was not remembered.
            #expect(try await answer(api, webhook("shipment.dispatched")).contains("taken"))
            #expect(try await answer(api, webhook("shipment.delivered", id: "wh_2", code: "OTHER")) == "409")
        }
    }

    @Test("Without a secret no webhook is taken, whatever it is signed with")
    func noSecret() async throws {
        try await withShipping { service, _ in
            try await service.receive(address(1))
            try await service.receive(confirmed)
            try await service.settle()
            let api = ShippingAPI(
                database: service.database,
                events: service.events,
                desk: DispatchDesk(checkInterval: 1000, logger: .silent),
                signature: nil,
                logger: .silent
            )
            for secret in ["whsec", "whsec_sandbox"] {
                #expect(try await answer(api, webhook("shipment.dispatched", secret: secret)) == "503")
            }
            #expect(try await service.published(ShipmentDispatched.self).isEmpty)
        }
    }

    @Test("While the courier is down, a newer address replaces the one that waits, and only the newest is told")
    func courierDown() async throws {
        try await withShipping { service, _ in
            courier.answer(
                .failure(.deferred(until: WallClock.milliseconds() + 3_600_000, "courier.unavailable", "down"))
            )
            try await service.receive(confirmed)
            try await service.receive(address(1))
            try await service.settle()
            courier.answer(nil)
            try await service.receive(address(2))
            try await service.settle()
            try await service.advance(by: .seconds(3_700))
            #expect(courier.asked.first == "book 1")
            #expect(courier.asked.dropFirst().first == "book 2")
            #expect(!courier.asked.dropFirst().contains("book 1"))
            #expect(try await service.deadLetters().isEmpty)
        }
    }

    @Test("Where the only address is refused the courier is asked once more, and then when there is another")
    func refusedAddress() async throws {
        try await withShipping { service, _ in
            courier.answer(.success(.refused(version: 1, reason: "unknown_address")))
            try await service.receive(address(1))
            try await service.receive(confirmed)
            try await service.settle()
            courier.answer(.success(.unknown))
            try await service.advance(by: .seconds(6 * 3_600))
            #expect(courier.asked == ["book 1", "look up"])
            #expect(try await service.backlog().scheduled == 0)
            courier.answer(nil)
            try await service.receive(address(2))
            try await service.settle()
            #expect(courier.asked.last == "book 2")
            #expect(try await service.backlog().scheduled == 1)
        }
    }

    @Test("A courier that lies leaves a dead letter, and nothing is told")
    func lies() async throws {
        try await withShipping { service, _ in
            courier.answer(.success(.booked(version: 7)))
            try await service.receive(address(1))
            try await service.receive(confirmed)
            try await service.settle()
            #expect(try await service.deadLetters().count == 1)
            #expect(try await service.envelopes().isEmpty)
        }
    }

    @Test("An order that is cancelled is called off, once")
    func calledOff() async throws {
        try await withShipping { service, _ in
            try await service.receive(address(1))
            try await service.receive(confirmed)
            try await service.settle()
            try await service.receive(cancelled)
            try await service.settle()
            #expect(courier.asked == ["book 1", "call off"])
            #expect(try await service.backlog().scheduled == 0)
            #expect(try await service.envelopes().isEmpty)
        }
    }
}
