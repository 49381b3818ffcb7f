import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("When the payment provider")
    struct ProviderFaults {
        @Test(
            "misbehaves, the order is charged once and confirmed",
            arguments: [
                "pm_sandbox_error_once", "pm_sandbox_error_after_once", "pm_sandbox_timeout_once",
                "pm_sandbox_reset_once", "pm_sandbox_slow",
            ]
        )
        func chargedOnce(method: String) async throws {
            try await Shop.open { shop in
                let id = try await shop.place(paying: method)
                try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                try await shop.waitForMail("confirmed", about: id)
                #expect(try await shop.charges(of: id) == 1)
                #expect(try await shop.query(.payment, "SELECT count(*) FROM payments") == [[1]])
                try await shop.expectNothingWaits()
            }
        }

        @Test("resets the connection after it has charged, the order is charged once and confirmed")
        func reset() async throws {
            try await Shop.open(Shop.Options(usesWire: true)) { shop in
                let wire = try #require(shop.wire)
                wire.set(.resetAtAnswer)
                let id = try await shop.place()
                try await eventually("two answers were reset") { wire.answers >= 2 }
                wire.set(.pass)
                try await shop.waitFor("confirmed", order: id, within: .seconds(120))
                #expect(try await shop.charges(of: id) == 1)
                try await shop.expectNothingWaits()
            }
        }

        @Test("was killed and started again, it still knows what it charged, and a cancel gives it back")
        func restarted() async throws {
            var options = Shop.Options()
            options.environment[.sandbox] = ["SANDBOX_JOURNAL": "provider.jsonl"]
            try await Shop.open(options) { shop in
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.kill(.sandbox)
                try await shop.restart(.sandbox)
                #expect(try await shop.charges(of: id) == 1)
                try await shop.cancel(id)
                try await shop.waitForPayment("refunded", order: id)
                #expect(try await shop.refunds(of: id) == 1)
                try await shop.expectNothingWaits()
            }
        }

        @Test("takes its time with a refund, the payment is refunding, no attempt is used up and the money comes back")
        func pendingRefund() async throws {
            try await Shop.open { shop in
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.plan("pending", for: "refund", delay: 5000)
                try await shop.cancel(id)
                try await shop.waitForPayment("refunding", order: id)
                #expect(try await shop.probe(.payment).get("/payments/\(id)").json["state"] == "refunding")
                try await shop.waitForPayment("refunded", order: id)
                try await shop.waitForMail("refunded", about: id)
                #expect(try await shop.refunds(of: id) == 1)
                #expect(try await shop.query(.payment, "SELECT count(*) FROM warren_attempts") == [[0]])
                try await shop.expectNothingWaits()
            }
        }

        @Test("fails a refund that was under way, an operator refunds by hand and the retry finds it")
        func failedRefund() async throws {
            try await Shop.open { shop in
                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
                try await shop.plan("failing", for: "refund", delay: 2000)
                try await shop.cancel(id)
                let dead = try await eventually("the refund is dead") {
                    try await shop.deliveries(.payment, "dead", query: "&subject=\(id)").first
                }
                let letter = try await shop.deadLetter(.payment, try #require(dead["id"].text))
                #expect(letter["attempts"].elements.first?["errorClass"] == "payment.refund-failed")
                #expect(letter["attemptCount"] == 1)
                #expect(try await shop.order(id)["payment"]["status"] == "refunding")

                let intent = try #require(try await shop.ledger()["intents"].elements.first?["id"].text)
                let byHand = try await shop.probe(.sandbox).send(
                    "POST",
                    "/v1/refunds",
                    headers: ["Authorization": "Bearer sk_test_sandbox"],
                    body: Array("payment_intent=\(intent)".utf8)
                )
                #expect(byHand.status == 200)
                let retry = try await shop.operations(.payment).post("/dead-letters/\(letter["id"].text ?? "")/retry")
                #expect(retry.status == 200)
                try await shop.waitForPayment("refunded", order: id)
                try await shop.waitForMail("refunded", about: id)
                try await shop.expectNothingWaits()
            }
        }

        @Test("answers something else than it was asked, an operator hears of it and nobody of a payment")
        func lies() async throws {
            let provider = LyingProvider()
            try await provider.serve { url in
                var options = Shop.Options()
                options.environment[.payment] = ["PAYMENT_PROVIDER_URL": url]
                try await Shop.open(options) { shop in
                    for lie in LyingProvider.lies {
                        let id = try await shop.place(paying: lie.method)
                        let dead = try await eventually("\(lie.method) is dead") {
                            try await shop.deliveries(.payment, "dead", query: "&subject=\(id)").first
                        }
                        let letter = try await shop.deadLetter(.payment, try #require(dead["id"].text))
                        let attempt = try #require(letter["attempts"].elements.first)
                        #expect(attempt["errorClass"] == "payment.provider-contradiction", "\(lie.method)")
                        #expect(letter["attemptCount"] == 1)
                        #expect(provider.charges(of: id) == 1)
                        #expect(try await shop.order(id)["status"] == "placed")
                        #expect(try await shop.probe(.payment).get("/payments/\(id)").json["state"] == "pending")
                    }
                    let id = try await shop.place(paying: LyingProvider.refundsLess)
                    try await shop.waitFor("confirmed", order: id)
                    try await shop.cancel(id)
                    let dead = try await eventually("the refund is dead") {
                        try await shop.deliveries(.payment, "dead", query: "&subject=\(id)").first
                    }
                    let letter = try await shop.deadLetter(.payment, try #require(dead["id"].text))
                    let error = letter["attempts"].elements.first?["errorClass"]
                    #expect(error == "payment.provider-contradiction")
                    #expect(try await shop.order(id)["payment"]["status"] == "captured")
                    #expect(try await shop.probe(.payment).get("/payments/\(id)").json["state"] == "refunding")
                    let metrics = try await shop.operations(.payment).get("/metrics").text
                    #expect(metrics.contains(#"http_client_request_duration_seconds_count{http_request_method="POST""#))
                }
            }
        }

        @Test("is not the one that answers, nothing is refused: it is asked again until it does")
        func strangers() async throws {
            let provider = LyingProvider()
            try await provider.serve { url in
                var options = Shop.Options()
                options.environment[.payment] = ["PAYMENT_PROVIDER_URL": url]
                try await Shop.open(options) { shop in
                    for method in LyingProvider.strangers {
                        let id = try await shop.place(paying: method)
                        try await shop.waitFor("confirmed", order: id)
                        #expect(provider.charges(of: id) == 3)
                    }
                    try await shop.expectNothingWaits()
                }
            }
        }

        @Test("is down for longer than the retries, the request lies dead with every attempt and a retry mends it")
        func down() async throws {
            var options = Shop.Options()
            options.environment[.payment] = ["WARREN_RETRY_ATTEMPTS": "3"]
            try await Shop.open(options) { shop in
                try await shop.plan("unavailable", count: 1000)
                let id = try await shop.place()
                let dead = try await eventually("the request is dead") {
                    try await shop.deliveries(.payment, "dead", query: "&subject=\(id)").first
                }
                let letter = try await shop.deadLetter(.payment, try #require(dead["id"].text))
                #expect(letter["type"] == "dev.warren.order.payment-requested")
                #expect(letter["attemptCount"] == 3)
                #expect(letter["attempts"].elements.map { $0["attempt"] } == [3, 2, 1])
                #expect(letter["body"].text?.contains(id) == true)
                #expect(try await shop.order(id)["status"] == "placed")

                _ = try await shop.probe(.sandbox).send("DELETE", "/sandbox/faults")
                let retry = try await shop.operations(.payment).post("/dead-letters/\(letter["id"].text ?? "")/retry")
                #expect(retry.status == 200)
                try await shop.waitFor("confirmed", order: id)
                #expect(try await shop.charges(of: id) == 1)
                let row = "SELECT status, generation FROM warren_deliveries WHERE subject = '\(id)'"
                #expect(try await shop.query(.payment, row) == [["processed", 1]])
                try await shop.expectNothingWaits()
            }
        }
    }
}
