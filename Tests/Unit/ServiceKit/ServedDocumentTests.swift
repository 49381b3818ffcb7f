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
                #expect(names("path") == (route.pattern.contains("{id}") ? ["id"] : []), "\(name)")
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
