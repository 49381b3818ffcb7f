import HTTP
import JSON
import Synchronization
import Testing

@testable import CommandLine

@Suite("warren events", .timeLimit(.minutes(5)))
struct EventTests {
    private static func event(_ number: Int, type: String = "dev.warren.order.placed") -> JSONValue {
        [
            "id": .string("e\(number)"), "type": .string(type), "subject": "o-1", "time": "2026-01-01T00:00:00.000Z",
            "data": ["number": .integer(Int64(number))],
        ]
    }

    private static func page(_ events: [JSONValue], next: Int, head: Int) -> ServiceResponse {
        var response = ServiceResponse.json(.array(events))
        response.headers = ["Warren-Next-Position": String(next), "Warren-Head-Position": String(head)]
        return response
    }

    /// What one query item is.
    private static func item(_ name: String, of request: ServiceRequest) -> String? {
        let query = request.url.split(separator: "?").last.map(String.init) ?? ""
        return query.split(separator: "&").first { $0.hasPrefix(name + "=") }.map {
            String($0.dropFirst(name.count + 1))
        }
    }

    /// A store with five events that gives two on a page.
    private static func store(_ request: ServiceRequest) -> ServiceResponse {
        let position = item("after", of: request).flatMap { Int($0) } ?? 5
        let last = min(5, position + 2)
        return page((position..<last).map { event($0 + 1) }, next: last, head: 5)
    }

    @Test("prints everything there is, page by page, in order")
    func once() async {
        let services = FakeServices { Self.store($0) }
        let outcome = await warren("events tail --service order --after 0 --once -o jsonl", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.records == (1...5).map { Self.event($0) })
        #expect(services.requests.map { Self.item("after", of: $0) } == ["0", "2", "4"])
        let table = await warren("events tail --service order --after 3 --once", http: services)
        #expect(table.lines.first == #"2026-01-01T00:00:00.000Z  order  order.placed  o-1  {"number":4}"#)
    }

    @Test("asks for the types and the subject that are meant")
    func filters() async {
        let services = FakeServices { _ in Self.page([], next: 5, head: 5) }
        let outcome = await warren("events tail --type order.placed --subject a/b --once", http: services)
        #expect(outcome.code == 0)
        #expect(services.requests.count == 3)
        #expect(services.requests.allSatisfy { Self.item("type", of: $0) == "dev.warren.order.placed" })
        #expect(services.requests.allSatisfy { Self.item("subject", of: $0) == "a%2Fb" })
        #expect(services.requests.allSatisfy { Self.item("after", of: $0) == "end" })
    }

    @Test("goes on with what happens, over a service that was away, and ends after as many as were asked for")
    func following() async {
        let count = Mutex(0)
        let services = FakeServices { request in
            let number = count.withLock { count in
                count += 1
                return count
            }
            switch number {
            case 1: return Self.page([], next: 7, head: 7)
            case 2: throw TransportFailure(reason: "refused")
            default: return Self.page([Self.event(number)], next: 7 + number, head: 7 + number)
            }
        }
        let outcome = await warren("events tail --service payment --limit 2 -o jsonl", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.records == [Self.event(3), Self.event(4)])
        #expect(services.requests.prefix(4).map { Self.item("after", of: $0) } == ["end", "7", "7", "10"])
        #expect(services.requests.prefix(2).map { Self.item("wait", of: $0) } == ["0", "20"])
        #expect(outcome.messages.contains("payment is back"))
    }

    @Test("ends with 7 when a service cannot be reached at first, and with 2 for positions that make no sense")
    func failures() async {
        #expect(await warren("events tail --service order").code == 7)
        #expect(await warren("events tail --after 12").code == 2)
        #expect(await warren("events tail --service order --after x").code == 2)
        let services = FakeServices { _ in .problem(410, "gone", detail: "up to 9") }
        let outcome = await warren("events tail --service order --after 3", http: services)
        #expect(outcome.code == 1)
        #expect(outcome.messages.contains("up to 9"))
    }

    @Test("counts types over all services")
    func types() async {
        let services = FakeServices { request in
            .json(["items": [["type": "dev.warren.order.placed", "count": .integer(2)]]])
        }
        let outcome = await warren("events types", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.lines.count == 4)
        #expect(services.lines.first?.hasSuffix("/events/types") == true)
        let json = await warren("events types -o jsonl --service order", http: services)
        #expect(json.records == [["service": "order", "type": "dev.warren.order.placed", "count": .integer(2)]])
    }
}
