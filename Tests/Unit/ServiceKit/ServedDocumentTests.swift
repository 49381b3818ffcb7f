import Database
import Events
import Foundation
import HTTP
import JSON
import Telemetry
import TestSupport
import Testing

@testable import Messaging
@testable import ServiceKit

@Suite("The OpenAPI document of all services tells what is served", .timeLimit(.minutes(5)))
struct ServedDocumentTests {
    private let document: JSONValue
    private let schema: JSONSchema
    private let table = TableOperations()

    init() throws {
        document = try YAML.read("Shared/ServiceKit/Operations/openapi.yaml")
        schema = JSONSchema(document: document)
    }

    /// The routes of every service, over an event store with one event and a table in memory.
    private func withRoutes(_ body: ([Wiring.Route], Router) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUIDv7.make())")
        defer { try? FileManager.default.removeItem(at: folder) }
        let database = try await Database.open(
            "sqlite:\(folder.path)/test.db",
            migrations: [MessagingRuntime.migrations],
            logger: .silent
        )
        let events = EventStore(database: database, source: "/ringing", limits: .standard, onCommit: { _ in })
        try await events.write { try $0.append(Rang(subject: "bell")) }
        let metrics = MetricsRegistry()
        let health = HealthRoutes(
            readiness: Readiness(probes: []),
            metrics: metrics,
            metricsAccess: .operators(.read),
            refreshMetrics: {}
        )
        let log = EventLog(database: database, bell: events.bell)
        let routes =
            health.probes + health.gauges
            + ProblemPages(catalogue: try ProblemCatalogue(ProblemKind.ofService)).routes
            + [.document(Array("openapi: 3.1.0".utf8))]
            + OperationsRoutes(service: "payment", source: table, logger: .silent).routes
            + EventRoutes(service: "payment", log: log).routes
        try await body(routes, try RouterAssembly.router(of: routes, metrics: metrics))
        await database.close()
    }

    private func operation(_ method: String, _ path: String) -> JSONValue? {
        document["paths"]?[path]?[method.lowercased()]
    }

    @Test("Every route that is served is described, and every route that is described is served")
    func routes() async throws {
        var described: Set<String> = []
        for (path, item) in document["paths"]?.object ?? [:] {
            for method in (item.object ?? [:]).keys { described.insert("\(method.uppercased()) \(path)") }
        }
        try await withRoutes { routes, _ in
            #expect(routes.count > 15)
            #expect(described == Set(routes.map { "\($0.method) \($0.pattern)" }))
        }
    }

    @Test("Every parameter that is taken is described, and every one that is described is taken")
    func parameters() async throws {
        let page = OperationsQuery.pageNames
        let taken: [String: Set<String>] = [
            "GET /readyz": ["verbose"],
            "GET /events": EventParameters.names,
            "GET /dead-letters": OperationsQuery.filterNames.union(page),
            "GET /dead-letters/groups": OperationsQuery.filterNames,
            "GET /dead-letter-operations": page,
            "GET /audit": page,
        ]
        try await withRoutes { routes, _ in
            for route in routes {
                let operation = operation(route.method, route.pattern)
                let described = (operation?["parameters"]).elements.compactMap { document.resolving($0) }
                func names(_ place: String) -> Set<String> {
                    Set(described.filter { $0["in"]?.text == place }.compactMap { $0["name"]?.text })
                }
                let name = "\(route.method) \(route.pattern)"
                #expect(names("query") == taken[name] ?? [], "\(name)")
                let segments = route.pattern.split(separator: "/").filter { $0.hasPrefix("{") }
                #expect(names("path") == Set(segments.map { String($0.dropFirst().dropLast()) }), "\(name)")
                #expect(names("header") == (route.method == "POST" ? ["Warren-Actor"] : []), "\(name)")
            }
        }
        func limit(_ path: String) -> JSONValue? {
            let parameters = (operation("GET", path)?["parameters"]).elements.compactMap { document.resolving($0) }
            return parameters.first { $0["name"]?.text == "limit" }?["schema"]
        }
        #expect(limit("/events")?["maximum"]?.integer == Int64(EventLog.maximumLimit))
        #expect(limit("/events")?["default"]?.integer == Int64(EventParameters.defaultLimit))
        #expect(limit("/audit")?["maximum"]?.integer == Int64(OperationsQuery.maximumLimit))
        #expect(limit("/audit")?["default"]?.integer == Int64(OperationsQuery.defaultLimit))
    }

    /// A request that is answered with 2xx, for each route that is served.
    private static let requests: [(String, String, String, body: JSONValue?)] = [
        ("GET", "/livez", "/livez", nil),
        ("GET", "/readyz", "/readyz", nil),
        ("GET", "/metrics", "/metrics", nil),
        ("GET", "/problems", "/problems", nil),
        ("GET", "/problems/{slug}", "/problems/starting", nil),
        ("GET", "/openapi.yaml", "/openapi.yaml", nil),
        ("GET", "/events", "/events", nil),
        ("GET", "/events/types", "/events/types", nil),
        ("GET", "/dead-letters", "/dead-letters", nil),
        ("GET", "/dead-letters/groups", "/dead-letters/groups", nil),
        ("GET", "/dead-letters/{id}", "/dead-letters/1", nil),
        ("POST", "/dead-letters/{id}/retry", "/dead-letters/1/retry", nil),
        ("POST", "/dead-letters/{id}/discard", "/dead-letters/2/discard", ["reason": "a test"]),
        ("POST", "/dead-letters/{id}/restore", "/dead-letters/2/restore", nil),
        ("POST", "/dead-letters/{id}/edit", "/dead-letters/3/edit", ["reason": "a test", "data": ["a": 1]]),
        ("GET", "/backlog", "/backlog", nil),
        ("GET", "/feeds", "/feeds", nil),
        ("POST", "/feeds/{name}/restart", "/feeds/inventory/restart", ["after": .integer(0), "reason": "a test"]),
        ("GET", "/audit", "/audit", nil),
        (
            "POST", "/dead-letter-operations", "/dead-letter-operations",
            ["action": "retry", "filter": ["all": true], "reason": "a test", "rate": .number(2.5)]
        ),
        ("GET", "/dead-letter-operations", "/dead-letter-operations", nil),
        ("GET", "/dead-letter-operations/{id}", "/dead-letter-operations/1", nil),
        ("POST", "/dead-letter-operations/{id}/pause", "/dead-letter-operations/1/pause", nil),
        ("POST", "/dead-letter-operations/{id}/resume", "/dead-letter-operations/1/resume", nil),
        ("POST", "/dead-letter-operations/{id}/cancel", "/dead-letter-operations/1/cancel", nil),
    ]

    @Test("Every route answers as its schema says, and names what its schema names")
    func answers() async throws {
        table.letters.change { $0 = [.example(1), .example(2, body: [0xFF]), .example(3)] }
        try await withRoutes { routes, router in
            #expect(Set(Self.requests.map { "\($0.0) \($0.1)" }) == Set(routes.map { "\($0.method) \($0.pattern)" }))
            for (method, pattern, path, body) in Self.requests {
                let place = "\(method) \(path)"
                let described = try #require(operation(method, pattern), "\(place)")
                if let body {
                    let content = document.resolving(described["requestBody"])?["content", "application/json"]
                    #expect(try schema.faults(body, content?["schema"]) == [], "\(place)")
                }
                let response = await Self.send(method, path, body, router)
                #expect(
                    (200...299).contains(response.status),
                    "\(place) \(String(decoding: response.body, as: UTF8.self))"
                )
                let answer = document.resolving(described["responses"]?["\(response.status)"])
                let type = (response.headers["Content-Type"] ?? "").prefix { $0 != ";" }
                let rules = try #require(answer?["content", String(type)]?["schema"], "\(place) \(type)")
                let value: JSONValue =
                    type.hasSuffix("json")
                    ? try JSONValue(parsing: response.body) : .string(String(decoding: response.body, as: UTF8.self))
                #expect(try schema.faults(value, rules) == [], "\(place)")
                if let object = value.object { #expect(Set(object.keys) == names(rules), "\(place)") }
            }
        }
    }

    @Test("A problem is as its schema says, with all its faults")
    func problems() async throws {
        try await withRoutes { _, router in
            for path in ["/dead-letters", "/events", "/audit"] {
                let response = await Self.send("GET", path, nil, router, query: [("typo", "x"), ("limit", "0")])
                #expect(response.status == 422)
                let answer = document.resolving(operation("GET", path)?["responses", "422"])
                let rules = answer?["content", "application/problem+json", "schema"]
                let value = try JSONValue(parsing: response.body)
                #expect(try schema.faults(value, rules) == [])
                #expect((value["errors"]).elements.count == 2)
            }
        }
    }

    @Test("Every operation has a name of its own, and says what any request may be answered with")
    func operations() throws {
        var names: [String] = []
        for (path, item) in document["paths"]?.object ?? [:] {
            for (method, operation) in item.object ?? [:] {
                names += [operation["operationId"]?.text ?? "\(method) \(path) has none"]
                let responses = operation["responses"]?.object ?? [:]
                #expect(responses["default"]?["$ref"]?.text == "#/components/responses/Server", "\(method) \(path)")
                let isOpen = operation["security"] == []
                for status in ["401", "403"] { #expect((responses[status] != nil) == !isOpen, "\(method) \(path)") }
                for status in ["400", "415"] {
                    #expect((responses[status] != nil) == (operation["requestBody"] != nil), "\(method) \(path)")
                }
                let asks = !isOpen && path != "/metrics"
                for status in ["422", "503"] where asks { #expect(responses[status] != nil, "\(method) \(path)") }
            }
        }
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.wholeMatch(of: /[a-z][A-Za-z]+/) != nil }, "\(names)")
    }

    /// A body that has every member that there is, for each route that takes one.
    private static let bodies: [(String, String, JSONValue)] = [
        ("/dead-letters/{id}/retry", "/dead-letters/1/retry", ["reason": "a test"]),
        ("/dead-letters/{id}/discard", "/dead-letters/1/discard", ["reason": "a test"]),
        ("/dead-letters/{id}/restore", "/dead-letters/1/restore", ["reason": "a test"]),
        ("/dead-letters/{id}/edit", "/dead-letters/1/edit", ["reason": "a test", "data": "x"]),
        ("/dead-letters/{id}/edit", "/dead-letters/1/edit", ["reason": "a test", "envelope": ["id": "1"]]),
        ("/feeds/{name}/restart", "/feeds/inventory/restart", ["after": .integer(0), "reason": "a test"]),
        ("/dead-letter-operations", "/dead-letter-operations", Self.operation),
        ("/dead-letter-operations", "/dead-letter-operations", Self.operation.without("dryRun")),
        (
            "/dead-letter-operations", "/dead-letter-operations",
            ["action": "discard", "filter": ["all": true], "reason": "a test"]
        ),
        ("/dead-letter-operations/{id}/pause", "/dead-letter-operations/1/pause", ["reason": "a test"]),
        ("/dead-letter-operations/{id}/resume", "/dead-letter-operations/1/resume", ["reason": "a test"]),
        ("/dead-letter-operations/{id}/cancel", "/dead-letter-operations/1/cancel", ["reason": "a test"]),
    ]

    private static let operation: JSONValue = [
        "action": "retry", "limit": 5, "rate": .number(2.5), "ramp": 30, "reason": "a test", "dryRun": true,
        "filter": [
            "type": ["a"], "error": "e", "state": "dead", "subject": "s", "from": "2026-01-01T00:00:00Z",
            "until": "2026-01-02T00:00:00Z", "text": "t",
        ],
    ]

    @Test("The bodies that these tests send have all members that are described")
    func wholeBodies() {
        for (path, item) in document["paths"]?.object ?? [:] {
            guard let described = item["post"] else { continue }
            let content = document.resolving(described["requestBody"])?["content", "application/json"]
            let sent = Self.bodies.filter { $0.0 == path }.map { Set($0.2.object?.keys.map { $0 } ?? []) }
            #expect(sent.reduce([]) { $0.union($1) } == names(content?["schema"]), "\(path)")
        }
        let filters = document["components", "schemas", "OperationFilter", "oneOf"].elements
        let described = filters.reduce(into: Set<String>()) { $0.formUnion(names($1)) }
        #expect(described == Set(Self.operation["filter"]?.object?.keys.map { $0 } ?? []).union(["all"]))
    }

    @Test("A body in which anything is null, of another type or unknown is 422 that names it, in every request")
    func mutations() async throws {
        try await withRoutes { _, router in
            var count = 0
            for (pattern, path, body) in Self.bodies {
                let content = document.resolving(operation("POST", pattern)?["requestBody"])?["content"]
                let rules = content?["application/json"]?["schema"]
                #expect(try schema.faults(body, rules) == [], "\(path)")
                // A payload may be anything but null.
                for mutation in BodyMutation.all(of: body) where Self.isFault(mutation) {
                    let response = await Self.send("POST", path, mutation.body, router)
                    #expect(response.status == 422, "\(path): \(mutation)")
                    let named = try JSONValue(parsing: response.body)["errors"].elements.compactMap {
                        $0["field"]?.text
                    }
                    #expect(
                        named.contains { mutation.path.hasPrefix($0) && !$0.isEmpty },
                        "\(path): \(mutation): \(named)"
                    )
                    #expect(try schema.faults(mutation.body, rules) != [], "\(path): \(mutation)")
                    count += 1
                }
            }
            #expect(count > 150)
            #expect(table.asked.value.isEmpty && table.plans.value.isEmpty, "something was done")
        }
    }

    private static func isFault(_ mutation: BodyMutation) -> Bool {
        switch mutation.path {
        case "data": mutation.body["data"] == nil
        case "envelope": mutation.body["envelope"]?.object == nil
        case _ where mutation.path.hasPrefix("envelope."): false
        // One text and a list of texts are the same condition.
        case "filter.type": mutation.body["filter"]?["type"] != "x"
        default: true
        }
    }

    /// Bodies on both sides of every rule, and whether they are right.
    private static let rules: [(JSONValue, isRight: Bool)] = {
        let base: JSONValue = ["action": "retry", "filter": ["all": true], "reason": "r"]
        func with(_ name: String, _ value: JSONValue?, action: JSONValue = "retry") -> JSONValue {
            var body = base.without(name)
            body["action"] = action
            if let value { body[name] = value }
            return body
        }
        func long(_ count: Int) -> JSONValue { .string(String(repeating: "e\u{301}", count: count / 2)) }
        func list(_ count: Int) -> JSONValue { .array(Array(repeating: "a", count: count)) }
        return [
            (base, true), (with("reason", nil), false), (with("reason", " \u{2003} "), false),
            (with("reason", " r "), true), (with("reason", long(1000)), true), (with("reason", long(1002)), false),
            (with("reason", "a\nb"), false), (with("reason", "a\u{85}b"), false), (with("reason", "a\u{2028}b"), false),
            (with("reason", "a\r\nb"), false), (with("reason", "\u{1}"), false), (with("reason", "\ta"), false),
            (["action": "retry", "filter": ["all": true], "dryRun": true], true),
            (["action": "retry", "filter": ["all": true], "dryRun": true, "reason": ""], true),
            (["action": "retry", "filter": ["all": true], "dryRun": false], false),
            (with("limit", 0), false), (with("limit", 1), true), (with("limit", 1_000_000_000), true),
            (with("limit", 1_000_000_001), false), (with("limit", .number(1.5)), false),
            (with("rate", .number(0.009)), false), (with("rate", .number(0.01)), true), (with("rate", 1_000_000), true),
            (with("rate", 1_000_001), false), (with("ramp", 1), false),
            (["action": "retry", "filter": ["all": true], "reason": "r", "rate": 1, "ramp": 0], true),
            (["action": "retry", "filter": ["all": true], "reason": "r", "rate": 1, "ramp": 86_400], true),
            (["action": "retry", "filter": ["all": true], "reason": "r", "rate": 1, "ramp": 86_401], false),
            (["action": "retry", "filter": ["all": true], "reason": "r", "rate": 1, "ramp": -1], false),
            (with("filter", [:]), false), (with("filter", ["all": false]), false),
            (with("filter", ["all": true, "text": "t"]), false), (with("filter", ["all": false, "text": "t"]), false),
            (with("filter", ["text": "t"]), true), (with("filter", ["text": ""]), false),
            (with("filter", ["error": ""]), false), (with("filter", ["subject": ""]), false),
            (with("filter", ["type": "a"]), true), (with("filter", ["type": ""]), false),
            (with("filter", ["type": []]), false), (with("filter", ["type": [""]]), false),
            (with("filter", ["type": list(100)]), true), (with("filter", ["type": list(101)]), false),
            (with("filter", ["type": "a", "state": "dead"]), true),
            (with("filter", ["type": "a", "state": ["dead"]]), true),
            (with("filter", ["type": "a", "state": ["dead", "dead"]]), false),
            (with("filter", ["type": "a", "state": []]), false),
            (with("filter", ["type": "a", "state": "discarded"]), false),
            (with("filter", ["type": "a", "state": "discarded"], action: "restore"), true),
            (with("filter", ["type": "a", "state": "dead"], action: "restore"), false),
            (with("filter", ["type": "a", "state": "dead"], action: "discard"), true),
            (with("action", "edit", action: "edit"), false),
        ]
    }()

    @Test("A rule of the code is one of the schema, and the other way round")
    func sameRules() async throws {
        try await withRoutes { _, router in
            for (body, isRight) in Self.rules {
                let text = String(decoding: body.bytes, as: UTF8.self)
                let response = await Self.send("POST", "/dead-letter-operations", body, router)
                #expect((response.status < 300) == isRight, "the code: \(text)")
                let rules = document["components", "schemas", "OperationRequest"]
                let faults = try schema.faults(body, rules)
                #expect(faults.isEmpty == isRight, "the schema: \(text)")
            }
        }
    }

    @Test("A query that is misspelt, empty, doubled or no number is 422, and one that its schema has is not")
    func queries() async throws {
        let table: [(String, String, String, isRight: Bool)] = [
            ("/dead-letters", "limit", "500", true), ("/dead-letters", "limit", "501", false),
            ("/dead-letters", "limit", "+5", false), ("/dead-letters", "limit", "", false),
            ("/dead-letters", "after", "17", true), ("/dead-letters", "after", "017", false),
            ("/dead-letters", "after", "+17", false), ("/dead-letters", "after", "x", false),
            ("/dead-letters", "type", "", false), ("/dead-letters", "error", "", false),
            ("/dead-letters", "subject", "", false), ("/dead-letters", "text", "", false),
            ("/dead-letters", "state", "held", true), ("/dead-letters", "state", "", false),
            ("/dead-letters", "state", "lost", false), ("/audit", "after", "0", false), ("/audit", "after", "1", true),
            ("/dead-letter-operations", "after", "-1", false), ("/events", "limit", "1000", true),
            ("/events", "limit", "1001", false), ("/events", "after", "end", true), ("/events", "after", "-1", false),
            ("/events", "wait", "31", false), ("/events", "subject", "", false), ("/events", "source", "s", true),
        ]
        try await withRoutes { _, router in
            for (path, name, value, isRight) in table {
                let response = await Self.send("GET", path, nil, router, query: [(name, value)])
                #expect(response.status == (isRight ? 200 : 422), "\(path)?\(name)=\(value)")
                let parameters = (operation("GET", path)?["parameters"]).elements.compactMap { document.resolving($0) }
                let rules = document.resolving(parameters.first { $0["name"]?.text == name }?["schema"])
                var read: JSONValue = .string(value)
                switch rules?["type"]?.text {
                case "integer": if value.first != "+", let number = Int64(value) { read = .integer(number) }
                case "array": read = .array([.string(value)])
                default: break
                }
                let faults = try schema.faults(read, rules)
                #expect(faults.isEmpty == isRight, "the schema: \(path)?\(name)=\(value)")
            }
            for path in ["/events/types", "/backlog", "/dead-letters/1", "/dead-letter-operations/1"] {
                let response = await Self.send("GET", path, nil, router, query: [("typo", "1")])
                #expect(response.status == 422, "\(path)")
            }
        }
    }

    @Test("Every answer that is described has a schema that can be checked")
    func schemas() throws {
        for (path, item) in document["paths"]?.object ?? [:] {
            for (method, operation) in item.object ?? [:] {
                for (status, answer) in operation["responses"]?.object ?? [:] {
                    let content = document.resolving(answer)?["content"]?.object ?? [:]
                    #expect(!content.isEmpty, "\(method) \(path) \(status)")
                    for media in content.values {
                        #expect(document.resolving(media["schema"]) != nil, "\(method) \(path) \(status)")
                    }
                }
            }
        }
    }

    /// The members that a schema names.
    private func names(_ rules: JSONValue?) -> Set<String> {
        let rules = document.resolving(rules)
        let parts = (rules?["allOf"]).elements.map { names($0) }
        return parts.reduce(Set((rules?["properties"]?.object ?? [:]).keys)) { $0.union($1) }
    }

    private static func send(
        _ method: String,
        _ path: String,
        _ body: JSONValue?,
        _ router: Router,
        query: [(name: String, value: String)] = []
    ) async -> HTTPResponse {
        var request = HTTPRequest(method: method, path: path)
        request.query = query
        request.isLoopback = true
        if let body {
            request.headers["Content-Type"] = "application/json"
            request.body = body.bytes
        }
        return await router.respond(to: request, logger: .silent)
    }
}

private struct Rang: Event {
    static let type: EventType = "dev.warren.test.rang"
    var subject: String
}
