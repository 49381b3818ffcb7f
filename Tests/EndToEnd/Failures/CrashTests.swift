import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("After kill -9")
    struct Crashes {
        @Test("of Payment between the provider's answer and the commit there is one charge and the order is confirmed")
        func paymentAfterAnswer() async throws {
            var options = Shop.Options(usesWire: true)
            // The call is to outlast what is done below before its answer is let through.
            options.environment[.payment] = ["PAYMENT_PROVIDER_TIMEOUT": "5m"]
            try await Shop.open(options) { shop in
                let wire = try #require(shop.wire)
                wire.set(.keep)
                let id = try await shop.place()
                try await eventually("the provider has answered") { wire.answers > 0 }
                let lock = try await DatabaseLock(shop.database(.payment), folder: shop.folder)
                wire.set(.pass)
                try await eventually("the answer has reached Payment") { wire.passed > 0 }
                #expect(try await shop.charges(of: id) == 1)
                try await shop.kill(.payment)
                try await lock.release()
                #expect(try await shop.order(id)["status"] == "placed", "nothing of the payment was committed")

                try await shop.restart(.payment)
                try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                try await shop.waitForMail("confirmed", about: id)
                #expect(try await shop.charges(of: id) == 1)
                #expect(
                    try await shop.query(.payment, "SELECT count(*) FROM warren_deliveries WHERE subject = '\(id)'")
                        == [[1]]
                )
                #expect(
                    try await shop.query(.payment, "SELECT count(*) FROM payments WHERE order_id = '\(id)'") == [[1]]
                )
                try await shop.expectNothingWaits()
            }
        }

        @Test("of Payment while the provider is silent there is one charge and the order is confirmed")
        func paymentInCall() async throws {
            try await Shop.open { shop in
                try await shop.plan("timeout")
                let id = try await shop.place()
                try await eventually("the provider has charged") { try await shop.charges(of: id) == 1 }
                try await shop.kill(.payment)
                try await shop.restart(.payment)
                try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                #expect(try await shop.charges(of: id) == 1)
                try await shop.expectNothingWaits()
            }
        }

        @Test("of Order between the commit and the publish, the events go out after the restart")
        func orderBeforePublish() async throws {
            try await PrivateBroker.with { broker in
                try await Shop.open(Shop.Options(broker: broker)) { shop in
                    try await broker.stop()
                    // Taken while there is no broker: committed, and nowhere to publish it to.
                    let id = try await shop.place()
                    try await shop.kill(.order)
                    try await broker.start()
                    try await shop.restart(.order)
                    try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                    try await shop.waitForMail("confirmed", about: id)
                    #expect(try await shop.charges(of: id) == 1)
                    try await shop.expectNothingWaits()
                }
            }
        }

        @Test("of Notification, the mail goes out after the restart")
        func notification() async throws {
            try await Shop.open { shop in
                try await shop.kill(.notification)
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.restart(.notification)
                try await shop.waitForMail("confirmed", about: id)
            }
        }
    }
}
