import JSON
import Synchronization
import Testing

@testable import CommandLine

/// Payment has so many that match, order none; operations end when they have been looked at so often.
private final class Desk: Sendable {
    private let looks = Mutex(0)
    private let matching: Int64
    private let failed: Int64
    private let end: String

    init(matching: Int64 = 7, failed: Int64 = 0, end: String = "done") {
        self.matching = matching
        self.failed = failed
        self.end = end
    }

    private func operation(_ state: String, done: Int64) -> JSONValue {
        [
            "id": "3", "service": "payment", "state": .string(state), "action": "retry", "done": .integer(done),
            "failed": .integer(failed), "total": .integer(matching), "actor": "eve", "reason": "mended",
            "createdAt": "2026-01-01T00:00:00.000Z",
        ]
    }

    var services: FakeServices {
        FakeServices { [self] request in
            let isPayment = request.url.contains(":9082")
            let body = try? JSONValue(parsing: request.body)
            if request.method == "POST", body?["dryRun"] == .bool(true) {
                return .json([
                    "service": isPayment ? "payment" : request.url.contains(":9081") ? "order" : "notification",
                    "action": "retry",
                    "total": .integer(isPayment ? matching : 0), "complete": .bool(true),
                ])
            }
            if request.method == "POST", request.url.hasSuffix("/dead-letter-operations") {
                return .json(operation("running", done: 0), status: 202)
            }
            if request.url.hasSuffix("/cancel") { return .json(operation("cancelled", done: 2)) }
            if request.url.contains("dead-letter-operations?") {
                return .json(["items": isPayment ? [operation("running", done: 2)] : [], "next": .null])
            }
            let look = looks.withLock { looks in
                looks += 1
                return looks
            }
            return .json(look < 3 ? operation("running", done: 2) : operation(end, done: matching - failed))
        }
    }
}

private func body(_ request: ServiceRequest?) throws -> JSONValue {
    try JSONValue(parsing: request?.body ?? [])
}

@Suite("warren dead-letters retry --all")
struct DeadLetterBulkTests {
    @Test("asks each service how many it would be, starts it where there are any, and watches it to its end")
    func whole() async throws {
        let services = Desk().services
        let outcome = await warren(
            "dlq retry --all --type order.cancelled --error a.b --rate 50 --ramp 2s --limit 100 --yes --reason mended"
                + " --service payment --service order -o jsonl",
            http: services
        )
        #expect(outcome.code == 0)
        #expect(outcome.records.map { $0["id"]?.text } == ["payment-3"])
        #expect(outcome.records.first?["state"]?.text == "done")
        let starts = services.requests.filter { $0.method == "POST" && $0.url.hasSuffix("/dead-letter-operations") }
        let real = try starts.filter { try body($0)["dryRun"] == nil }
        #expect(starts.count == 3 && real.count == 1)
        #expect(
            try body(real.first) == [
                "action": "retry", "filter": ["type": ["dev.warren.order.cancelled"], "error": "a.b"],
                "limit": .integer(100), "rate": .integer(50), "ramp": .integer(2), "reason": "mended",
            ]
        )
    }

    @Test("without a condition it says that all are meant")
    func all() async throws {
        let services = Desk().services
        #expect(await warren("dlq discard --all --service payment --yes --reason r", http: services).code == 0)
        #expect(try body(services.requests[1])["filter"] == ["all": .bool(true)])
    }

    @Test("asks for leave, and does nothing without a yes")
    func confirmed() async {
        for (answer, code) in [("yes", 0), ("no", 5), ("", 5), (nil, 2)] as [(String?, Int32)] {
            let services = Desk().services
            let outcome = await warren(
                "dlq retry --all --reason r",
                http: services,
                ask: { question in
                    question.contains("retry 7 of payment?") ? answer : "yes"
                }
            )
            #expect(outcome.code == code, "\(answer ?? "nobody")")
            let isStarted = services.requests.contains {
                (try? body($0)["dryRun"]) == .some(nil) && $0.method == "POST"
            }
            #expect(isStarted == (code == 0))
        }
        let outcome = await warren("dlq retry --all --reason r", http: Desk().services)
        #expect(outcome.messages.contains("--yes"))
    }

    @Test("a dry run shows the counts; nothing that matches is nothing to do")
    func dryRun() async {
        let services = Desk().services
        let outcome = await warren("dlq retry --all --dry-run -o jsonl", http: services)
        #expect(outcome.code == 0)
        #expect(outcome.records.map { $0["total"]?.integer } == [7])
        #expect(services.requests.allSatisfy { (try? body($0)["dryRun"]) == .bool(true) })
        let none = await warren("dlq retry --all --reason r", http: Desk(matching: 0).services)
        #expect(none.code == 0 && none.messages.contains("No dead letter matches"))
    }

    @Test("nothing is started when one of the services that are meant does not answer")
    func away() async {
        let services = FakeServices { request in
            guard request.url.contains(":9082") else { throw TransportFailure(reason: "refused") }
            return .json(["service": "payment", "action": "retry", "total": .integer(7), "complete": .bool(true)])
        }
        #expect(await warren("dlq retry --all --yes --reason r", http: services).code == 6)
        #expect(services.requests.allSatisfy { (try? body($0)["dryRun"]) == .bool(true) })
    }

    @Test("ends with 6 when some could not be done, with 5 when it was cancelled")
    func ends() async {
        let some = await warren("dlq retry --all --yes --reason r", http: Desk(failed: 2).services)
        #expect(some.code == 6 && some.messages.contains("2 of payment-3"))
        let cancelled = await warren("dlq retry --all --yes --reason r", http: Desk(end: "cancelled").services)
        #expect(cancelled.code == 5 && cancelled.messages.contains("payment-3 is cancelled"))
        let detached = await warren("dlq retry --all --yes --detach --reason r", http: Desk().services)
        #expect(detached.code == 0 && detached.data.contains("running"))
    }

    @Test("refuses what could be meant in two ways")
    func usage() async {
        for line in [
            "dlq retry", "dlq retry --all payment-17 --reason r", "dlq retry payment-17 --type x",
            "dlq retry payment-17 --yes", "dlq retry --all", "dlq retry --all --reason=", "dlq retry --type x",
            "dlq retry --all --ramp 3s --reason r", "dlq retry --all --rate 0 --reason r",
        ] {
            let services = FakeServices()
            #expect(await warren(line, http: services).code == 2, "\(line)")
            #expect(services.requests.isEmpty)
        }
    }

    @Test("operations are listed, shown, watched and ended")
    func operations() async {
        let services = Desk().services
        let list = await warren("dlq operations list -o jsonl", http: services)
        #expect(list.code == 0 && list.records.map { $0["id"]?.text } == ["payment-3"])
        #expect(await warren("dlq ops show payment-3", http: services).data.contains("payment-3"))
        #expect(await warren("dlq ops watch payment-3", http: services).code == 0)
        let cancelled = await warren("dlq ops cancel payment-3 --reason enough -o jsonl", http: services)
        #expect(cancelled.records.first?["state"]?.text == "cancelled")
        #expect(services.lines.last == "POST http://127.0.0.1:9082/dead-letter-operations/3/cancel")
    }

    @Test("a listing by time goes on at a time and an id, over pages that a bounded search left empty")
    func places() async {
        let services = FakeServices { request in
            guard request.url.contains("after=") else {
                return .json(["items": [], "next": "2026-01-01T00:00:00.000Z/9", "complete": .bool(false)])
            }
            let letter: JSONValue = [
                "id": "8", "state": "dead", "type": "t", "subject": "s", "receivedAt": "2025-01-01T00:00:00.000Z",
                "updatedAt": "2025-12-31T00:00:00.000Z",
            ]
            return .json(["items": [letter], "next": "2025-12-31T00:00:00.000Z/8", "complete": .bool(true)])
        }
        let outcome = await warren("dlq list --service payment --until 2026-02-01T00:00:00Z --limit 1", http: services)
        #expect(outcome.code == 0 && outcome.data.contains("payment-8"))
        #expect(outcome.messages.contains("--after 2025-12-31T00:00:00.000Z/payment-8"))
        let next = await warren(
            "dlq list --until 2026-02-01T00:00:00Z --limit 1 --after 2025-12-31T00:00:00.000Z/payment-8",
            http: services
        )
        #expect(next.code == 0)
        #expect(services.lines.last?.contains("after=2025-12-31T00%3A00%3A00.000Z%2F8") == true)
        #expect(await warren("dlq list --until 1h --after payment-8", http: services).code == 2)
        #expect(await warren("dlq list --after 2025-12-31T00:00:00.000Z/payment-8", http: services).code == 2)
    }
}
