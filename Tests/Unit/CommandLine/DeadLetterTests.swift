import JSON
import ServiceKit
import Testing

@testable import CommandLine

private func letter(_ id: String, state: String = "dead", at: String = "2026-01-01T00:00:00.000Z") -> JSONValue {
    [
        "id": .string(id), "state": .string(state), "type": "dev.warren.order.cancelled", "subject": "42",
        "attemptCount": .integer(6), "generation": .integer(0), "receivedAt": .string(at), "updatedAt": .string(at),
        "errorClass": "payment.provider-unavailable", "error": "503", "dueAt": .null,
    ]
}

/// The path and query of a request, without where it goes.
private func target(_ request: ServiceRequest) -> String {
    "/" + request.url.split(separator: "/", maxSplits: 2)[2].split(separator: "/", maxSplits: 1)[0]
}

@Suite("warren dead-letters list")
struct DeadLetterListTests {
    @Test("shows those of all services, newest first, under ids that name their service")
    func merged() async {
        let services = FakeServices { request in
            request.url.contains(":9082")
                ? .json([
                    "items": [
                        letter("9", at: "2026-01-03T00:00:00.000Z"), letter("2", at: "2026-01-01T00:00:00.000Z"),
                    ], "next": .null,
                ])
                : request.url.contains(":9081")
                    ? .json(["items": [letter("5", at: "2026-01-02T00:00:00.000Z")], "next": .null])
                    : .json(["items": [], "next": .null])
        }
        let outcome = await warren("dlq list -o jsonl", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.records.compactMap { $0["id"]?.text } == ["payment-9", "order-5", "payment-2"])
        #expect(outcome.records.first?["service"]?.text == "payment")
        let table = await warren("dead-letters list", http: services)
        #expect(table.lines.first?.hasPrefix("ID         STATE  TYPE") == true)
        #expect(table.lines[1].contains("order.cancelled"))
        #expect(table.messages.isEmpty)
    }

    @Test("asks with every filter, types by their short names, times as moments")
    func filters() async {
        let services = FakeServices { _ in .json(["items": [], "next": .null]) }
        let outcome = await warren(
            "dlq list --service payment --type order.cancelled --type x.y --state dead --state held --error a.b"
                + " --subject 4/2 --from 2026-01-01T01:00:00+01:00 --until 2026-01-02T00:00:00Z --text",
            "a b&c",
            http: services
        )
        #expect(outcome.code == 0)
        #expect(outcome.messages == "no dead letters\n")
        #expect(
            services.lines == [
                "GET http://127.0.0.1:9082/dead-letters?type=dev.warren.order.cancelled&type=x.y&state=dead&state=held"
                    + "&error=a.b&subject=4%2F2&text=a%20b%26c&from=2026-01-01T00%3A00%3A00.000Z"
                    + "&until=2026-01-02T00%3A00%3A00.000Z&limit=50"
            ]
        )
    }

    @Test("follows pages up to its limit and says how to go on")
    func pages() async {
        let services = FakeServices { request in
            let after = request.url.split(separator: "after=").dropFirst().first.flatMap { Int($0) } ?? 1001
            let limit = request.url.split(separator: "limit=").last?.prefix { $0.isNumber }
            let count = min(limit.flatMap { Int($0) } ?? 50, after - 1)
            let items = (0..<count).map { letter(String(after - 1 - $0)) }
            let last = after - count
            return .json(["items": .array(items), "next": last > 1 ? .string(String(last)) : .null])
        }
        let some = await warren("dlq list --service payment --limit 700 -o jsonl", http: services)
        #expect(some.records.count == 700)
        #expect(some.messages.contains("--after payment-301"))
        #expect(services.requests.count == 2)
        let rest = await warren("dlq list --after payment-301 --limit 1000 -o jsonl", http: services)
        #expect(rest.records.count == 300)
        #expect(rest.records.last?["id"]?.text == "payment-1")
        #expect(rest.messages.isEmpty)
    }

    @Test("shows what it can get when a service is away, and ends with 6; with 7 when all are")
    func partly() async {
        let services = FakeServices { request in
            guard request.url.contains(":9082") else { throw TransportFailure(reason: "refused") }
            return .json(["items": [letter("9")], "next": .null])
        }
        let outcome = await warren("dlq list -o jsonl", http: services)
        #expect(outcome.code == 6)
        #expect(outcome.records.count == 1)
        #expect(outcome.messages.contains("notification cannot be reached"))
        let none = await warren("dlq list -o json", http: FakeServices())
        #expect(none.code == 7)
        #expect(none.data.isEmpty)
    }

    @Test("carries the token and who asks, and says what to do when it is not allowed")
    func credentials() async {
        let services = FakeServices { request in
            request.headers["Authorization"] == "Bearer secret"
                ? .json(["items": [], "next": .null]) : .problem(401, "not authorized")
        }
        let environment = ["WARREN_OPERATIONS_TOKEN": "secret", "USER": "eve\r\nX: y"]
        #expect(await warren("dlq list", environment: environment, http: services).code == 0)
        #expect(services.requests.last?.headers["Warren-Actor"] == "eveX:y")
        let outcome = await warren("dlq list", http: services)
        #expect(outcome.code == 4)
        #expect(outcome.messages.contains("Set WARREN_OPERATIONS_TOKEN"))
        #expect(services.requests.last?.headers["Warren-Actor"] == "operator")
    }

    @Test("counts by type and error, most first, over all services that are asked")
    func groups() async {
        let services = FakeServices { request in
            let count: Int64 = request.url.contains(":9082") ? 7 : 9
            return .json([
                "items": [
                    [
                        "type": "dev.warren.order.cancelled", "errorClass": "a", "count": .integer(count),
                        "example": "503",
                    ]
                ]
            ])
        }
        let outcome = await warren("dlq groups --service payment --service order -o jsonl", http: services)
        #expect(outcome.records.compactMap { $0["service"]?.text } == ["order", "payment"])
    }
}

@Suite("warren dead-letters edit")
struct DeadLetterEditingTests {
    @Test("sends the corrected payload as it was written, with the reason")
    func edit() async {
        let services = FakeServices { _ in .json(letter("18")) }
        let outcome = await warren(
            "dlq edit payment-17 --reason typo -o jsonl --data",
            #"{"amount": 1.10}"#,
            http: services
        )
        #expect(outcome.code == 0)
        #expect(services.lines == ["POST http://127.0.0.1:9082/dead-letters/17/edit"])
        let body = services.requests.first.map { String(decoding: $0.body, as: UTF8.self) }
        #expect(body == #"{"reason":"typo","data":{"amount": 1.10}}"#)
        #expect(outcome.records.first?["id"]?.text == "payment-18")
        let whole = await warren("dlq edit payment-17 --reason typo --envelope -", http: services, input: "{}")
        #expect(whole.code == 0)
        #expect(
            services.requests.last.map { String(decoding: $0.body, as: UTF8.self) }
                == #"{"reason":"typo","envelope":{}}"#
        )
    }

    @Test("wants one of the two, as JSON, and a reason")
    func usage() async {
        for line in [
            "dlq edit payment-17 --reason typo", "dlq edit payment-17 --reason typo --data {",
            "dlq edit payment-17 --data 1", "dlq edit payment-17 --reason typo --data 1 --envelope 2",
        ] {
            let services = FakeServices()
            #expect(await warren(line, http: services).code == 2)
            #expect(services.requests.isEmpty)
        }
    }
}

@Suite("warren dead-letters show")
struct DeadLetterShowTests {
    private func services(body: JSONValue) -> FakeServices {
        FakeServices { _ in
            var full = letter("17")
            full["properties"] = ["messageId": "m", "headers": ["traceparent": "00-1"]]
            full["attempts"] = [
                ["generation": .integer(0), "attempt": .integer(2), "durationMs": .integer(12), "error": "late"],
                ["generation": .integer(0), "attempt": .integer(1), "durationMs": .integer(10), "error": "early"],
            ]
            full["body"] = body["body"] ?? .null
            full["bodyBase64"] = body["bodyBase64"] ?? .null
            return .json(full)
        }
    }

    @Test("shows error, properties, every attempt and the body, made harmless for a terminal")
    func table() async {
        let outcome = await warren("dlq show payment-17", http: services(body: ["body": "{\n\u{1B}[2J}"]))
        #expect(outcome.code == 0)
        #expect(outcome.data.hasPrefix("id "))
        for text in ["payment-17", "properties.headers.traceparent", "late", "early", "\nBody\n{\n\\u{1b}[2J}"] {
            #expect(outcome.data.contains(text), "\(text)")
        }
        #expect(!outcome.data.contains("\u{1B}"))
    }

    @Test("gives the whole of it as JSON, the body byte for byte")
    func json() async throws {
        let outcome = await warren(
            "dlq show 17 --service payment -o json",
            http: services(body: ["bodyBase64": "/wA="])
        )
        let record = try JSONValue(parsing: Array(outcome.data.utf8))
        #expect(record["bodyBase64"]?.text == "/wA=")
        #expect(record["attempts"]?.array?.count == 2)
        #expect(record["id"]?.text == "payment-17")
    }

    @Test("ends with 3 when there is none, and with 2 for what is no id")
    func faults() async {
        let services = FakeServices { _ in .problem(404, "no such dead letter") }
        #expect(await warren("dlq show payment-17", http: services).code == 3)
        #expect(await warren("dlq show 17", http: services).code == 2)
        #expect(services.requests.count == 1)
    }
}

@Suite("warren dead-letters retry, discard and restore")
struct DeadLetterDeedTests {
    /// Number 17 is dead, 18 is processed, 19 is discarded, 20 is unknown.
    private let services = FakeServices { request in
        let number = request.url.split(separator: "dead-letters/")[1].prefix { $0.isNumber }
        switch (number, request.method) {
        case ("20", _): return .problem(404, "no such dead letter")
        case ("18", "POST"): return .problem(409, "wrong state", detail: "it is processed")
        case ("18", _): return .json(letter("18", state: "processed"))
        case ("19", "GET"): return .json(letter("19", state: "discarded"))
        default: return .json(letter(String(number), state: request.method == "GET" ? "dead" : "scheduled"))
        }
    }

    @Test("go to the right service, in the order given, once each, with the reason")
    func deeds() async throws {
        let outcome = await warren(
            "dlq retry payment-17 order-17 payment-17 --reason",
            "is back",
            "-o",
            "jsonl",
            http: services
        )
        #expect(outcome.code == 0)
        #expect(
            services.lines == [
                "POST http://127.0.0.1:9082/dead-letters/17/retry", "POST http://127.0.0.1:9081/dead-letters/17/retry",
            ]
        )
        #expect(try JSONValue(parsing: services.requests[0].body) == ["reason": "is back"])
        #expect(outcome.records.compactMap { $0["id"]?.text } == ["payment-17", "order-17"])
        _ = await warren("dlq restore 17 --service notification", http: services)
        #expect(services.lines.last == "POST http://127.0.0.1:9083/dead-letters/17/restore")
        #expect(try JSONValue(parsing: services.requests[2].body) == [:])
    }

    @Test("end with 6 when some failed, and say which; what went well is shown")
    func partly() async {
        let outcome = await warren("dlq retry payment-17 payment-18 payment-20 -o jsonl", http: services)
        #expect(outcome.code == 6)
        #expect(outcome.records.compactMap { $0["id"]?.text } == ["payment-17"])
        #expect(outcome.messages.contains("payment-18: payment: wrong state: it is processed"))
        #expect(outcome.messages.contains("payment-20: payment: no such dead letter"))
    }

    @Test("end with the code that all failures share, or 1")
    func allFailed() async {
        #expect(await warren("dlq retry payment-20", http: services).code == 3)
        #expect(await warren("dlq retry payment-20 order-20", http: services).code == 3)
        #expect(await warren("dlq retry payment-18 order-20", http: services).code == 1)
        #expect(await warren("dlq retry payment-17", http: FakeServices()).code == 7)
    }

    @Test("do nothing unless all ids can be read and a discard has a reason")
    func refused() async {
        for line in [
            "dlq retry payment-17 18", "dlq discard payment-17", "dlq discard payment-17 --reason=", "dlq retry",
            "dlq retry order-17 --service payment", "dlq retry payment-17 --reason=",
        ] {
            #expect(await warren(line, http: services).code == 2, "\(line)")
        }
        #expect(services.requests.isEmpty)
    }

    @Test("only look when told to, and say what would be refused")
    func dryRun() async {
        let outcome = await warren(
            "dlq discard payment-17 payment-18 payment-19 --reason x --dry-run -o jsonl",
            http: services
        )
        #expect(outcome.code == 6)
        #expect(services.requests.allSatisfy { $0.method == "GET" })
        #expect(outcome.records.compactMap { $0["id"]?.text } == ["payment-17"])
        #expect(outcome.messages.contains("payment-18: it is processed, and discard is for what is dead"))
        #expect(outcome.messages.contains("Nothing is done"))
        #expect(await warren("dlq restore payment-19 --dry-run", http: services).code == 0)
    }
}
