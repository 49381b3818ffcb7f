import Foundation
import HTTP
import Messaging
import Telemetry
import Testing

@testable import ServiceKit

@Suite("The operations API")
struct OperationsTests {
    private let table = TableOperations()

    private func send(
        _ method: String,
        _ path: String,
        _ query: [(name: String, value: String)] = [],
        headers: HTTPHeaders = [:],
        json: String? = nil,
        token: String? = nil
    ) async throws -> (response: HTTPResponse, object: [String: Any]) {
        let routes = OperationsRoutes(
            service: "payment",
            source: table,
            logger: .silent
        )
        let router = try RouterAssembly.router(of: routes.routes, operatorToken: token, metrics: MetricsRegistry())
        var request = HTTPRequest(method: method, path: path)
        request.query = query
        request.isLoopback = true
        request.headers = headers
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

    @Test("lists dead letters with every member, null where there is no value")
    func listing() async throws {
        table.letters.change { $0 = [.example(17)] }
        let (response, object) = try await send("GET", "/dead-letters")
        #expect(response.status == 200)
        #expect(response.headers["Content-Type"] == "application/json")
        #expect(object["service"] as? String == "payment")
        #expect(object["next"] is NSNull)
        let item = try #require((object["items"] as? [[String: Any]])?.first)
        let expected: [String: NSObject] = [
            "id": "17" as NSString, "service": "payment" as NSString, "subscriber": "payment" as NSString,
            "state": "dead" as NSString, "type": "dev.warren.order.placed" as NSString,
            "subject": "order-1" as NSString, "source": "/order-service" as NSString, "eventId": "event-17" as NSString,
            "generation": 0 as NSNumber, "attemptCount": 6 as NSNumber, "dueAt": NSNull(),
            "receivedAt": "2026-01-01T00:00:00.000Z" as NSString, "updatedAt": "2026-01-01T00:00:01.500Z" as NSString,
            "errorClass": "payment.provider-unavailable" as NSString, "error": "no answer" as NSString,
        ]
        #expect(item as NSDictionary == expected as NSDictionary)
    }

    @Test("puts a corrected event in a dead letter's place, byte for byte, and demands to know why")
    func editing() async throws {
        table.letters.change { $0 = [.example(3)] }
        for (json, field) in [
            (#"{"data":{}}"#, "reason"), (#"{"reason":"typo"}"#, "data"),
            (#"{"reason":"typo","data":1,"envelope":{}}"#, "envelope"),
        ] {
            let (response, object) = try await send("POST", "/dead-letters/3/edit", json: json)
            #expect(response.status == 422)
            #expect(Self.faultFields(object) == [field])
        }
        let sent = #"{"reason":"typo","data":{"amount": 1.10}}"#
        let (response, _) = try await send(
            "POST",
            "/dead-letters/3/edit",
            headers: ["Warren-Actor": "anna"],
            json: sent
        )
        #expect(response.status == 200)
        #expect(table.edits.value == [.data(Array(#"{"amount": 1.10}"#.utf8))])
        #expect(table.deeds.value == [.init(id: 3, action: "edit", actor: "anna", reason: "typo")])
    }

    @Test("pages through the list without gaps, and says when there is no next page")
    func paging() async throws {
        table.letters.change { $0 = (1...5).reversed().map { .example(Int64($0)) } }
        var seen: [String] = []
        var query = [(name: "limit", value: "2")]
        var pages = 0
        while true {
            let (_, object) = try await send("GET", "/dead-letters", query)
            seen += try #require(object["items"] as? [[String: Any]]).compactMap { $0["id"] as? String }
            pages += 1
            guard let next = object["next"] as? String, pages < 10 else { break }
            query = [(name: "limit", value: "2"), (name: "after", value: next)]
        }
        #expect(seen == ["5", "4", "3", "2", "1"])
        #expect(pages == 3)
        let (_, exact) = try await send("GET", "/dead-letters", [(name: "limit", value: "5")])
        #expect(exact["next"] is NSNull)
    }

    @Test("hands every filter on")
    func filters() async throws {
        _ = try await send(
            "GET",
            "/dead-letters",
            [
                (name: "type", value: "a"), (name: "type", value: "b"), (name: "state", value: "held"),
                (name: "state", value: "dead"), (name: "error", value: "e"), (name: "subject", value: "s"),
                (name: "from", value: "2026-01-01T00:00:00.000Z"), (name: "until", value: "2026-01-02T00:00:00Z"),
                (name: "text", value: "t"), (name: "limit", value: "500"),
                (name: "after", value: "2026-01-01T00:00:00.000Z/9"),
            ]
        )
        let call = try #require(table.lists.value.first)
        #expect(call.filter.types == ["a", "b"])
        #expect(call.filter.states == [.held, .dead])
        #expect(call.filter.errorClass == "e" && call.filter.subject == "s" && call.filter.text == "t")
        #expect(call.filter.from == 1_767_225_600_000 && call.filter.until == 1_767_312_000_000)
        #expect(call.limit == 500 && call.after == DeadLetterCursor(id: 9, updatedAt: 1_767_225_600_000))
        _ = try await send("GET", "/dead-letters")
        let plain = try #require(table.lists.value.last)
        #expect(plain.filter.states == [.dead] && plain.limit == 50 && plain.after == nil)
    }

    @Test("refuses a query that it does not understand, naming every fault, rather than answer another one")
    func badQueries() async throws {
        let (response, object) = try await send(
            "GET",
            "/dead-letters",
            [
                (name: "limit", value: "501"), (name: "after", value: "x"), (name: "state", value: "daed"),
                (name: "from", value: "yesterday"), (name: "subject", value: "a"), (name: "subject", value: "b"),
                (name: "typ", value: "a"),
            ]
        )
        #expect(response.status == 422)
        #expect(response.headers["Content-Type"] == "application/problem+json")
        #expect(Self.faultFields(object) == ["after", "from", "limit", "state", "subject", "typ"])
        #expect(table.lists.value.isEmpty)
    }

    @Test("shows a dead letter with its body, properties and attempts")
    func showing() async throws {
        table.letters.change { $0 = [.example(17, body: Array("{\"ü\":1}".utf8))] }
        let (response, object) = try await send("GET", "/dead-letters/17")
        #expect(response.status == 200)
        #expect(object["id"] as? String == "17")
        #expect(object["body"] as? String == "{\"ü\":1}")
        #expect(object["bodyBase64"] is NSNull)
        let properties = try #require(object["properties"] as? [String: Any])
        #expect(properties["messageId"] as? String == "event-17")
        #expect((properties["headers"] as? [String: Any])?["x"] as? [Int] == [1, 2])
        let attempt = try #require((object["attempts"] as? [[String: Any]])?.first)
        #expect(
            attempt as NSDictionary == [
                "generation": 0, "attempt": 6, "startedAt": "2026-01-01T00:00:01.000Z", "durationMs": 500,
                "host": "host-1", "errorClass": "payment.provider-unavailable", "error": "no answer",
            ] as NSDictionary
        )
        let decoded = try JSONDecoder().decode(OperationsAPI.DeadLetterDetail.self, from: Data(response.body))
        #expect(decoded == (try OperationsAPI.DeadLetterDetail(table.letters.value[0], service: "payment")))
    }

    @Test("shows a body that is not UTF-8 in Base64")
    func binaryBody() async throws {
        table.letters.change { $0 = [.example(1, body: [0xFF, 0x00])] }
        let (_, object) = try await send("GET", "/dead-letters/1")
        #expect(object["body"] is NSNull)
        #expect(object["bodyBase64"] as? String == "/wA=")
    }

    @Test("retries, discards and restores in the name of the actor, with the reason")
    func deeds() async throws {
        table.letters.change { $0 = [.example(3)] }
        let actor: HTTPHeaders = ["Warren-Actor": "anna"]
        let retried = try await send("POST", "/dead-letters/3/retry", headers: actor, json: #"{"reason":" mended "}"#)
        #expect(retried.response.status == 200)
        #expect(retried.object["state"] as? String == "scheduled")
        table.letters.change { $0 = [.example(3)] }
        let discarded = try await send("POST", "/dead-letters/3/discard", json: #"{"reason":"a test"}"#)
        #expect(discarded.object["state"] as? String == "discarded")
        let restored = try await send("POST", "/dead-letters/3/restore")
        #expect(restored.object["state"] as? String == "dead")
        #expect(
            table.deeds.value == [
                .init(id: 3, action: "retry", actor: "anna", reason: "mended"),
                .init(id: 3, action: "discard", actor: "operator", reason: "a test"),
                .init(id: 3, action: "restore", actor: "operator", reason: ""),
            ]
        )
    }

    @Test("discards nothing without a reason", arguments: [nil, "{}", #"{"reason":null}"#, #"{"reason":"  "}"#])
    func reasons(json: String?) async throws {
        table.letters.change { $0 = [.example(3)] }
        let (response, object) = try await send("POST", "/dead-letters/3/discard", json: json)
        #expect(response.status == 422)
        #expect(Self.faultFields(object) == ["reason"])
        #expect(table.deeds.value.isEmpty)
    }

    @Test("records no actor and no reason that could forge a line")
    func controlCharacters() async throws {
        table.letters.change { $0 = [.example(3)] }
        let reason = try await send("POST", "/dead-letters/3/retry", json: #"{"reason":"a\nb"}"#)
        #expect(reason.response.status == 422 && Self.faultFields(reason.object) == ["reason"])
        let long = try await send(
            "POST",
            "/dead-letters/3/retry",
            headers: ["Warren-Actor": String(repeating: "x", count: 101)]
        )
        #expect(long.response.status == 422 && Self.faultFields(long.object) == ["Warren-Actor"])
        #expect(table.deeds.value.isEmpty)
    }

    @Test("answers 404 for what is not there, and 409 with the state for what cannot be done")
    func refusals() async throws {
        for path in ["/dead-letters/99", "/dead-letters/abc", "/dead-letters/-1", "/dead-letters/99999999999999999999"]
        {
            let (response, object) = try await send("GET", path)
            #expect(response.status == 404)
            #expect(object["type"] as? String == "/problems/not-found")
        }
        table.letters.change { $0 = [.example(3)] }
        let (response, object) = try await send("POST", "/dead-letters/3/restore")
        #expect(response.status == 409)
        #expect(object["type"] as? String == "/problems/wrong-state")
        #expect((object["detail"] as? String)?.contains("dead") == true)
    }

    @Test("groups dead letters")
    func groups() async throws {
        let (_, object) = try await send("GET", "/dead-letters/groups")
        #expect(object["service"] as? String == "payment")
        let item = try #require((object["items"] as? [[String: Any]])?.first)
        #expect(
            item as NSDictionary == [
                "type": "t", "errorClass": "e", "count": 2, "firstSeen": "1970-01-01T00:00:00.001Z",
                "lastSeen": "1970-01-01T00:00:00.002Z", "example": "no",
            ] as NSDictionary
        )
    }

    @Test("shows the backlog, with null for the age of nothing")
    func backlog() async throws {
        let (_, object) = try await send("GET", "/backlog")
        let expected: [String: Any] = [
            "service": "payment", "unforwarded": 1, "oldestUnforwardedAge": 1.5, "scheduled": 0,
            "oldestScheduledAge": NSNull(), "held": 2, "dead": 3,
        ]
        #expect(object as NSDictionary == expected as NSDictionary)
    }

    @Test("shows feeds, and sets where one goes on: with a reason, a position that can be, and a feed that is there")
    func feeds() async throws {
        let (_, all) = try await send("GET", "/feeds")
        let item = try #require((all["items"] as? [[String: Any]])?.first)
        let expected = ["name": "inventory", "position": 7, "problem": "it is ahead"] as NSDictionary
        #expect(item as NSDictionary == expected)
        let (done, feed) = try await send("POST", "/feeds/inventory/restart", json: #"{"after":0,"reason":"a backup"}"#)
        #expect(done.status == 200)
        #expect(feed as NSDictionary == ["name": "inventory", "position": 0, "problem": NSNull()] as NSDictionary)
        for (path, body, status) in [
            ("/feeds/inventory/restart", #"{"after":7.0,"reason":"a backup"}"#, 200),
            ("/feeds/inventory/restart", #"{"after":7.5,"reason":"x"}"#, 422),
            ("/feeds/inventory/restart", #"{"after":1e300,"reason":"x"}"#, 422),
            ("/feeds/inventory/restart", #"{"after":0}"#, 422), ("/feeds/inventory/restart", #"{"reason":"x"}"#, 422),
            ("/feeds/inventory/restart", #"{"after":-1,"reason":"x"}"#, 422),
            ("/feeds/inventory/restart", #"{"after":"0","reason":"x"}"#, 422),
            ("/feeds/inventory/restart", #"{"after":0,"reason":"x","all":true}"#, 422),
            ("/feeds/coupon/restart", #"{"after":0,"reason":"x"}"#, 404),
        ] {
            #expect(try await send("POST", path, json: body).response.status == status, "\(path) \(body)")
        }
        #expect(table.deeds.value.map(\.reason) == ["a backup", "a backup"])
        #expect(table.feedsAt.value == ["inventory": 7])
    }

    @Test("shows the audit")
    func audit() async throws {
        let (_, object) = try await send("GET", "/audit", [(name: "limit", value: "1")])
        #expect(object["next"] as? String == "2")
        let item = try #require((object["items"] as? [[String: Any]])?.first)
        #expect(
            item as NSDictionary == [
                "id": "2", "at": "1970-01-01T00:00:00.002Z", "actor": "anna", "action": "retry", "deliveryId": "3",
                "operationId": NSNull(), "reason": "why",
            ] as NSDictionary
        )
    }

    @Test("asks for the token on every route")
    func guarded() async throws {
        table.letters.change { $0 = [.example(3)] }
        for (method, path) in [
            ("GET", "/dead-letters"), ("GET", "/dead-letters/groups"), ("GET", "/dead-letters/3"),
            ("POST", "/dead-letters/3/edit"), ("POST", "/dead-letters/3/retry"), ("POST", "/dead-letters/3/discard"),
            ("POST", "/dead-letters/3/restore"),
            ("GET", "/backlog"), ("GET", "/feeds"), ("POST", "/feeds/inventory/restart"), ("GET", "/audit"),
            ("POST", "/dead-letter-operations"),
            ("GET", "/dead-letter-operations"), ("GET", "/dead-letter-operations/1"),
            ("POST", "/dead-letter-operations/1/pause"), ("POST", "/dead-letter-operations/1/resume"),
            ("POST", "/dead-letter-operations/1/cancel"),
        ] {
            #expect(try await send(method, path, token: "0123456789abcdef").response.status == 401, "\(method) \(path)")
        }
        #expect(table.deeds.value.isEmpty)
    }
}
