import JSON
import Testing

@testable import CommandLine

@Suite("warren feeds")
struct FeedTests {
    @Test("lists the feeds of all services, and what is wrong with them")
    func list() async {
        let services = FakeServices { request in
            let names = ["9081": "order", "9082": "payment", "9083": "notification"]
            let service = names.first { request.url.contains(":\($0.key)/") }?.value ?? "nobody"
            let feed: JSONValue = ["name": "inventory", "position": .integer(7), "problem": "it is ahead"]
            return .json(["service": .string(service), "items": service == "order" ? [feed] : []])
        }
        let outcome = await warren("feeds list", http: services)
        #expect(outcome.code == 0)
        #expect(services.lines.allSatisfy { $0.hasSuffix("/feeds") } && services.lines.count == 3)
        #expect(
            outcome.lines.contains { $0.hasPrefix("order") && $0.contains("inventory") && $0.contains("it is ahead") }
        )
        #expect(outcome.lines.count == 2)
    }

    @Test("sets where a feed goes on, with a reason")
    func restart() async throws {
        let services = FakeServices { _ in
            .json(["name": "inventory", "position": .integer(0), "problem": .null])
        }
        let outcome = await warren("feeds restart order inventory --after 0 --reason backup", http: services)
        #expect(outcome.code == 0)
        #expect(services.lines == ["POST http://127.0.0.1:9081/feeds/inventory/restart"])
        let body = try JSONValue(parsing: try #require(services.requests.first).body)
        #expect(body == ["after": .integer(0), "reason": "backup"])
        for wrong in [
            "feeds restart order inventory --reason x", "feeds restart order inventory --after 0",
            "feeds restart order inventory --after -1 --reason x",
            "feeds restart coupon inventory --after 0 --reason x",
        ] {
            #expect(await warren(wrong, http: services).code == 2, "\(wrong)")
        }
        #expect(services.lines.count == 1)
    }
}
