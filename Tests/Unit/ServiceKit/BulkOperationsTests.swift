import Foundation
import HTTP
import Messaging
import Telemetry
import Testing

@testable import ServiceKit

@Suite("The operations API, many dead letters at once")
struct BulkOperationsTests {
    private let table = TableOperations()

    private func send(
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)] = [],
        json: String? = nil
    ) async throws -> (response: HTTPResponse, object: [String: Any]) {
        let routes = OperationsRoutes(
            service: "payment",
            source: table,
            logger: .silent
        )
        let router = try RouterAssembly.router(of: routes.routes, metrics: MetricsRegistry())
        var request = HTTPRequest(method: method, path: path)
        request.query = query
        request.isLoopback = true
        request.headers = ["Warren-Actor": "anna"]
        if let json {
            request.headers["Content-Type"] = "application/json"
            request.body = Array(json.utf8)
        }
        let response = await router.respond(to: request, logger: .silent)
        let object = try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any]
        return (response, try #require(object))
    }

    private static func faultFields(_ object: [String: Any]) -> [String] {
        (object["errors"] as? [[String: Any]] ?? []).compactMap { $0["field"] as? String }.sorted()
    }

    @Test("an operation is accepted with its place, and shown with every member")
    func start() async throws {
        let (response, object) = try await send(
            "POST",
            "/dead-letter-operations",
            json: """
                {"action":"retry","filter":{"type":["a","b"],"error":"e","state":"dead","from":"2026-01-01T00:00:00Z"},
                 "limit":500,"rate":12.5,"ramp":30,"reason":" it is back "}
                """
        )
        #expect(response.status == 202)
        #expect(response.headers["Location"] == "/dead-letter-operations/1")
        let expected: [String: Any] = [
            "id": "1", "service": "payment", "action": "retry", "state": "running", "limit": 500, "rate": 12.5,
            "ramp": 30, "actor": "anna", "reason": "it is back", "total": 7, "done": 0, "failed": 0,
            "createdAt": "1970-01-01T00:00:00.001Z", "updatedAt": "1970-01-01T00:00:00.001Z", "finishedAt": NSNull(),
            "filter": [
                "type": ["a", "b"], "error": "e", "state": ["dead"], "subject": NSNull(),
                "from": "2026-01-01T00:00:00.000Z", "until": NSNull(), "text": NSNull(),
            ] as [String: Any],
        ]
        #expect(object as NSDictionary == expected as NSDictionary)
        let (shown, again) = try await send("GET", "/dead-letter-operations/1")
        #expect(shown.status == 200)
        #expect(again as NSDictionary == expected as NSDictionary)
        let plan = try #require(table.plans.value.first)
        #expect(plan.filter.types == ["a", "b"] && plan.filter.from == 1_767_225_600_000)
        #expect(plan.ramp == .seconds(30))
    }

    @Test("all has to be said, and means all")
    func all() async throws {
        let (response, _) = try await send(
            "POST",
            "/dead-letter-operations",
            json: #"{"action":"restore","filter":{"all":true},"reason":"mistake"}"#
        )
        #expect(response.status == 202)
        #expect(table.plans.value.first?.filter.states == [.discarded])
    }

    @Test("a dry run counts, does nothing and needs no reason")
    func dryRun() async throws {
        let body = #"{"action":"discard","filter":{"text":"x"},"dryRun":true}"#
        let (response, object) = try await send("POST", "/dead-letter-operations", json: body)
        #expect(response.status == 200)
        let expected: [String: Any] = ["service": "payment", "action": "discard", "total": 7, "complete": true]
        #expect(object as NSDictionary == expected as NSDictionary)
        #expect(table.asked.value.isEmpty)
        table.isCutShort.change { $0 = true }
        let (_, partly) = try await send("POST", "/dead-letter-operations", json: body)
        #expect(partly["complete"] as? Bool == false)
    }

    @Test(
        "a body that could mean more than was meant is refused, with every field that is wrong, and nothing is done",
        arguments: [
            (#"{"filter":{"all":true},"reason":"r"}"#, ["action"]),
            (#"{"action":"explode","filter":{"all":true},"reason":"r"}"#, ["action"]),
            (#"{"action":7,"filter":{"all":true},"reason":"r"}"#, ["action"]),
            (#"{"action":"retry","reason":"r"}"#, ["filter"]),
            (#"{"action":"retry","filter":{},"reason":"r"}"#, ["filter"]),
            (#"{"action":"retry","filter":null,"reason":"r"}"#, ["filter"]),
            (#"{"action":"retry","filter":"all","reason":"r"}"#, ["filter"]),
            (#"{"action":"retry","filter":{"all":false},"reason":"r"}"#, ["filter.all"]),
            (#"{"action":"retry","filter":{"all":false,"type":"a"},"reason":"r"}"#, ["filter.all"]),
            (#"{"action":"retry","filter":{"type":[]},"reason":"r"}"#, ["filter.type"]),
            (#"{"action":"discard","filter":{"all":true},"reason":"r","dryRun":null}"#, ["dryRun"]),
            (#"{"action":"discard","filter":{"all":null},"reason":"r","dryRun":true}"#, ["filter.all"]),
            (#"{"action":"retry","filter":{"all":true,"type":"a"},"reason":"r"}"#, ["filter.all"]),
            (#"{"action":"retry","filter":{"typ":"a","all":true},"reason":"r"}"#, ["filter.typ"]),
            (#"{"action":"retry","filter":{"type":""},"reason":"r"}"#, ["filter.type"]),
            (#"{"action":"retry","filter":{"type":["a",1]},"reason":"r"}"#, ["filter.type"]),
            (#"{"action":"retry","filter":{"error":""},"reason":"r"}"#, ["filter.error"]),
            (#"{"action":"retry","filter":{"state":"held","type":"a"},"reason":"r"}"#, ["filter.state"]),
            (#"{"action":"restore","filter":{"state":"dead","type":"a"},"reason":"r"}"#, ["filter.state"]),
            (#"{"action":"retry","filter":{"from":"yesterday"},"reason":"r"}"#, ["filter.from"]),
            (#"{"action":"retry","filter":{"type":"a"}}"#, ["reason"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"  "}"#, ["reason"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"a\nb"}"#, ["reason"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"r","limit":0}"#, ["limit"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"r","limit":1.5}"#, ["limit"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"r","rate":0}"#, ["rate"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"r","ramp":5}"#, ["ramp"]),
            (#"{"action":"retry","filter":{"type":"a"},"reason":"r","dryrun":true}"#, ["dryrun"]),
            (#"{"action":"x","filter":{},"limit":-1}"#, ["action", "filter", "limit", "reason"]),
            (#"[]"#, [""]),
        ]
    )
    func refused(_ json: String, _ fields: [String]) async throws {
        let (response, object) = try await send("POST", "/dead-letter-operations", json: json)
        #expect(response.status == 422)
        #expect(response.headers["Content-Type"] == "application/problem+json")
        #expect(Self.faultFields(object) == fields)
        #expect(table.plans.value.isEmpty)
    }

    @Test("every route is in the OpenAPI document, which has no other of its kind")
    func documented() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent()
            .appending(path: "../../../Shared/ServiceKit/Operations/openapi.yaml")
        var described: Set<String> = []
        var path = ""
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            if line.hasPrefix("  /"), line.hasSuffix(":") { path = String(line.dropFirst(2).dropLast()) }
            if line == "components:" { break }
            for method in ["get", "post"] where line == "    \(method):" && path.hasPrefix("/dead-letter") {
                described.insert("\(method.uppercased()) \(path)")
            }
        }
        let routes = OperationsRoutes(
            service: "payment",
            source: table,
            logger: .silent
        )
        let known = Set(routes.routes.map { "\($0.method) \($0.pattern)" })
        #expect(described.isSubset(of: known))
        #expect(Set(routes.bulkRoutes.map { "\($0.method) \($0.pattern)" }).isSubset(of: described))
        #expect(described.contains("GET /dead-letters") && described.contains("GET /dead-letters/groups"))
    }

    @Test("operations are listed in pages, the latest first")
    func listed() async throws {
        for _ in 1...3 {
            _ = try await send(
                "POST",
                "/dead-letter-operations",
                json: #"{"action":"retry","filter":{"all":true},"reason":"r"}"#
            )
        }
        let (_, page) = try await send("GET", "/dead-letter-operations", [(name: "limit", value: "2")])
        #expect((page["items"] as? [[String: Any]])?.compactMap { $0["id"] as? String } == ["3", "2"])
        #expect(page["next"] as? String == "2")
        let (_, rest) = try await send("GET", "/dead-letter-operations", [(name: "after", value: "2")])
        #expect((rest["items"] as? [[String: Any]])?.count == 1)
        #expect(rest["next"] is NSNull)
    }

    @Test("orders are obeyed where they lead on, 409 elsewhere, 404 for what is not there")
    func orders() async throws {
        let body = #"{"action":"retry","filter":{"all":true},"reason":"r"}"#
        _ = try await send("POST", "/dead-letter-operations", json: body)
        for (order, state) in [("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")] {
            let (response, object) = try await send(
                "POST",
                "/dead-letter-operations/1/\(order)",
                json: #"{"reason":"why"}"#
            )
            #expect(response.status == 200)
            #expect(object["state"] as? String == state)
        }
        #expect(table.deeds.value.map(\.action) == ["pause", "resume", "cancel"])
        #expect(table.deeds.value.allSatisfy { $0.actor == "anna" && $0.reason == "why" })
        let (again, object) = try await send("POST", "/dead-letter-operations/1/cancel")
        #expect(again.status == 409)
        #expect(object["type"] as? String == "/problems/wrong-state")
        for path in ["/dead-letter-operations/9", "/dead-letter-operations/x"] {
            #expect(try await send("GET", path).response.status == 404)
            #expect(try await send("POST", path + "/cancel").response.status == 404)
        }
    }

    @Test("a page that a bounded search ended says so; by time, its place is a time and an id")
    func honest() async throws {
        table.letters.change { $0 = [.example(17)] }
        table.isCutShort.change { $0 = true }
        let (_, page) = try await send("GET", "/dead-letters", [(name: "text", value: "x")])
        #expect(page["complete"] as? Bool == false)
        #expect(page["next"] as? String == "17")
        let since = (name: "from", value: "2026-01-01T00:00:00Z")
        let (_, byTime) = try await send("GET", "/dead-letters", [since])
        #expect(byTime["next"] as? String == "2026-01-01T00:00:01.500Z/17")
        _ = try await send("GET", "/dead-letters", [since, (name: "after", value: "2026-01-01T00:00:01.500Z/17")])
        #expect(table.lists.value.last?.after == DeadLetterCursor(id: 17, updatedAt: 1_767_225_601_500))
        for (query, after) in [([since], "17"), ([], "2026-01-01T00:00:01.500Z/17"), ([since], "x/17"), ([], "0")] {
            let (response, object) = try await send("GET", "/dead-letters", query + [(name: "after", value: after)])
            #expect(response.status == 422)
            #expect(Self.faultFields(object) == ["after"])
        }
    }
}
