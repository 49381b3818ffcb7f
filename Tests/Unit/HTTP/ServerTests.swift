import Foundation
import HTTP
import Synchronization
import Telemetry
import Testing

@Suite("A server keeps to HTTP and to its limits", .timeLimit(.minutes(5)))
struct ServerTests {
    /// Containers often have no IPv6, not even on loopback.
    private static let machineHasIPv6 =
        (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8))?.contains(" lo\n") ?? false

    static func routes(_ router: inout Router) {
        router.on("GET", "/hello") { _ in .text("hello") }
        router.on("POST", "/length") { .text("\($0.body.count)") }
        router.on("GET", "/things/{name}") { .text($0.parameters["name"] ?? "") }
        router.on("GET", "/query") { .text($0.query.map { "\($0.name)=\($0.value)" }.joined(separator: ";")) }
        router.on("DELETE", "/hello") { _ in HTTPResponse(status: 204) }
    }

    /// Sends the text and reads until the server closes.
    static func exchange(_ port: Int, _ text: String) async throws -> String {
        let socket = try await RawSocket.connect(port)
        try await socket.send(text)
        return try await socket.receiveAll()
    }

    @Test("One connection carries request after request, pipelined ones too")
    func keepAlive() async throws {
        try await withServer(routes: Self.routes) { port in
            let socket = try await RawSocket.connect(port)
            try await socket.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            let first = try await socket.receive(until: "\r\n\r\nhello")
            #expect(first.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(first.contains("Content-Length: 5\r\n"))
            #expect(first.contains("Date: "))
            try await socket.send(
                "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"
                    + "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            let rest = try await socket.receiveAll()
            #expect(rest.contains("\r\n\r\n3HTTP/1.1 200 OK\r\n"))
            #expect(rest.hasSuffix("\r\n\r\nhello"))
        }
    }

    @Test("HEAD is answered like GET, without the body; 204 has none")
    func head() async throws {
        try await withServer(routes: Self.routes) { port in
            let head = try await Self.exchange(port, "HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(head.contains("Content-Length: 5\r\n"))
            #expect(head.hasSuffix("\r\n\r\n"))
            let deleted = try await Self.exchange(
                port,
                "DELETE /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            #expect(deleted.hasPrefix("HTTP/1.1 204 "))
            #expect(deleted.hasSuffix("\r\n\r\n"))
        }
    }

    @Test(
        "A target that cannot be decoded is 400",
        arguments: [
            "/things/%", "/things/%2", "/things/%zz", "/things/%00", "/things/%ff", "/query?a=%g1", "/query?a=%00",
            "things", "/things/a\0b", "/things/a\0", "/things/a?\0",
        ]
    )
    func badTargets(target: String) async throws {
        try await withServer(routes: Self.routes) { port in
            let answer = try await Self.exchange(port, "GET \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(answer.contains("application/problem+json"))
            #expect(answer.contains("/problems/malformed-request"))
        }
    }

    @Test("The absolute form of a target is taken, where it names the same host")
    func absoluteForm() async throws {
        try await withServer(routes: Self.routes) { port in
            let answer = try await Self.exchange(
                port,
                "GET http://somewhere:80/query?a=b HTTP/1.1\r\nHost: Somewhere:80\r\nConnection: close\r\n\r\n"
            )
            #expect(answer.hasSuffix("\r\n\r\na=b"))
        }
    }

    @Test("A body over the limit is 413 before it is sent, when its length is stated")
    func statedLength() async throws {
        var limits = HTTPServer.Limits()
        limits.bodySize = 1000
        try await withServer(limits: limits, routes: Self.routes) { port in
            let answer = try await Self.exchange(
                port,
                "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            #expect(answer.contains("/problems/body-too-large"))
            let waiting = try await Self.exchange(
                port,
                "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n"
            )
            #expect(waiting.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("Who sends a large body to its end before reading gets the 413 too, no reset")
    func largeBodyWithoutReading() async throws {
        try await withServer(routes: Self.routes) { port in
            let socket = try await RawSocket.connect(port)
            try await socket.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: \(4 << 20)\r\n\r\n")
            for _ in 0..<64 { try await socket.send([UInt8](repeating: 65, count: 64 << 10)) }
            let answer = try await socket.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("A client that sends a large body all the same reads the 413")
    func largeBody() async throws {
        let client = HTTPClient()
        try await withServer(routes: Self.routes) { port in
            for _ in 0..<10 {
                var request = HTTPClient.Request("POST", "http://127.0.0.1:\(port)/length")
                request.body = [UInt8](repeating: 65, count: 4 << 20)
                let refused = try await client.send(request)
                #expect(refused.status == 413)
                request.body = [UInt8](repeating: 65, count: 1 << 20)
                let taken = try await client.send(request)
                #expect(taken.text == "\(1 << 20)")
            }
        }
    }

    @Test("A streamed body over the limit is 413 while it is sent")
    func streamedBody() async throws {
        var limits = HTTPServer.Limits()
        limits.bodySize = 1000
        try await withServer(limits: limits, routes: Self.routes) { port in
            let socket = try await RawSocket.connect(port)
            try await socket.send("POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            let chunk = "1f4\r\n" + String(repeating: "a", count: 500) + "\r\n"
            try await socket.send(chunk + chunk)
            try await socket.send("1\r\na\r\n")
            let answer = try await socket.receive(until: "body-too-large")
            #expect(answer.hasPrefix("HTTP/1.1 413 "))
            let within = try await Self.exchange(
                port,
                "POST /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                    + chunk + chunk + "0\r\n\r\n"
            )
            #expect(within.hasSuffix("\r\n\r\n1000"))
        }
    }

    @Test("Headers over the limit are 431", arguments: [17 << 10, 40 << 10, 200 << 10])
    func largeHeaders(size: Int) async throws {
        try await withServer(routes: Self.routes) { port in
            let socket = try await RawSocket.connect(port)
            // The server may answer and close before all of it has been sent.
            try? await socket.send(
                "GET /hello HTTP/1.1\r\nHost: x\r\nX: \(String(repeating: "a", count: size))\r\n\r\n"
            )
            let answer = try await socket.receive(until: "\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 431 "))
        }
    }

    @Test("Headers within the limit are taken")
    func permittedHeaders() async throws {
        try await withServer(routes: Self.routes) { port in
            let answer = try await Self.exchange(
                port,
                "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: \(String(repeating: "a", count: 15 << 10))\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("A client that takes its time with a request is cut off, one that is merely idle is not yet")
    func slowRequest() async throws {
        var limits = HTTPServer.Limits()
        limits.body = .seconds(2)
        limits.idle = .seconds(600)
        try await withServer(limits: limits, routes: Self.routes) { port in
            let socket = try await RawSocket.connect(port)
            let idle = try await RawSocket.connect(port)
            try await idle.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try await idle.receive(until: "hello")
            try await socket.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
            let trickle = Task {
                // Never silent, so the idle timeout does not help.
                while !Task.isCancelled {
                    try await socket.send("a")
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            // The trickle would take more than an hour.
            #expect(
                try await within { try await (socket.receive(until: "request-timeout")) }.hasPrefix("HTTP/1.1 408 ")
            )
            trickle.cancel()
            try await idle.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await idle.receive(until: "hello").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("A slow handler is not cut off by the limit on reading, and holds up no other request")
    func slowHandler() async throws {
        var limits = HTTPServer.Limits()
        limits.head = .seconds(2)
        limits.body = .seconds(2)
        limits.idle = .seconds(2)
        let release = Signal()
        let client = HTTPClient()
        try await withServer(limits: limits) {
            $0.on("GET", "/slow") { _ in
                try await release.wait()
                return .text("at last")
            }
            $0.on("GET", "/quick") { _ in .text("quick") }
        } _: { port in
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<20 {
                    group.addTask { try await client.send(.init("GET", "http://127.0.0.1:\(port)/slow")).text }
                }
                let start = ContinuousClock.now
                while start.duration(to: .now) < .seconds(4) {
                    #expect(try await client.send(.init("GET", "http://127.0.0.1:\(port)/quick")).text == "quick")
                }
                release.give()
                for try await text in group { #expect(text == "at last") }
            }
        }
    }

    @Test("An answer that is not valid HTTP becomes a logged 500")
    func invalidAnswer() async throws {
        let sink = KeepingLogSink()
        try await withServer(logger: Logger("http", sink: sink)) {
            $0.on("GET", "/header") { _ in HTTPResponse(status: 200, headers: ["X": "a\r\nSet-Cookie: b"]) }
            $0.on("GET", "/status") { _ in HTTPResponse(status: 99) }
        } _: { port in
            for path in ["/header", "/status"] {
                let answer = try await Self.exchange(
                    port,
                    "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                #expect(answer.hasPrefix("HTTP/1.1 500 "))
                #expect(!answer.contains("Set-Cookie"))
            }
        }
        #expect(sink.records.count == 2)
    }

    @Test("What no handler is asked for is told to whoever counts, once for each request")
    func refusals() async throws {
        let told = Mutex<[String]>([])
        var limits = HTTPServer.Limits()
        limits.bodySize = 1000
        try await withServer(limits: limits) { router in
            Self.routes(&router)
            router.onRefusal = { method, status in told.withLock { $0.append("\(method) \(status)") } }
        } _: { port in
            func exchange(_ head: String, _ body: String = "") async throws {
                _ = try await Self.exchange(port, "\(head)\r\nHost: x\r\nConnection: close\r\n\r\n\(body)")
            }
            try await exchange("GET /hello HTTP/1.1")
            try await exchange("GET /nowhere HTTP/1.1")
            try await exchange("MADE-UP /hello HTTP/1.1")
            try await exchange("GET /things/%zz HTTP/1.1")
            try await exchange("GET /hello\0 HTTP/1.1")
            try await exchange("PUT /hello HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked")
            try await exchange("POST /hello HTTP/1.1\r\nContent-Length: 4000")
        }
        #expect(
            told.withLock { $0 } == [
                "GET 404", "MADE-UP 405", "GET 400", " 400", "PUT 400", "POST 413",
            ]
        )
    }

    @Test("It serves IPv6 too, whose loopback is one")
    func ipv6() async throws {
        let client = HTTPClient()
        var addresses = [("localhost:0", "localhost")]
        if Self.machineHasIPv6 { addresses += [("[::1]:0", "[::1]"), ("[::]:0", "127.0.0.1")] }
        for (address, host) in addresses {
            try await withServer(address: address) {
                $0.on("GET", "/") { .text("\($0.isLoopback)") }
            } _: { port in
                let response = try await client.send(.init("GET", "http://\(host):\(port)/"))
                #expect(response.text == "true", "\(address)")
            }
        }
    }
}
