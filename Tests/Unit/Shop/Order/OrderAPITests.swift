import Database
import Events
import HTTP
import JSON
import ShopEvents
import TestSupport
import Testing

@testable import Order

@Suite("Order's HTTP interface on a database")
struct OrderAPITests {
    @Test("Placing stores the order and its two events together, and says where it is")
    func place() async throws {
        try await OrderWorld.with { world async throws in
            let answer = await world.send("POST", "/orders", body: OrderFixtures.body)
            #expect(answer.status == 202)
            #expect(answer.headers["Content-Type"] == "application/json")
            let placed = try JSONValue(parsing: answer.body)
            let id = try #require(placed["id"]?.text)
            #expect(answer.headers["Location"] == "/orders/\(id)")
            #expect(placed["status"]?.text == "placed")
            #expect(placed["payment"] == ["status": "requested"])
            #expect(placed["total"] == ["amount": 1300, "currency": "EUR"])
            #expect(placed["paymentMethod"] == nil)
            let shown = await world.send("GET", "/orders/\(id)")
            #expect(shown.status == 200)
            #expect(try JSONValue(parsing: shown.body) == placed)
            let stored = try await world.stored()
            #expect(stored.map(\.type) == [OrderPlaced.type, OrderPaymentRequested.type])
            #expect(stored.map(\.subject) == [id, id])
            #expect(stored.map(\.correlationID) == [id, id])
            #expect(stored.map(\.sequence) == [1, 2])
        }
    }

    @Test(
        "What is not an order leaves nothing behind",
        arguments: [
            ("", 400), ("{", 400), ("[]", 422), ("{}", 422), (#"{"customer":{"email":"a"}}"#, 422),
        ]
    )
    func invalid(body: String, status: Int) async throws {
        try await OrderWorld.with { world async throws in
            let answer = await world.send("POST", "/orders", body: body)
            #expect(answer.status == status)
            #expect(answer.headers["Content-Type"] == "application/problem+json")
            #expect(try await world.count("orders") == 0)
            #expect(try await world.stored().isEmpty)
        }
    }

    @Test("A problem names every field at fault")
    func faults() async throws {
        try await OrderWorld.with { world async throws in
            let body = OrderFixtures.body.replacing("\"quantity\":2", with: "\"quantity\":0")
                .replacing("EUR", with: "euro")
            let answer = await world.send("POST", "/orders", body: body)
            #expect(answer.status == 422)
            let errors = try JSONValue(parsing: answer.body)["errors"]?.array ?? []
            #expect(errors.compactMap { $0["field"]?.text } == ["currency", "lines[0].quantity"])
        }
    }

    @Test("The same key and body get the same answer again, and one order", arguments: ["key-1", "\"key-1\""])
    func repeated(key: String) async throws {
        try await OrderWorld.with { world async throws in
            let first = await world.send(
                "POST",
                "/orders",
                headers: [("Idempotency-Key", "key-1")],
                body: OrderFixtures.body
            )
            #expect(first.status == 202)
            #expect(first.headers["Idempotency-Replayed"] == nil)
            let id = try #require(try JSONValue(parsing: first.body)["id"]?.text)
            _ = await world.send("POST", "/orders/\(id)/cancel")
            world.clock.advance(milliseconds: IdempotencyKeys.retention)
            let body = OrderFixtures.body.replacing(",\"", with: " ,\n \"")
            let second = await world.send("POST", "/orders", headers: [("idempotency-key", key)], body: body)
            #expect(second.status == 202)
            #expect(second.body == first.body)
            #expect(second.headers["Location"] == first.headers["Location"])
            #expect(second.headers["Idempotency-Replayed"] == "true")
            #expect(try await world.count("orders") == 1)
            #expect(try await world.storedTypes() == ["order.placed", "order.payment-requested", "order.cancelled"])
        }
    }

    @Test("The same key with another body is refused")
    func reused() async throws {
        try await OrderWorld.with { world async throws in
            let key = [("Idempotency-Key", "key-1")]
            _ = await world.send("POST", "/orders", headers: key, body: OrderFixtures.body)
            let other = OrderFixtures.body.replacing("TEA-500", with: "TEA-501")
            let answer = await world.send("POST", "/orders", headers: key, body: other)
            #expect(answer.status == 422)
            #expect(try JSONValue(parsing: answer.body)["type"]?.text == "/problems/idempotency-key-reused")
            #expect(try await world.count("orders") == 1)
        }
    }

    @Test("A request that was refused does not take its key")
    func refusedKeepsNoKey() async throws {
        try await OrderWorld.with { world async throws in
            let key = [("Idempotency-Key", "key-1")]
            let bad = await world.send("POST", "/orders", headers: key, body: "{}")
            #expect(bad.status == 422)
            let good = await world.send("POST", "/orders", headers: key, body: OrderFixtures.body)
            #expect(good.status == 202)
        }
    }

    @Test("Two keys at once are one key too many")
    func twoKeys() async throws {
        try await OrderWorld.with { world async throws in
            let keys = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
            let answer = await world.send("POST", "/orders", headers: keys, body: OrderFixtures.body)
            #expect(answer.status == 422)
            #expect(try await world.count("orders") == 0)
        }
    }

    @Test("Fifty clients with one key make one order")
    func storm() async throws {
        try await OrderWorld.with { world async throws in
            let statuses = await withTaskGroup(of: Int.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        await world.send(
                            "POST",
                            "/orders",
                            headers: [("Idempotency-Key", "k")],
                            body: OrderFixtures.body
                        ).status
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(Set(statuses).isSubset(of: [202, 409]))
            #expect(statuses.contains(202))
            #expect(try await world.count("orders") == 1)
            #expect(try await world.count("idempotency_keys_by_caller") == 1)
        }
    }

    @Test("Keys past 24 hours are free again and go away, a few with each new key")
    func retention() async throws {
        try await OrderWorld.with { world async throws in
            for number in 0..<(IdempotencyKeys.purgedAtOnce + 5) {
                let key = [("Idempotency-Key", "old-\(number)")]
                _ = await world.send("POST", "/orders", headers: key, body: OrderFixtures.body)
            }
            world.clock.advance(milliseconds: IdempotencyKeys.retention + 1)
            let other = OrderFixtures.body.replacing("TEA-500", with: "TEA-501")
            let answer = await world.send("POST", "/orders", headers: [("Idempotency-Key", "old-14")], body: other)
            #expect(answer.status == 202)
            #expect(answer.headers["Idempotency-Replayed"] == nil)
            // One replaced, ten purged, four left for the next.
            #expect(try await world.count("idempotency_keys_by_caller") == 5)
        }
    }

    @Test("A cancel is accepted once, then known, and tells Payment")
    func cancel() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            let first = await world.send("POST", "/orders/\(id)/cancel")
            #expect(first.status == 202)
            #expect(try JSONValue(parsing: first.body)["status"]?.text == "cancelled")
            let second = await world.send("POST", "/orders/\(id)/cancel")
            #expect(second.status == 200)
            #expect(second.body == first.body)
            #expect(try await world.storedTypes() == ["order.placed", "order.payment-requested", "order.cancelled"])
        }
    }

    @Test("A rejected order cannot be cancelled")
    func cancelRejected() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            try await world.deliver(PaymentDeclined(orderID: id, reason: "insufficient_funds"))
            let answer = await world.send("POST", "/orders/\(id)/cancel")
            #expect(answer.status == 409)
            #expect(try JSONValue(parsing: answer.body)["type"]?.text == "/problems/order-rejected")
        }
    }

    @Test(
        "An order that is not there is not found",
        arguments: [("GET", ""), ("POST", "/cancel")],
        [OrderFixtures.id, "x", "..", "'--", "%00"]
    )
    func unknown(route: (method: String, tail: String), id: String) async throws {
        try await OrderWorld.with { world async throws in
            let answer = await world.send(route.method, "/orders/\(id)\(route.tail)")
            #expect(answer.status == 404)
            #expect(answer.headers["Content-Type"] == "application/problem+json")
        }
    }

    @Test("A listing goes through all orders, newest first, each once")
    func paging() async throws {
        try await OrderWorld.with { world async throws in
            var ids: [String] = []
            for _ in 0..<7 { ids.append(try await world.place()) }
            var seen: [String] = []
            var after: String?
            var pages = 0
            repeat {
                let query = [("limit", "3")] + (after.map { [("after", $0)] } ?? [])
                let answer = await world.send("GET", "/orders", query: query.map { (name: $0.0, value: $0.1) })
                #expect(answer.status == 200)
                let page = try JSONValue(parsing: answer.body)
                seen += (page["orders"]?.array ?? []).compactMap { $0["id"]?.text }
                after = page["next"]?.text
                #expect((answer.headers["Link"] != nil) == (after != nil))
                if let after { #expect(answer.headers["Link"] == "</orders?after=\(after)&limit=3>; rel=\"next\"") }
                pages += 1
            } while after != nil
            #expect(seen == ids.reversed())
            #expect(pages == 3)
        }
    }

    @Test("A listing by status shows those that stand there, as the document says")
    func byStatus() async throws {
        try await OrderWorld.with { world async throws in
            let first = try await world.place()
            let second = try await world.place()
            _ = await world.send("POST", "/orders/\(first)/cancel")
            let cancelled = await world.send("GET", "/orders", query: [("status", "cancelled")])
            let placed = await world.send("GET", "/orders", query: [("status", "placed")])
            let rejected = await world.send("GET", "/orders", query: [("status", "rejected")])
            let ids = try [cancelled, placed, rejected].map { answer in
                (try JSONValue(parsing: answer.body)["orders"]?.array ?? []).compactMap { $0["id"]?.text }
            }
            #expect(ids == [[first], [second], []])
            let document = try YAML.read("Services/Order/openapi.yaml")
            let page = try JSONValue(parsing: cancelled.body)
            let rules = document["components", "schemas", "OrderPage"]
            #expect(try JSONSchema(document: document).faults(page, rules) == [])
        }
    }

    @Test("A query with faults is refused")
    func query() async throws {
        try await OrderWorld.with { world async throws in
            let answer = await world.send("GET", "/orders", query: [("limit", "0"), ("status", "x")])
            #expect(answer.status == 422)
        }
    }

    @Test("A body in which anything is null, of another type or unknown is 422 that names it, and nothing is ordered")
    func mutations() async throws {
        try await OrderWorld.with { world async throws in
            let document = try YAML.read("Services/Order/openapi.yaml")
            let (schema, rules) = (JSONSchema(document: document), document["components", "schemas", "NewOrder"])
            let mutations = BodyMutation.all(of: try JSONValue(parsing: Array(OrderFixtures.body.utf8)))
            #expect(mutations.count > 60)
            for mutation in mutations {
                let body = String(decoding: mutation.body.bytes, as: UTF8.self)
                let answer = await world.send("POST", "/orders", body: body)
                #expect(answer.status == 422, "\(mutation)")
                let named = try JSONValue(parsing: answer.body)["errors"].elements.compactMap { $0["field"]?.text }
                #expect(named.contains { mutation.path.hasPrefix($0) && !$0.isEmpty }, "\(mutation): \(named)")
                #expect(try schema.faults(mutation.body, rules) != [], "\(mutation)")
            }
            #expect(try await world.count("orders") == 0)
        }
    }

    @Test("What takes no body and no query is not done with one")
    func nothingTaken() async throws {
        try await OrderWorld.with { world async throws in
            let id = try await world.place()
            for body in ["{\"dryRun\":true}", "[]", "null", "{\"dryRun\":null}"] {
                #expect(await world.send("POST", "/orders/\(id)/cancel", body: body).status == 422, "\(body)")
            }
            #expect(await world.send("POST", "/orders/\(id)/cancel", body: "{").status == 400)
            for (method, path) in [("POST", "/orders"), ("GET", "/orders/\(id)"), ("POST", "/orders/\(id)/cancel")] {
                let body = path == "/orders" ? OrderFixtures.body : nil
                let answer = await world.send(method, path, query: [("dryRun", "true")], body: body)
                #expect(answer.status == 422, "\(method) \(path)")
            }
            #expect(try await world.count("orders") == 1)
            #expect(await world.send("POST", "/orders/\(id)/cancel", body: "{}").status == 202)
        }
    }
}
