import HTTP
import JSON
import Testing

@Suite("Who asks Order")
struct OrderCallerTests {
    private static let ada = Caller(.customer, "ada")
    private static let bob = Caller(.customer, "bob")
    private static let shop = Caller(.backEnd, "shop")

    private static func place(_ world: OrderWorld, by caller: Caller, key: String? = nil) async throws -> String {
        let headers = key.map { [("Idempotency-Key", $0)] } ?? []
        let answer = await world.send("POST", "/orders", headers: headers, body: OrderFixtures.body, by: caller)
        #expect(answer.status == 202)
        return try #require(try JSONValue(parsing: answer.body)["id"]?.text)
    }

    @Test("is on the order's history: who placed it and who cancelled it")
    func history() async throws {
        try await OrderWorld.with { world in
            let id = try await Self.place(world, by: Self.ada)
            _ = await world.send("POST", "/orders/\(id)/cancel", by: Self.shop)
            let order = try JSONValue(parsing: await world.send("GET", "/orders/\(id)", by: Self.ada).body)
            #expect(order["history"]?.array?.map { $0["by"]?.text } == ["customer:ada", "back-end:shop"])
        }
    }

    @Test("sees and cancels what is theirs, when a customer, and cannot tell what else there is")
    func customers() async throws {
        try await OrderWorld.with { world in
            let id = try await Self.place(world, by: Self.ada)
            let others = try await Self.place(world, by: Self.bob)
            #expect(await world.send("GET", "/orders/\(id)", by: Self.ada).status == 200)
            let foreign = await world.send("GET", "/orders/\(others)", by: Self.ada)
            let missing = await world.send("GET", "/orders/0198c0de-0000-7000-8000-000000000009", by: Self.ada)
            #expect(foreign.status == 404)
            #expect(foreign.body == missing.body)
            #expect(await world.send("POST", "/orders/\(others)/cancel", by: Self.ada).status == 404)
            let listed = try JSONValue(parsing: await world.send("GET", "/orders", by: Self.ada).body)
            #expect(listed["orders"]?.array?.compactMap { $0["id"]?.text } == [id])
            let byStatus = await world.send("GET", "/orders", query: [("status", "confirmed")], by: Self.ada)
            #expect(try JSONValue(parsing: byStatus.body)["orders"]?.array?.isEmpty == true)
            #expect(await world.send("POST", "/orders/\(id)/cancel", by: Self.ada).status == 202)
        }
    }

    @Test("sees everything, when a back end or on this machine", arguments: [shop, .local])
    func others(caller: Caller) async throws {
        try await OrderWorld.with { world in
            let id = try await Self.place(world, by: Self.ada)
            #expect(await world.send("GET", "/orders/\(id)", by: caller).status == 200)
            let listed = try JSONValue(parsing: await world.send("GET", "/orders", by: caller).body)
            #expect(listed["orders"]?.array?.count == 1)
        }
    }

    @Test("has idempotency keys of their own")
    func keys() async throws {
        try await OrderWorld.with { world in
            let first = try await Self.place(world, by: Self.ada, key: "k-1")
            #expect(try await Self.place(world, by: Self.bob, key: "k-1") != first)
            #expect(try await Self.place(world, by: Caller(.backEnd, "ada"), key: "k-1") != first)
            #expect(try await Self.place(world, by: Self.ada, key: "k-1") == first)
        }
    }

    @Test("must be known: a request that nobody has looked at gets nothing")
    func unknown() async throws {
        try await OrderWorld.with { world in
            for (method, path) in [("GET", "/orders"), ("POST", "/orders"), ("GET", "/orders/x")] {
                #expect(await world.send(method, path, body: OrderFixtures.body, by: nil).status == 401)
            }
        }
    }
}
