import Database
import Events
import Foundation
import HTTP
import Messaging
import Telemetry
import TestSupport
import Testing

@testable import ServiceKit

/// Each test runs a service in a process of its own, with the real database, messaging and HTTP; the broker is away.
@Suite("The process of a service", .serialized, .timeLimit(.minutes(5)))
struct ProcessTests {
    @Test("serves health, metrics and operations without a broker, and ends with 0 on SIGTERM")
    func orderlyEnd() async throws {
        let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardErrorContent]) {
            await TestService.run { context, ports in
                context.route("GET", "/hello") { _ in .text("hello") }
                context.readinessCheck("provider") { nil }
                context.onClose { context.logger.info("the hook ran") }
                context.background("visitor") {
                    let client = HTTPClient()
                    func get(_ path: String, at port: Int) async throws -> (status: Int, text: String) {
                        let response = try await client.send(.init("GET", "http://127.0.0.1:\(port)\(path)"))
                        return (response.status, String(decoding: response.body, as: UTF8.self))
                    }
                    #expect(try await get("/livez", at: ports.http) == (200, "ok"))
                    #expect(try await get("/hello", at: ports.http) == (200, "hello"))
                    // What is an operator's is not on the public address.
                    for path in ["/dead-letters", "/events", "/audit", "/backlog", "/metrics"] {
                        #expect(try await get(path, at: ports.http).status == 404, "\(path)")
                    }
                    #expect(try await get("/hello", at: ports.operations).status == 404)
                    #expect(try await get("/openapi.yaml", at: ports.http) == (200, "openapi: 3.1.0\n"))
                    #expect(try await get("/openapi.yaml", at: ports.operations).text.contains("/dead-letters:"))
                    #expect(try await get("/livez", at: ports.operations).status == 200)
                    let ready = try await get("/readyz?verbose", at: ports.http)
                    #expect(ready.status == 503)
                    #expect(ready.text.hasPrefix("[+] database ok\n[-] broker.publisher: "))
                    #expect(ready.text.hasSuffix("[+] provider ok\n"))
                    let failing = try await get("/readyz", at: ports.http).text
                    #expect(failing.contains("[-] broker.consumer: ") && !failing.contains("database"))
                    let letters = try await get("/dead-letters", at: ports.operations)
                    #expect(letters == (200, #"{"service":"test","items":[],"next":null,"complete":true}"#))
                    let backlog = try await get("/backlog", at: ports.operations).text
                    #expect(backlog.contains(#""oldestUnforwardedAge":null"#))
                    #expect(try await get("/audit", at: ports.operations).status == 200)
                    #expect(try await get("/dead-letters/groups", at: ports.operations).status == 200)
                    #expect(try await get("/dead-letters/1", at: ports.operations).status == 404)
                    let metrics = try await get("/metrics", at: ports.operations).text
                    for line in [
                        #"messaging_client_published_messages_total{messaging_system="rabbitmq"} 0"#,
                        "warren_oldest_unforwarded_age_seconds 0", "warren_held_deliveries 0",
                        #"warren_dead_letters{type="dev.warren.test.happened"} 0"#,
                        #"warren_build_info{service="test",version="\#(Warren.version)"} 1"#,
                        #"http_server_requests_total{http_request_method="GET","#
                            + #"http_response_status_code="200",http_route="/hello"} 1"#,
                    ] {
                        #expect(metrics.contains("\n\(line)\n"), "\(line)")
                    }
                    #expect(metrics.contains("\nwarren_database_commits_total "))
                    #expect(metrics.contains("\nprocess_resident_memory_bytes "))
                    client.close()
                    kill(getpid(), SIGTERM)
                }
            }
        }
        let lines = try Self.lines(of: result)
        let messages = lines.compactMap { $0["message"] as? String }
        #expect(messages.first == "the program starts")
        #expect(messages.last == "the program has stopped")
        #expect(messages.contains("the program serves") && messages.contains("the hook ran"))
        let start = try #require(lines.first)
        #expect(start["messaging.broker"] as? String == "amqp://guest@127.0.0.1:1/")
        #expect(start["service.version"] as? String == Warren.version)
        #expect(!lines.contains { $0["level"] as? String == "error" })
    }

    @Test("hears a signal that comes at the moment at which it begins to listen")
    func earlySignal() async {
        await #expect(processExitsWith: .exitCode(7)) {
            alarm(120)
            // Nobody runs a new thread at once.
            for _ in 0..<32 { Thread.detachNewThread { while true {} } }
            let stop = StopSignal()
            let handler = SignalHandler(stop: stop, logger: .silent)
            stop.onRequest { exit(7) }
            kill(getpid(), SIGTERM)
            try await Task.sleep(for: .seconds(3600))
            withExtendedLifetime(handler) {}
        }
    }

    @Test("ends at once with 1 on a second signal, whatever is still in work")
    func secondSignal() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            await TestService.run(["WARREN_SHUTDOWN_GRACE": "1h"]) { context, _ in
                context.background("impatient") {
                    kill(getpid(), SIGINT)
                    while !Task.isCancelled { await Task.yield() }
                    // Until one of them is no echo of the first any more.
                    while true {
                        kill(getpid(), SIGTERM)
                        await Task.detached { try? await Task.sleep(for: .milliseconds(100)) }.value
                    }
                }
            }
        }
        #expect(try Self.errors(in: result) == ["a second signal ended the program at once"])
    }

    @Test("takes a signal that comes twice at once for one, as supervisors send it, and ends in order")
    func doubledSignal() async throws {
        let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardErrorContent]) {
            await TestService.run([:]) { context, _ in
                context.background("doubled") {
                    kill(getpid(), SIGTERM)
                    kill(getpid(), SIGINT)
                }
            }
        }
        #expect(try Self.errors(in: result) == [])
    }

    @Test("knows an echo from a second wish")
    func wishes() {
        let wishes = SignalHandler.Wishes()
        let start = ContinuousClock.now
        #expect(wishes.next(at: start) == .stop)
        #expect(wishes.next(at: start + .milliseconds(999)) == .same)
        #expect(wishes.next(at: start + .seconds(1)) == .leave)
    }

    @Test("ends with 1 when the grace is over, though every thread of the pool is blocked")
    func blockedPool() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            await TestService.run(["WARREN_SHUTDOWN_GRACE": "500ms"]) { context, _ in
                context.background("blocking") {
                    for _ in 0..<64 { Task { while true { sleep(3600) } } }
                    kill(getpid(), SIGTERM)
                    while true { sleep(3600) }
                }
            }
        }
        #expect(start.duration(to: clock.now) < .seconds(100))
        #expect(try Self.errors(in: result) == ["the grace for an orderly stop is over"])
    }

    @Test("ends with 1 when the grace is over, though nobody reads the log")
    func blockedLog() async {
        await #expect(processExitsWith: .exitCode(1)) {
            await TestService.run(["WARREN_SHUTDOWN_GRACE": "500ms"]) { context, _ in
                context.background("filling") {
                    var ends: [Int32] = [0, 0]
                    pipe(&ends)
                    let flags = fcntl(ends[1], F_GETFL)
                    _ = fcntl(ends[1], F_SETFL, flags | O_NONBLOCK)
                    let filler = [UInt8](repeating: 0, count: 4096)
                    while write(ends[1], filler, filler.count) > 0 {}
                    _ = fcntl(ends[1], F_SETFL, flags)
                    dup2(ends[1], STDERR_FILENO)
                    kill(getpid(), SIGTERM)
                }
            }
        }
    }

    @Test("ends with 1 and says why when its address is taken")
    func takenAddress() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            let socket = TestService.listeningSocket()
            await TestService.run(["WARREN_HTTP_ADDRESS": "127.0.0.1:\(socket.port)"]) { _, _ in }
        }
        let error = try #require(try Self.lines(of: result).first { $0["level"] as? String == "error" })
        #expect(error["part"] as? String == "http")
        #expect((error["error"] as? String)?.contains("127.0.0.1:") == true)
    }

    @Test("ends with 1 and says why when its database cannot be opened")
    func badDatabase() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            await TestService.run(["WARREN_DATABASE_URL": "sqlite:/dev/null/test.db"]) { _, _ in }
        }
        #expect(try Self.errors(in: result) == ["the database cannot be opened"])
    }

    /// A migration that counts so far.
    private static func slowMigration(_ number: Int64) -> MigrationSet {
        MigrationSet(
            "test",
            [
                .init(
                    "slow",
                    """
                    CREATE TABLE slow AS WITH RECURSIVE counted(n) AS (
                        SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < \(number)
                    ) SELECT count(*) AS n FROM counted
                    """
                )
            ]
        )
    }

    /// The answer of a process that may not listen yet.
    private static func answer(_ client: HTTPClient, _ port: Int, _ path: String) async throws -> HTTPClient.Response {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try await client.send(.init("GET", "http://127.0.0.1:\(port)\(path)"))
            } catch  where ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }

    @Test("is alive while its database is migrated, says so, and ends in order when it is stopped then")
    func endlessMigration() async throws {
        let clock = ContinuousClock()
        let start = clock.now
        let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardErrorContent]) {
            await TestService.run(
                migrations: [Self.slowMigration(.max)],
                visit: { port in
                    let client = HTTPClient()
                    #expect(try await Self.answer(client, port, "/livez").status == 200)
                    var ready = try await Self.answer(client, port, "/readyz?verbose")
                    while !String(decoding: ready.body, as: UTF8.self).contains("migrated to test/slow") {
                        #expect(ready.status == 503)
                        ready = try await Self.answer(client, port, "/readyz?verbose")
                    }
                    #expect(ready.status == 503)
                    #expect(
                        String(decoding: ready.body, as: UTF8.self)
                            .hasPrefix("[-] start: the database is being migrated to test/slow, for ")
                    )
                    for path in ["/hello", "/dead-letters", "/metrics"] {
                        let refused = try await Self.answer(client, port, path)
                        #expect(refused.status == 503)
                        #expect(refused.headers["Content-Type"] == "application/problem+json")
                        #expect(refused.headers["Retry-After"] == "1")
                    }
                    kill(getpid(), SIGTERM)
                },
                wire: { _, _ in exit(95) }
            )
        }
        #expect(start.duration(to: clock.now) < .seconds(60), "it waited for its grace")
        #expect(try Self.errors(in: result) == [])
        #expect(try Self.lines(of: result).last?["message"] as? String == "the program has stopped")
    }

    @Test("serves its routes when its database has been migrated")
    func slowStart() async throws {
        let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardErrorContent]) {
            await TestService.run(
                migrations: [Self.slowMigration(1_000_000)],
                visit: { port in
                    let client = HTTPClient()
                    var statuses: Set<Int> = []
                    while !statuses.contains(200) {
                        statuses.insert(try await Self.answer(client, port, "/hello").status)
                    }
                    #expect(statuses == [200, 503])
                    kill(getpid(), SIGTERM)
                },
                wire: { context, _ in context.route("GET", "/hello") { _ in .text("hello") } }
            )
        }
        #expect(try Self.errors(in: result) == [])
    }

    @Test("does not touch its database when its address is taken")
    func takenAddressBeforeDatabase() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            let socket = TestService.listeningSocket()
            await TestService.run(["WARREN_HTTP_ADDRESS": "127.0.0.1:\(socket.port)"], mustNotMakeDatabase: true) {
                _,
                _ in
            }
        }
        #expect(try Self.errors(in: result) == ["a part of the program failed"])
    }

    @Test("ends with 1 and says why when its wiring fails")
    func failingWiring() async throws {
        let result = await #expect(processExitsWith: .exitCode(1), observing: [\.standardErrorContent]) {
            await TestService.run { context, _ in
                context.route("GET", "/livez") { _ in .text("mine") }
            }
        }
        let error = try #require(try Self.lines(of: result).first { $0["level"] as? String == "error" })
        #expect(error["error"] as? String == "GET /livez is registered twice")
    }

    @Test("ends with 2 on bad settings, all named, and has not even made its database")
    func badSettings() async throws {
        let result = await #expect(processExitsWith: .exitCode(2), observing: [\.standardErrorContent]) {
            await TestService.run(["WARREN_PREFETCH": "x", "WARREN_LOG_FORMAT": "y"], mustNotMakeDatabase: true) {
                _,
                _ in
            }
        }
        let text = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(text.contains("test-service: WARREN_PREFETCH: ") && text.contains("test-service: WARREN_LOG_FORMAT: "))
    }

    @Test("without database and messaging serves and ends alike")
    func server() async throws {
        let result = await #expect(processExitsWith: .exitCode(0), observing: [\.standardErrorContent]) {
            alarm(120)
            let port = TestService.freePort()
            let run = ServerRun(
                name: "sandbox",
                summary: "The outside world.",
                httpPort: port,
                declarations: [],
                problems: [],
                process: .current(arguments: ["sandbox"], environment: [:]),
                wire: { context in
                    context.background("visitor") {
                        let client = HTTPClient()
                        let response = try await client.send(.init("GET", "http://127.0.0.1:\(port)/readyz"))
                        #expect(response.status == 200)
                        let letters = try await client.send(.init("GET", "http://127.0.0.1:\(port)/dead-letters"))
                        #expect(letters.status == 404)
                        client.close()
                        kill(getpid(), SIGINT)
                    }
                }
            )
            exit(await run.run())
        }
        #expect(try Self.lines(of: result).last?["message"] as? String == "the program has stopped")
    }

    /// The log lines of a process; what is no JSON is not of the log.
    private static func lines(of result: ExitTest.Result?) throws -> [[String: Any]] {
        try #require(result).standardErrorContent.split(separator: UInt8(ascii: "\n")).compactMap { line in
            try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
        }
    }

    private static func errors(in result: ExitTest.Result?) throws -> [String] {
        try lines(of: result).filter { $0["level"] as? String == "error" }.compactMap { $0["message"] as? String }
    }
}

/// A service for one test, with a folder of its own.
enum TestService {
    static func run(
        _ environment: [String: String] = [:],
        mustNotMakeDatabase: Bool = false,
        migrations: [MigrationSet] = [],
        visit: (@Sendable (_ port: Int) async throws -> Void)? = nil,
        wire: @escaping @Sendable (ServiceContext, _ ports: (http: Int, operations: Int)) async throws -> Void
    ) async -> Never {
        // What hangs is ended by the kernel, and so fails its test.
        alarm(120)
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUID())")
        do {
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        } catch {
            exit(98)
        }
        let ports = (http: freePort(), operations: freePort())
        let defaults = [
            "WARREN_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/",
            "WARREN_DATABASE_URL": "sqlite:\(folder.path)/test.db",
            "WARREN_HTTP_ADDRESS": "127.0.0.1:\(ports.http)",
            "WARREN_OPERATIONS_ADDRESS": "127.0.0.1:\(ports.operations)",
            "WARREN_SHUTDOWN_GRACE": "60s",
        ]
        if let visit {
            Task {
                do {
                    try await visit(ports.http)
                } catch {
                    Issue.record(error)
                    exit(96)
                }
            }
        }
        var description = ServiceDescription(
            name: "test",
            summary: "A service under test.",
            httpPort: ports.http,
            topology: Topology([Topology.Subscription("test", to: ["dev.warren.test.happened"])]),
            migrations: migrations
        )
        description.openAPI = Array("openapi: 3.1.0\n".utf8)
        let run = ServiceRun(
            description: description,
            process: .current(
                arguments: ["test-service"],
                environment: defaults.merging(environment) { $1 }
            ),
            wire: { try await wire($0, ports) }
        )
        let code = await run.run()
        let hasDatabase = FileManager.default.fileExists(atPath: "\(folder.path)/test.db")
        try? FileManager.default.removeItem(at: folder)
        exit(mustNotMakeDatabase && hasDatabase ? 97 : code)
    }

    static func freePort() -> Int {
        // Not one that the system chose: it would give it to the next socket that asks.
        guard let port = try? FreePort.next() else { exit(99) }
        return Int(port)
    }

    static func listeningSocket() -> (descriptor: Int32, port: Int) {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                guard bind(descriptor, pointer, length) == 0, listen(descriptor, 1) == 0,
                    getsockname(descriptor, pointer, &length) == 0
                else { exit(99) }
            }
            return Int(UInt16(bigEndian: pointer.pointee.sin_port))
        }
        return (descriptor, port)
    }
}
