import JSON
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Order's API answers bad input with a problem that names it")
    struct BadInput {
        @Test("whatever is wrong, and takes a good order afterwards")
        func problems() async throws {
            try await Shop.open { shop in
                let probe = shop.probe(.order)
                var negative = Shop.order()
                negative["lines"] = [["sku": "tea", "quantity": -1, "unitPrice": -5]]
                var unknown = Shop.order()
                unknown["currency"] = "XXX"
                unknown["discount"] = 5
                let incomplete = Shop.order().without("customer")
                var deep = "1"
                for _ in 0..<10_000 { deep = "[\(deep)]" }

                func expect(
                    _ status: Int,
                    naming names: String...,
                    of body: [UInt8],
                    contentType: String = "application/json",
                    sourceLocation: SourceLocation = #_sourceLocation
                ) async throws {
                    let reply = try await probe.send(
                        "POST",
                        "/orders",
                        headers: ["Content-Type": contentType],
                        body: body
                    )
                    #expect(reply.status == status, "\(reply.text)", sourceLocation: sourceLocation)
                    #expect(reply.headers["content-type"]?.hasPrefix("application/problem+json") == true)
                    for name in names {
                        #expect(reply.text.contains(name), "\(name) in \(reply.text)", sourceLocation: sourceLocation)
                    }
                }
                try await expect(400, of: Array("{\"customer\": ".utf8))
                try await expect(400, of: [0x7B, 0xFF, 0x7D])
                try await expect(400, of: Array(deep.utf8))
                try await expect(415, of: Shop.order().bytes, contentType: "text/plain")
                try await expect(413, of: Array(repeating: 0x20, count: 4 << 20))
                try await expect(422, naming: "lines[0].quantity", "lines[0].unitPrice", of: negative.bytes)
                try await expect(422, naming: "currency", "discount", of: unknown.bytes)
                try await expect(422, naming: "customer", of: incomplete.bytes)
                let nowhere = try await probe.get("/orders/none")
                #expect(nowhere.status == 404)
                #expect(nowhere.headers["content-type"]?.hasPrefix("application/problem+json") == true)

                let id = try await shop.place()
                try await shop.waitFor("confirmed", order: id)
            }
        }

        @Test("a key that was used for another order")
        func reusedKey() async throws {
            try await Shop.open { shop in
                let probe = shop.probe(.order)
                let first = try await probe.post("/orders", Shop.order(), headers: ["Idempotency-Key": "k-1"])
                #expect(first.status == 202)
                let other = Shop.order(email: "grace@example.com")
                let second = try await probe.post("/orders", other, headers: ["Idempotency-Key": "k-1"])
                #expect(second.status == 422)
                #expect(second.text.contains("Idempotency-Key"))
            }
        }
    }
}
