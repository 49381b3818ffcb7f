import HTTP
import Telemetry
import Testing

@testable import ServiceKit

@Suite("Health")
struct HealthTests {
    private static func router(_ probes: [Readiness.Probe], limit: Duration = .seconds(10)) throws -> Router {
        let metrics = MetricsRegistry()
        let health = HealthRoutes(
            readiness: Readiness(probes: probes, limit: limit),
            metrics: metrics,
            metricsAccess: .anyone,
            refreshMetrics: { metrics.gauge("refreshed", help: "R.").set(1) }
        )
        return try RouterAssembly.router(of: health.probes + health.gauges, metrics: metrics)
    }

    private static func get(_ path: String, verbose: Bool = false, _ router: Router) async -> HTTPResponse {
        var request = HTTPRequest(method: "GET", path: path)
        if verbose { request.query = [(name: "verbose", value: "")] }
        return await router.respond(to: request, logger: .silent)
    }

    private static func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    private static let well = Readiness.Probe.single("database") { nil }
    private static let broker = Readiness.Probe(name: "broker") {
        [
            .init(name: "broker.publisher", problem: "connecting\nto amqp://h"),
            .init(name: "broker.consumer", problem: nil),
        ]
    }

    @Test("is alive while the process answers, whatever else is wrong")
    func alive() async throws {
        let response = await Self.get("/livez", try Self.router([Self.broker]))
        #expect(response.status == 200)
        #expect(Self.text(response) == "ok")
    }

    @Test("is ready when every check is well")
    func ready() async throws {
        let response = await Self.get("/readyz", try Self.router([Self.well]))
        #expect(response.status == 200)
        #expect(Self.text(response) == "ready\n")
        #expect(response.headers["Content-Type"] == "text/plain; charset=utf-8")
    }

    @Test("is not ready while a check fails, and names the failing ones, a line each")
    func notReady() async throws {
        let response = await Self.get("/readyz", try Self.router([Self.well, Self.broker]))
        #expect(response.status == 503)
        #expect(Self.text(response) == "[-] broker.publisher: connecting to amqp://h\n")
    }

    @Test("is ready with what is said only, which stands where all checks are asked for")
    func advisory() async throws {
        let stalled = Readiness.Probe(name: "broker") {
            [.init(name: "broker.confirms", problem: "no confirm of order.placed", isAdvisory: true)]
        }
        let router = try Self.router([Self.well, stalled])
        let plain = await Self.get("/readyz", router)
        #expect(plain.status == 200)
        #expect(Self.text(plain) == "ready\n")
        let verbose = await Self.get("/readyz", verbose: true, router)
        #expect(verbose.status == 200)
        #expect(Self.text(verbose) == "[+] database ok\n[!] broker.confirms: no confirm of order.placed\nready\n")
    }

    @Test("names every check when asked to be verbose")
    func verbose() async throws {
        let failing = await Self.get("/readyz", verbose: true, try Self.router([Self.well, Self.broker]))
        #expect(failing.status == 503)
        #expect(
            Self.text(failing)
                == "[+] database ok\n[-] broker.publisher: connecting to amqp://h\n[+] broker.consumer ok\n"
        )
        let ready = await Self.get("/readyz", verbose: true, try Self.router([Self.well]))
        #expect(ready.status == 200)
        #expect(Self.text(ready) == "[+] database ok\nready\n")
    }

    @Test("does not wait for a check that hangs", .timeLimit(.minutes(5)))
    func hangingCheck() async throws {
        let hanging = Readiness.Probe.single("provider") {
            // Deaf to cancellation, as the worst check is.
            await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
                Stuck.keep(continuation)
            }
            return nil
        }
        let start = ContinuousClock.now
        let response = await Self.get("/readyz", try Self.router([Self.well, hanging], limit: .seconds(2)))
        #expect(start.duration(to: .now) < .seconds(200))
        #expect(response.status == 503)
        #expect(Self.text(response) == "[-] provider: no answer within 2.0 seconds\n")
    }

    @Test("shows the connections, and each reason for which the server closes one")
    func connections() {
        let metrics = MetricsRegistry()
        metrics.registerConnectionMetrics([
            (
                "http",
                {
                    var statistics = HTTPServer.Statistics()
                    statistics.accepted = 9
                    statistics.waiting = 3
                    statistics.active = 2
                    statistics.limit = 512
                    statistics.closed = [.displaced: 4]
                    return statistics
                }
            )
        ])
        let lines = metrics.render().split(separator: "\n")
        for line in [
            #"http_server_connections{server="http",state="waiting"} 3"#,
            #"http_server_connections{server="http",state="active"} 2"#,
            #"http_server_connections_limit{server="http"} 512"#,
            #"http_server_connections_accepted_total{server="http"} 9"#,
            #"http_server_connections_closed_total{reason="displaced",server="http"} 4"#,
            #"http_server_connections_closed_total{reason="slow",server="http"} 0"#,
        ] { #expect(lines.contains(Substring(line))) }
    }

    @Test("shows metrics that were brought up to date, and the requests of each route by status")
    func metrics() async throws {
        let router = try Self.router([Self.broker])
        _ = await Self.get("/readyz", router)
        let response = await Self.get("/metrics", router)
        #expect(response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8")
        let lines = Self.text(response).split(separator: "\n")
        #expect(lines.contains("refreshed 1"))
        let labels = #"http_request_method="GET",http_response_status_code="503",http_route="/readyz""#
        #expect(lines.contains("http_server_requests_total{\(labels)} 1"))
        let histogram = #"{http_request_method="GET",http_route="/readyz"}"#
        #expect(lines.contains("http_server_request_duration_seconds_count\(histogram) 1"))
    }

    @Test("counts what a handler throws under the status that is answered")
    func thrownStatus() async throws {
        struct Unexpected: Error {}
        let metrics = MetricsRegistry()
        let router = try RouterAssembly.router(
            of: [
                Wiring.Route(method: "GET", pattern: "/a", access: .anyone) { _ in
                    throw Problem(.wrongState)
                },
                Wiring.Route(method: "GET", pattern: "/b", access: .anyone) { _ in throw Unexpected() },
            ],
            metrics: metrics
        )
        _ = await Self.get("/a", router)
        _ = await Self.get("/b", router)
        let text = metrics.render()
        #expect(text.contains(#"http_response_status_code="409",http_route="/a"} 1"#))
        #expect(text.contains(#"http_response_status_code="500",http_route="/b"} 1"#))
    }

    @Test("counts requests that no route took under one route, whatever their paths and methods are")
    func unmatched() async throws {
        let metrics = MetricsRegistry()
        let route = Wiring.Route(method: "GET", pattern: "/a", access: .anyone) { _ in .text("a") }
        let router = try RouterAssembly.router(of: [route], metrics: metrics)
        for number in 1...3 {
            _ = await Self.get("/nowhere/\(number)", router)
            let request = HTTPRequest(method: "MADE-UP-\(number)", path: "/a")
            _ = await router.respond(to: request, logger: .silent)
        }
        _ = await router.respond(to: HTTPRequest(method: "POST", path: "/a"), logger: .silent)
        router.onRefusal("GET", 400)
        let lines = metrics.render().split(separator: "\n").filter { !$0.hasPrefix("#") }
        func counted(_ method: String, _ status: Int, _ count: Int) -> Substring {
            let labels =
                #"http_request_method="\#(method)",http_response_status_code="\#(status)",http_route="unmatched""#
            return "http_server_requests_total{\(labels)} \(count)"
        }
        #expect(
            Set(lines) == [
                counted("GET", 404, 3), counted("_OTHER", 405, 3), counted("POST", 405, 1), counted("GET", 400, 1),
            ]
        )
    }

    @Test("cannot be overridden by a route of the service")
    func conflicts() {
        let routes = ["/orders/{id}", "/orders/{order}"].map { pattern in
            Wiring.Route(method: "GET", pattern: pattern, access: .anyone) { _ in .text("") }
        }
        #expect(throws: RouterAssembly.Conflict.self) {
            _ = try RouterAssembly.router(of: routes, metrics: MetricsRegistry())
        }
    }
}

/// Keeps continuations that nobody resumes, so that their tasks hang.
enum Stuck {
    private final class Store: Sendable {
        let kept = MutexBox<[CheckedContinuation<Void, Never>]>([])
    }

    private static let store = Store()

    static func keep(_ continuation: CheckedContinuation<Void, Never>) {
        store.kept.change { $0.append(continuation) }
    }
}
