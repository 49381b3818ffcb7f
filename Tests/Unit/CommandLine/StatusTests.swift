import JSON
import ServiceKit
import Testing

@testable import CommandLine

@Suite("warren status")
struct StatusTests {
    private static let backlog: JSONValue = [
        "unforwarded": .integer(3), "oldestUnforwardedAge": .number(1.5), "scheduled": .integer(0),
        "oldestScheduledAge": .null, "held": .integer(2), "dead": .integer(1),
    ]

    @Test("shows health and backlog of every service and ends with 0 when all are ready")
    func ready() async {
        let services = FakeServices { request in
            request.url.hasSuffix("/backlog")
                ? .json(Self.backlog) : .text("[+] database ok\n[+] broker.publisher ok\n")
        }
        let outcome = await warren("status", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.lines.count == 4)
        #expect(
            outcome.lines[1].split(separator: " ", omittingEmptySubsequences: true)
                == ["order", "ready", "3", "(1.5", "s)", "0", "2", "1", "http://127.0.0.1:9081"]
        )
        let json = await warren("status -o jsonl", http: services)
        #expect(json.records.map { $0["ready"] } == [JSONValue](repeating: .bool(true), count: 3))
        #expect(json.records.first?.member(at: "backlog.dead") == .integer(1))
        #expect(json.records.first?["checks"]?.array?.count == 2)
    }

    @Test("ends with 1 when one is not ready, and says what is wrong")
    func notReady() async {
        let services = FakeServices { request in
            if request.url.hasSuffix("/backlog") { return .json(Self.backlog) }
            return request.url.contains(":9082")
                ? .text("[+] database ok\n[-] broker.publisher: connecting to 127.0.0.1:5672\n", status: 503)
                : .text("[+] database ok\n")
        }
        let outcome = await warren("status", http: services)
        #expect(outcome.code == 1)
        #expect(outcome.lines[2].contains("not ready"))
        #expect(outcome.messages.contains("payment: broker.publisher: connecting to 127.0.0.1:5672"))
    }

    @Test("ends with 7 when one cannot be reached, whatever the others are")
    func unreachable() async {
        let services = FakeServices { request in
            if request.url.contains(":9083") { throw TransportFailure(reason: "refused") }
            if request.url.hasSuffix("/backlog") { return .json(Self.backlog) }
            return .text("", status: request.url.contains(":9082") ? 503 : 200)
        }
        let outcome = await warren("status", http: services)
        #expect(outcome.code == 7)
        #expect(outcome.lines[1].contains("ready"))
        #expect(outcome.lines[3].contains("unreachable"))
        #expect(outcome.messages.contains("WARREN_SERVICES"))
    }

    @Test("ends with 4 when backlogs may not be read, and shows health all the same")
    func notAllowed() async {
        let services = FakeServices { request in
            request.url.hasSuffix("/backlog") ? .problem(401, "not authorized") : .text("[+] database ok\n")
        }
        let outcome = await warren("status", http: services)
        #expect(outcome.code == 4)
        #expect(outcome.lines[1].contains("ready"))
        #expect(outcome.messages.contains("WARREN_OPERATIONS_TOKEN"))
    }

    @Test("reads the lines of a health check")
    func health() {
        #expect(
            HealthText.parse("[+] a ok\n[-] b: wrong: very\nnoise\n") == [
                .init(name: "a", isWell: true, detail: "ok"), .init(name: "b", isWell: false, detail: "wrong: very"),
            ]
        )
    }
}

@Suite("warren describe")
struct DescribeTests {
    @Test("shows which of the known services' queues the broker has, and what waits in them")
    func queues() async {
        let broker = FakeBroker(queues: ["loyalty": 3, "loyalty.dead-letters": 1])
        let environment = ["WARREN_SERVICES": "loyalty=http://127.0.0.1:9000,gift-card=http://127.0.0.1:9001"]
        let outcome = await warren("describe -o jsonl", environment: environment, broker: broker)
        #expect(outcome.code == 0)
        #expect(
            outcome.records == [
                [
                    "queue": "loyalty", "exists": .bool(true), "messages": .integer(3), "consumers": .integer(1),
                    "deadLetterQueue": "loyalty.dead-letters", "deadLetterMessages": .integer(1),
                ],
                [
                    "queue": "gift-card", "exists": .bool(false), "messages": .null, "consumers": .null,
                    "deadLetterQueue": "gift-card.dead-letters", "deadLetterMessages": .null,
                ],
            ]
        )
        #expect(await warren("describe", broker: FakeBroker(isConnected: false)).code == 7)
    }

    @Test("shows by the management pages which queue gets which events, whoever bound it")
    func bindings() async {
        let services = FakeServices { _ in
            .json([
                ["source": "warren.events", "destination": "loyalty", "routing_key": "com.example.b"],
                ["source": "warren.events", "destination": "loyalty", "routing_key": "com.example.a"],
            ])
        }
        let outcome = await warren(
            "describe -o jsonl --amqp-url amqp://h/shop%2F1?heartbeat=5 --management-url http://ops:geh%20eim@mq:15672/",
            http: services
        )
        #expect(outcome.code == 0, "\(outcome.messages)")
        #expect(outcome.records.compactMap { $0["type"]?.text } == ["com.example.a", "com.example.b"])
        #expect(services.lines == ["GET http://mq:15672/api/exchanges/shop%2F1/warren.events/bindings/source"])
        #expect(services.requests.first?.headers["Authorization"] == "Basic b3BzOmdlaCBlaW0=")
        let denied = await warren(
            "describe --management-url http://ops:geheim@mq:15672",
            http: FakeServices { _ in .text("", status: 401) }
        )
        #expect(denied.code == 4)
        #expect(!denied.messages.contains("geheim"))
        let wrong = await warren("describe --management-url ops:geheim@mq", http: services)
        #expect(wrong.code == 2)
        #expect(!wrong.messages.contains("geheim"))
    }

    @Test("shows on request what this build would declare, and which events nobody gets")
    func declared() async {
        let outcome = await warren("describe --declared -o jsonl", broker: FakeBroker(isConnected: false))
        #expect(outcome.code == 0)
        let heard = outcome.records.filter { $0["queue"]?.text == "payment" }.compactMap { $0["type"]?.text }
        #expect(
            heard == [
                "dev.warren.order.payment-requested", "dev.warren.order.cancelled",
                "dev.warren.order.lines-cancelled", "dev.warren.order.rejected", "dev.warren.points.charge-requested",
            ]
        )
        for context in ["inventory", "coupon", "points", "shipping"] {
            #expect(outcome.records.contains { $0["queue"]?.text == context })
        }
        #expect(outcome.records.contains { $0["queue"] == nil && $0["type"]?.text == "dev.warren.product.listed" })
        #expect(await warren("describe --declared").data.contains("(nobody)"))
    }
}
