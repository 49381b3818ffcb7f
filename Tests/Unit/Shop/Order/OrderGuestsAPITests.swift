import Database
import Events
import HTTP
import JSON
import ShopEvents
import TestSupport
import Testing

@testable import Messaging
@testable import Order

@Suite("Order's interface in a shop with coupons, points and parcels")
struct OrderGuestsAPITests {
    private static let all: Set<Shop.Context> = [.coupon, .points, .shipping]
    private static let ada = Caller(.customer, "ada")

    private static func body(_ extras: String, customer: String = "") -> String {
        """
        {"customer":{"email":"ada@example.com","name":"Ada Lovelace"\(customer)},"currency":"EUR",\
        "lines":[{"sku":"TEA-500","quantity":2,"unitPrice":650}],"paymentMethod":"pm_card_visa"\(extras)}
        """
    }

    private static let address =
        #"{"name":"Ada","lines":["12 St James's Square"],"postalCode":"SW1Y 4JH","city":"London","country":"GB"}"#

    private func place(
        _ world: OrderWorld,
        _ body: String,
        by caller: Caller = .local
    ) async throws -> (status: Int, answer: JSONValue, faults: [String]) {
        let answer = await world.send("POST", "/orders", body: body, by: caller)
        let value = try JSONValue(parsing: answer.body)
        return (answer.status, value, (value["errors"]?.array ?? []).compactMap { $0["field"]?.text })
    }

    @Test("A customer pays with their own coupon and points, and nobody names another customer's")
    func whose() async throws {
        try await OrderWorld.with(Self.all) { world in
            let mine = try await place(world, Self.body(#","coupon":"c-1","points":300"#), by: Self.ada)
            #expect(mine.status == 202)
            #expect(mine.answer["customer", "id"]?.text == "ada")
            #expect(mine.answer["couponStatus"]?.text == "requested")
            #expect(mine.answer["pointsStatus"]?.text == "requested")
            #expect(mine.answer["payment", "status"]?.text == "not-requested")
            let placed = try OrderPlaced(decodingData: try #require(try await world.stored().first).data)
            #expect(placed.customer.id == "ada")
            #expect(placed.deductions == Deductions(coupon: "c-1", points: 300))
            let bobs = Self.body(#","coupon":"c-1""#, customer: #","id":"bob""#)
            let foreign = try await place(world, bobs, by: Self.ada)
            #expect(foreign.status == 422)
            #expect(foreign.faults == ["customer.id"])
            #expect(try await place(world, bobs).answer["customer", "id"]?.text == "bob")
        }
    }

    @Test("A back end says whose coupon and points they are")
    func nobody() async throws {
        try await OrderWorld.with(Self.all) { world in
            for extras in [#","coupon":"c-1""#, #","points":1"#] {
                let refused = try await place(world, Self.body(extras))
                #expect(refused.status == 422)
                #expect(refused.faults == ["customer.id"])
            }
            #expect(try await place(world, Self.body("", customer: #","id":"ada""#)).status == 202)
            #expect(try await place(world, Self.body("")).answer["customer", "id"] == nil)
        }
    }

    @Test("What the shop does not have is refused by name, all at once with what else is wrong")
    func without() async throws {
        try await OrderWorld.with([]) { world in
            let extras = #","coupon":"c 1","points":0,"shippingAddress":{"name":"Ada"}"#
            let refused = try await place(world, Self.body(extras, customer: #","id":"ada","locale":"k""#))
            #expect(refused.status == 422)
            #expect(
                Set(refused.faults) == [
                    "coupon", "points", "shippingAddress", "shippingAddress.lines", "shippingAddress.postalCode",
                    "shippingAddress.city", "shippingAddress.country", "customer.locale",
                ]
            )
            #expect(try await world.stored().isEmpty)
        }
    }

    @Test("An address comes with the order or later, and one that is wrong names each field")
    func addresses() async throws {
        try await OrderWorld.with(Self.all) { world in
            let placed = try await place(world, Self.body(#","shippingAddress":\#(Self.address)"#))
            #expect(placed.answer["shippingAddress", "city"]?.text == "London")
            let id = try #require(placed.answer["id"]?.text)
            let path = "/orders/\(id)/shipping-address"
            #expect(await world.send("PUT", path, body: Self.address).status == 200)
            let moved = Self.address.replacing("London", with: "Paris")
            let answer = await world.send("PUT", path, body: moved)
            #expect(answer.status == 202)
            #expect(try JSONValue(parsing: answer.body)["shippingAddress", "city"]?.text == "Paris")
            let wrong = #"{"name":" ","lines":["a","b","c"],"postalCode":7,"city":"x\n","country":"gb","zip":1}"#
            let refused = try JSONValue(parsing: await world.send("PUT", path, body: wrong).body)
            #expect(
                Set((refused["errors"]?.array ?? []).compactMap { $0["field"]?.text }) == [
                    "zip", "name", "lines", "postalCode", "city", "country",
                ]
            )
            let types = try await world.storedTypes()
            #expect(types.filter { $0.hasSuffix("shipping-address-changed") }.count == 2)
            #expect(await world.send("PUT", path, body: Self.address, by: Self.ada).status == 404)
        }
    }

    @Test("An order that ended, is on its way, or is not shipped says so")
    func refusals() async throws {
        try await OrderWorld.with(Self.all) { world in
            func kind(_ response: HTTPResponse) throws -> String? {
                try JSONValue(parsing: response.body)["type"]?.text
            }
            let id = try #require(try await place(world, Self.body("")).answer["id"]?.text)
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi", total: OrderFixtures.total))
            try await world.deliver(ShipmentDispatched(orderID: id, trackingCode: "T-1", addressVersion: 1))
            let path = "/orders/\(id)/shipping-address"
            #expect(try kind(await world.send("PUT", path, body: Self.address)) == "/problems/order-dispatched")
            #expect(try kind(await world.send("POST", "/orders/\(id)/cancel")) == "/problems/order-dispatched")
            let other = try #require(try await place(world, Self.body("")).answer["id"]?.text)
            #expect(await world.send("POST", "/orders/\(other)/cancel").status == 202)
            let ended = await world.send("PUT", "/orders/\(other)/shipping-address", body: Self.address)
            #expect(try kind(ended) == "/problems/order-ended")
        }
        try await OrderWorld.with([]) { world in
            let id = try await world.place()
            let answer = await world.send("PUT", "/orders/\(id)/shipping-address", body: Self.address)
            #expect(answer.status == 409)
            #expect(try JSONValue(parsing: answer.body)["type"]?.text == "/problems/order-not-shipped")
        }
    }

    @Test("What an order is and was survives its store: coupon, points, parcel and dispute")
    func stored() async throws {
        try await OrderWorld.with(Self.all) { world in
            let body = Self.body(
                #","coupon":"c-1","points":300,"shippingAddress":\#(Self.address)"#,
                customer: #","locale":"ko-KR""#
            )
            let id = try #require(try await place(world, body, by: Self.ada).answer["id"]?.text)
            let euros = { (amount: Int64) in Money(amount: amount, currency: "EUR") }
            let time = "2026-01-01T00:00:00.000Z"
            try await world.deliver(
                CouponRedeemed(orderID: id, coupon: "c-1", discount: euros(130), expiresAt: time)
            )
            try await world.deliver(PointsSpent(orderID: id, points: 300))
            try await world.deliver(PaymentCaptured(orderID: id, paymentID: "pi", total: euros(870)))
            try await world.deliver(CouponConfirmed(orderID: id))
            try await world.deliver(ShipmentRefused(orderID: id, reason: "unknown_address", addressVersion: 1))
            try await world.deliver(
                PaymentDisputed(orderID: id, disputeID: "dp", state: .opened, reason: "fraudulent", total: euros(870))
            )
            let shown = try JSONValue(parsing: await world.send("GET", "/orders/\(id)", by: Self.ada).body)
            #expect(shown["status"]?.text == "confirmed")
            #expect(shown["couponStatus"]?.text == "confirmed")
            #expect(shown["pointsStatus"]?.text == "spent")
            #expect(shown["due", "amount"]?.integer == 870)
            #expect(shown["customer", "locale"]?.text == "ko-KR")
            #expect(shown["shippingReason"]?.text == "unknown_address")
            #expect(shown["payment", "dispute"]?.text == "opened")
            let listed = try JSONValue(parsing: await world.send("GET", "/orders", by: Self.ada).body)
            let summary = try #require(listed["orders"]?.array?.first)
            #expect(summary["shippingStatus"]?.text == "refused")
            #expect(summary["payment", "dispute"]?.text == "opened")
            // A discount in another currency is nobody's.
            let next = try #require(
                try await place(world, Self.body(#","coupon":"c-2""#), by: Self.ada).answer["id"]?.text
            )
            await #expect(throws: HandlerError.self) {
                try await world.deliver(
                    CouponRedeemed(
                        orderID: next,
                        coupon: "c-2",
                        discount: Money(amount: 1, currency: "USD"),
                        expiresAt: time
                    )
                )
            }
        }
    }
}
