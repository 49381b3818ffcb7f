import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("A scenario of `warren trigger`")
    struct Trigger {
        /// What needs nothing beside the usual shop, its sandbox and their webhooks.
        static let usual = [
            "happy", "declined", "cancelled", "provider-error", "provider-timeout", "duplicate", "key-reused", "poison",
            "mail-bounce", "paid-and-cancelled", "refund-repeated", "webhook-before-refund", "webhook-before-order",
            "late-failure", "refund-failed-late", "forged-webhook",
        ]
        /// What is about Inventory, Coupon, Points and Shipping.
        static let contextual = [
            "last-piece", "price-changed", "coupon-limit", "points-twice", "courier-refuses", "courier-down",
        ]

        /// Plays a scenario and gives its steps.
        @discardableResult
        private static func play(_ scenario: String, in shop: Shop) async throws -> [JSONValue] {
            let run = try await shop.warren("trigger", scenario, "-o", "jsonl", "--timeout", "90s")
            #expect(run.end == .exit(0), "\(scenario)\n\(run.output)\n\(run.errors)")
            let steps = run.output.split(separator: "\n").compactMap { try? JSONValue(parsing: Array($0.utf8)) }
            #expect(steps.count >= 2, "\(scenario)")
            #expect(steps.allSatisfy { $0["scenario"].text == scenario })
            return steps
        }

        @Test("is played by the usual shop to its end")
        func usualShop() async throws {
            var options = Shop.Options()
            options.hasWebhooks = true
            try await Shop.open(options) { shop in
                for scenario in Self.usual { try await Self.play(scenario, in: shop) }
                // What it leaves: dead letters of the scenarios that are about them, and no money anywhere that is not right.
                let ledger = try await shop.ledger()
                for (order, count) in ledger["chargesByOrder"]?.object ?? [:] { #expect(count == 1, "\(order)") }
                for (order, count) in ledger["refundsByOrder"]?.object ?? [:] { #expect(count == 1, "\(order)") }
            }
        }

        @Test("is played by a shop with everything to its end")
        func fullShop() async throws {
            var options = Shop.Options()
            options.hasWebhooks = true
            options.contexts = Shop.Program.contexts
            options.environment[.inventory] = ["INVENTORY_WAIT": "1s"]
            options.environment[.shipping] = ["SHIPPING_COURIER_PAUSE": "500ms"]
            try await Shop.open(options) { shop in
                try await shop.sellBooks(100)
                for scenario in Self.contextual + ["paid-and-cancelled", "webhook-before-refund"] {
                    try await Self.play(scenario, in: shop)
                }
            }
        }

        @Test("says what the shop lacks for it, and ends with the code that fits")
        func lacking() async throws {
            try await Shop.open { shop in
                for (scenario, code, words) in [
                    ("last-piece", 7, "the scenario needs inventory"), ("price-changed", 7, "WARREN_INVENTORY_URL"),
                    ("coupon-limit", 7, "--coupon-url"), ("points-twice", 7, "the scenario needs points"),
                    ("courier-refuses", 5, "the shop has no shipping"), ("courier-down", 5, "SHOP_CONTEXTS"),
                    ("forged-webhook", 5, "PAYMENT_WEBHOOK_SECRET"), ("late-failure", 5, "SANDBOX_WEBHOOK_URL"),
                ] {
                    let run = try await shop.warren("trigger", scenario)
                    #expect(run.end == .exit(Int32(code)), "\(scenario)\n\(run.output)\n\(run.errors)")
                    #expect(run.errors.contains(words), "\(scenario): \(run.errors)")
                }
                // None of them has left the courier, or anybody else, with a bad day.
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
            }
        }
    }
}

extension Shop {
    /// Lists the article that `warren` orders where it is not told otherwise, and waits until Order sells it.
    fileprivate func sellBooks(_ pieces: Int64) async throws {
        let put = try await probe(.inventory).send(
            "PUT",
            "/products/book-1",
            headers: ["Content-Type": "application/json"],
            body: (["name": "A book", "price": ["amount": 1999, "currency": "EUR"]] as JSONValue).bytes
        )
        guard put.status == 201 else { throw TimedOut("PUT answered \(put.status): \(put.text)") }
        let stock = try await probe(.inventory).post("/products/book-1/stock", ["change": .integer(pieces)])
        guard stock.status == 200 else { throw TimedOut("the stock answered \(stock.status): \(stock.text)") }
        _ = try await eventually("Order sells books") {
            try await self.query(.order, "SELECT amount FROM products").isEmpty ? nil : true
        }
    }
}
