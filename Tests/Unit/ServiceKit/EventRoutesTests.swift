import Database
import Events
import Foundation
import HTTP
import Telemetry
import Testing

@testable import Messaging
@testable import ServiceKit

private struct Rang: Event {
    static let type: EventType = "dev.warren.test.rang"
    var subject: String
    var number: Int
}

/// An event store with its API on a free port of this machine.
private struct EventService: Sendable {
    let database: Database
    let events: EventStore
    let log: EventLog
    let url: String
    let client = HTTPClient()

    func append(_ count: Int, to subject: String = "a b") async throws {
        for number in 1...count {
            try await events.write { try $0.append(Rang(subject: subject, number: number)) }
        }
    }

    func get(_ query: String, headers: HTTPHeaders = [:]) async throws -> HTTPClient.Response {
        var request = HTTPClient.Request("GET", url + "/events" + query)
        request.headers = headers
        return try await client.send(request)
    }
}

private func withEventService(
    token: String? = nil,
    _ body: @escaping @Sendable (EventService) async throws -> Void
) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUIDv7.make())")
    defer { try? FileManager.default.removeItem(at: folder) }
    let database = try await Database.open(
        "sqlite:\(folder.path)/test.db",
        migrations: [MessagingRuntime.migrations],
        logger: .silent
    )
    let events = EventStore(database: database, source: "/ringing", limits: .standard, onCommit: { _ in })
    let log = EventLog(database: database, bell: events.bell)
    let routes = EventRoutes(service: "ringing", log: log)
    let router = try RouterAssembly.router(of: routes.routes, operatorToken: token, metrics: MetricsRegistry())
    let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
    let serving = Task { try await server.run() }
    let url = "http://127.0.0.1:\(try await server.port())"
    let service = EventService(database: database, events: events, log: log, url: url)
    let result: Result<Void, any Error>
    do {
        result = .success(try await body(service))
    } catch {
        result = .failure(error)
    }
    service.client.close()
    serving.cancel()
    try await serving.value
    await database.close()
    try result.get()
}

@Suite("The event API", .timeLimit(.minutes(5)))
struct EventRoutesTests {
    @Test("answers the stored bytes as a batch, with the next position in a header and in a link")
    func batch() async throws {
        try await withEventService { service async throws in
            try await service.append(3)
            let stored: [[UInt8]] = try await service.database.read { transaction in
                try transaction.query("SELECT envelope FROM warren_events ORDER BY position").map { try $0[0] }
            }
            let answer = try await service.get("?limit=2&subject=a%20b&wait=0")
            #expect(answer.status == 200)
            #expect(answer.headers["Content-Type"] == "application/cloudevents-batch+json; charset=utf-8")
            #expect(answer.body == Array("[".utf8) + stored[0] + Array(",".utf8) + stored[1] + Array("]".utf8))
            #expect(answer.headers["Warren-Next-Position"] == "2")
            #expect(answer.headers["Warren-Head-Position"] == "3")
            #expect(answer.headers["Link"] == "</events?after=2&limit=2&subject=a%20b&wait=0>; rel=\"next\"")
            let next = try await service.get("?after=2&limit=2&subject=a%20b&wait=0")
            #expect(next.body == Array("[".utf8) + stored[2] + Array("]".utf8))
            #expect(try await service.get("?after=end").body == Array("[]".utf8))
        }
    }

    @Test(
        "names every parameter that is wrong",
        arguments: [
            ("?after=-1", ["after"]), ("?after=x&limit=0", ["after", "limit"]), ("?limit=1001", ["limit"]),
            ("?wait=31", ["wait"]), ("?wait=1.5", ["wait"]), ("?subject=", ["subject"]), ("?type=", ["type"]),
            ("?limit=1&limit=2", ["limit"]), ("?tpye=x", ["tpye"]), ("?after=99", ["after"]),
            ("?after=9223372036854775808", ["after"]), ("/types?x=1", ["x"]),
        ]
    )
    func faults(query: String, fields: [String]) async throws {
        try await withEventService { service async throws in
            try await service.append(1)
            let answer = try await service.get(query)
            #expect(answer.status == 422)
            #expect(answer.headers["Content-Type"] == "application/problem+json")
            let object = try JSONSerialization.jsonObject(with: Data(answer.body)) as? [String: Any]
            let errors = object?["errors"] as? [[String: Any]] ?? []
            #expect(errors.compactMap { $0["field"] as? String }.sorted() == fields)
        }
    }

    @Test("answers 410 once retention has passed the position, and says from where there is something")
    func gone() async throws {
        try await withEventService { service async throws in
            try await service.append(3)
            try await service.database.write { transaction in
                _ = try transaction.execute(
                    "INSERT INTO warren_offsets (name, position, updated_at) VALUES ('retention', 2, 0)"
                )
            }
            let answer = try await service.get("?after=1")
            #expect(answer.status == 410)
            #expect(answer.headers["Warren-Gone-Through"] == "2")
            #expect(try await service.get("?after=2").status == 200)
            let transport = HTTPFeedTransport(url: service.url, token: nil, client: service.client)
            await #expect(throws: FeedError.gone(through: 2)) {
                try await transport.page(FeedRequest(after: 0, limit: 10, types: [], wait: .zero))
            }
            await #expect(throws: FeedError.ahead) {
                try await transport.page(FeedRequest(after: 9, limit: 10, types: [], wait: .zero))
            }
        }
    }

    @Test("holds a request until a commit, and lets it go when the service stops")
    func longPoll() async throws {
        try await withEventService { service async throws in
            async let answer = service.get("?wait=30")
            try await Self.until { service.events.bell.waiterCount == 1 }
            try await service.append(1)
            #expect(try await answer.headers["Warren-Next-Position"] == "1")
            async let last = service.get("?after=1&wait=30")
            try await Self.until { service.events.bell.waiterCount == 1 }
            service.log.stopWaiting()
            #expect(try await last.status == 200)
        }
    }

    @Test("is open to whoever has the operations token, and to nobody else")
    func access() async throws {
        try await withEventService(token: "secret-secret-secret") { service async throws in
            #expect(try await service.get("").status == 401)
            #expect(try await service.get("/types").status == 401)
            #expect(try await service.get("", headers: ["Authorization": "Bearer secret-secret-secret"]).status == 200)
            let locked = HTTPFeedTransport(url: service.url, token: nil, client: service.client)
            await #expect(throws: FeedError.self) {
                try await locked.page(FeedRequest(after: 0, limit: 10, types: [], wait: .zero))
            }
        }
    }

    @Test("counts the types in the store")
    func types() async throws {
        try await withEventService { service async throws in
            try await service.append(2)
            let answer = try await service.get("/types").decode(OperationsAPI.EventTypes.self)
            #expect(answer.items == [.init(type: "dev.warren.test.rang", count: 2)])
        }
    }

    @Test("feeds a client over HTTP")
    func feed() async throws {
        try await withEventService(token: "secret-secret-secret") { service async throws in
            try await service.append(3)
            let transport = HTTPFeedTransport(
                url: service.url + "/",
                token: "secret-secret-secret",
                client: service.client
            )
            let types = ["dev.warren.test.rang", "dev.warren.test.other&x"]
            let page = try await transport.page(FeedRequest(after: 1, limit: 10, types: types, wait: .zero))
            #expect(page.next == 3 && page.head == 3)
            #expect(try page.batch.map { try Envelope(decoding: $0).sequence } == [2, 3])
            let waiting = try await transport.page(FeedRequest(after: 3, limit: 10, types: types, wait: .seconds(1)))
            #expect(waiting == FeedPage(batch: [], next: 3, head: 3))
        }
    }

    private static func until(_ condition: () -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition() {
            guard .now < deadline else { throw CancellationError() }
            await Signal().wait(until: .now + .milliseconds(2))
        }
    }
}
