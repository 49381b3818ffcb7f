import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("The provider's books, by the warren command")
    struct ReconciliationTests {
        @Test("agree with the ledger until somebody charges beside the shop; that is shown with what to do about it")
        func reconciled() async throws {
            try await Shop.open { shop in
                let id = try await shop.place()
                let day = try #require(try await shop.waitFor("confirmed", order: id)["placedAt"].text).prefix(10)
                let agreed = try await shop.warren("payments", "reconcile", "--day", String(day))
                #expect(agreed.end == .exit(0), "\(agreed.errors)")
                #expect(agreed.output.isEmpty)
                #expect(agreed.errors.contains("\(day): 1 charges, 0 refunds, 0 disputes"), "\(agreed.errors)")
                // The sandbox was not there yesterday.
                let yesterday = try await shop.warren("payments", "reconcile")
                #expect(yesterday.end == .exit(0), "\(yesterday.errors)")
                #expect(yesterday.errors.contains(": 0 charges, 0 refunds, 0 disputes"), "\(yesterday.errors)")

                let form = "amount=500&currency=eur&payment_method=pm_card_visa&confirm=true"
                let stray = try await shop.probe(.sandbox).send(
                    "POST",
                    "/v1/payment_intents",
                    headers: [
                        // sk_test_sandbox:
                        "Authorization": "Basic c2tfdGVzdF9zYW5kYm94Og==",
                        "Content-Type": "application/x-www-form-urlencoded",
                    ],
                    body: Array(form.utf8)
                )
                let intent = try #require(try stray.json["id"].text, "\(stray.text)")
                let differing = try await shop.warren("payments", "reconcile", "--day", String(day))
                #expect(differing.end == .exit(5))
                #expect(differing.output.contains("not-in-ledger  charge  \(intent)"), "\(differing.output)")
                #expect(differing.output.contains("\(intent): Nobody in the shop asked for it"), "\(differing.output)")
                #expect(!differing.output.contains(id))
                let lines = try await shop.warren("payments", "reconcile", "--day", String(day), "-o", "jsonl")
                let difference = try JSONValue(parsing: Array(lines.output.utf8))
                #expect(difference["id"].text == intent)
                #expect(difference["atProvider"] == ["amount": 500, "currency": "EUR"])

                try await shop.kill(.payment)
                let away = try await shop.warren("payments", "reconcile")
                #expect(away.end == .exit(7))
                #expect(away.errors.contains("WARREN_PAYMENT_URL"), "\(away.errors)")
            }
        }
    }
}
