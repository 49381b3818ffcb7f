import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("An order")
    struct OrderPath {
        @Test("is charged, confirmed and mailed; the same order under the same key is placed once")
        func confirmed() async throws {
            try await Shop.open { shop in
                let first = try await shop.probe(.order).post(
                    "/orders",
                    Shop.order(),
                    headers: ["Idempotency-Key": "\"once\""]
                )
                let second = try await shop.probe(.order).post(
                    "/orders",
                    Shop.order(),
                    headers: ["Idempotency-Key": "\"once\""]
                )
                #expect(first.status == 202)
                #expect(second.status == 202)
                #expect(try second.json["id"] == first.json["id"])
                let id = try #require(try first.json["id"].text)

                let order = try await shop.waitFor("confirmed", order: id)
                #expect(order["total"] == ["amount": 2500, "currency": "EUR"])
                #expect(order["payment"]["status"] == "captured")
                let mail = try await shop.waitForMail("confirmed", about: id)
                #expect(mail.to == "ada@example.com")
                #expect(mail.messageID.hasSuffix("@warren.example"))
                #expect(try await shop.charges(of: id) == 1)
                #expect(try await shop.probe(.order).get("/orders?limit=10").json["orders"].elements.count == 1)
                try await shop.expectNothingWaits()
            }
        }

        @Test("is rejected and mailed when the card is declined")
        func declined() async throws {
            try await Shop.open { shop in
                let id = try await shop.place(paying: "pm_card_chargeDeclinedInsufficientFunds")
                let order = try await shop.waitFor("rejected", order: id)
                #expect(order["payment"]["reason"] == "insufficient_funds")
                let mail = try await shop.waitForMail("could not be accepted", about: id)
                #expect(mail.snippet.contains("declined"))
                #expect(try await shop.charges(of: id) == 0)
                let cancel = try await shop.probe(.order).post("/orders/\(id)/cancel")
                #expect(cancel.status == 409)
                try await shop.expectNothingWaits()
            }
        }

        @Test("that the provider does not take as it is ends rejected, not in the dead letters")
        func refused() async throws {
            try await Shop.open { shop in
                let id = try await shop.place(paying: "pm_nobody_knows")
                let order = try await shop.waitFor("rejected", order: id)
                #expect(order["payment"]["reason"] == "resource_missing")
                try await shop.waitForMail("could not be accepted", about: id)
                try await shop.expectNothingWaits()
            }
        }

        @Test("that is cancelled after it was paid is refunded once, and the customer is told of both")
        func cancelled() async throws {
            try await Shop.open { shop in
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.cancel(id)
                try await shop.waitForPayment("refunded", order: id)
                #expect(try await shop.order(id)["status"] == "cancelled")
                try await shop.waitForMail("cancelled", about: id)
                try await shop.waitForMail("refunded", about: id)
                // Once more changes nothing.
                #expect(try await shop.probe(.order).post("/orders/\(id)/cancel").status == 200)
                #expect(try await shop.charges(of: id) == 1)
                #expect(try await shop.refunds(of: id) == 1)
                try await shop.expectNothingWaits()
            }
        }

        @Test("that is cancelled while the provider is still at it ends without the money, whatever came first")
        func cancelledInFlight() async throws {
            try await Shop.open { shop in
                // Long enough to be seen, and to be waited for by the retries.
                try await shop.plan("slow", delay: 6000)
                let id = try await shop.place()
                try await eventually("the charge is in flight") {
                    try await shop.ledger()["intents"].elements.contains { $0["status"] == "processing" }
                }
                try await shop.cancel(id)
                try await shop.waitForPayment("refunded", order: id, within: .seconds(120))
                #expect(try await shop.order(id)["status"] == "cancelled")
                try await shop.waitForMail("refunded", about: id)
                #expect(try await shop.charges(of: id) == 1)
                #expect(try await shop.refunds(of: id) == 1)
                try await shop.expectNothingWaits()
            }
        }
    }
}
