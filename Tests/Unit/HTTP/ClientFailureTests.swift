import Foundation
import HTTP
import Synchronization
import Testing

@Suite("A client says why no response came, and whether the request may have been carried out", .timeLimit(.minutes(5)))
struct ClientFailureTests {
    static func failure(
        _ request: HTTPClient.Request,
        client: HTTPClient = HTTPClient()
    ) async throws -> HTTPClient.Failure {
        var patient = request
        // Where a test says nothing else, no failure is to be one of time.
        let usual = HTTPClient.Request("GET", "")
        if request.timeout == usual.timeout { patient.timeout = .seconds(240) }
        if request.connectTimeout == usual.connectTimeout { patient.connectTimeout = .seconds(120) }
        let sent = patient
        return try await #require(throws: HTTPClient.Failure.self) { try await client.send(sent) }
    }

    /// A request that waits for a peer that is played by a busy machine.
    static func request(_ method: String, _ url: String) -> HTTPClient.Request {
        var request = HTTPClient.Request(method, url)
        request.timeout = .seconds(240)
        request.connectTimeout = .seconds(120)
        return request
    }

    static func url(_ peer: FakePeer) -> String { "http://127.0.0.1:\(peer.port)/" }

    @Test("A refused connection is known: nothing was sent")
    func refused() async throws {
        // Nobody serves there, and nobody will: a port that was free a moment ago may be another test's by now.
        let failure = try await Self.failure(.init("POST", "http://127.0.0.1:1/"))
        #expect(failure.code == .refused)
        #expect(!failure.isUnknown)
    }

    @Test("A name that does not resolve is known")
    func unresolved() async throws {
        var request = HTTPClient.Request("POST", "http://nothing.invalid/")
        // Where no name server answers, finding that out takes its time.
        request.connectTimeout = .seconds(120)
        request.timeout = .seconds(120)
        let failure = try await Self.failure(request)
        #expect(failure.code == .unresolved)
        #expect(!failure.isUnknown)
    }

    @Test("A connection that cannot be made in time is known")
    func connectTimeout() async throws {
        // A listener that takes no connections, and whose queue is full, leaves the handshake unanswered.
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopbackAddress(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        try withUnsafeMutablePointer(to: &address) {
            try $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try #require(bind(descriptor, $0, length) == 0 && listen(descriptor, 0) == 0)
                try #require(getsockname(descriptor, $0, &length) == 0)
            }
        }
        let port = Int(UInt16(bigEndian: address.sin_port))
        let fillers = try await withThrowingTaskGroup(of: RawSocket.self) { group in
            group.addTask { try await RawSocket.connect(port) }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        var request = HTTPClient.Request("POST", "http://127.0.0.1:\(port)/")
        request.connectTimeout = .seconds(1)
        request.timeout = .seconds(60)
        let failure = try await Self.failure(request)
        #expect(failure.code == .timeout)
        #expect(!failure.isUnknown)
        withExtendedLifetime(fillers) {}
    }

    @Test("A request without an answer in time is unknown")
    func timeout() async throws {
        let end = Signal()
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            try await end.wait()
        } _: { peer in
            var request = Self.request("POST", Self.url(peer))
            // Time enough to be sent.
            request.timeout = .seconds(3)
            let failure = try await Self.failure(request)
            #expect(failure.code == .timeout)
            #expect(failure.isUnknown)
            end.give()
        }
    }

    @Test(
        "An answer that breaks off is unknown",
        arguments: ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"],
        [false, true]
    )
    func brokenOff(answer: String, reset: Bool) async throws {
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            try await socket.send(answer)
            if reset { socket.reset() }
        } _: { peer in
            let failure = try await Self.failure(.init("POST", Self.url(peer)))
            #expect(failure.code == .reset)
            #expect(failure.isUnknown)
        }
    }

    @Test("An answer that is not HTTP is unknown", arguments: ["SSH-2.0-OpenSSH\r\n", "HTTP/9.9 abc\r\n\r\n"])
    func notHTTP(answer: String) async throws {
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            try await socket.send(answer)
        } _: { peer in
            let failure = try await Self.failure(.init("POST", Self.url(peer)))
            #expect(failure.code == .malformedResponse, "\(failure)")
            #expect(failure.isUnknown)
        }
    }

    @Test("A response over the limit is cut off and unknown", arguments: [true, false])
    func tooLarge(isStated: Bool) async throws {
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            try await socket.send("HTTP/1.1 200 OK\r\n\(isStated ? "Content-Length: 1001\r\n" : "")\r\n")
            try await socket.send([UInt8](repeating: 65, count: 1001))
        } _: { peer in
            var request = Self.request("POST", Self.url(peer))
            request.maximumBodySize = 1000
            let failure = try await Self.failure(request)
            #expect(failure.code == .tooLarge)
            #expect(failure.isUnknown)
        }
    }

    @Test("Endless headers are cut off")
    func endlessHeaders() async throws {
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            try await socket.send("HTTP/1.1 200 OK\r\n")
            let headers = String(repeating: "X: \(String(repeating: "a", count: 1000))\r\n", count: 50)
            while true { try await socket.send(headers) }
        } _: { peer in
            let failure = try await Self.failure(.init("GET", Self.url(peer)))
            #expect(failure.code == .tooLarge)
        }
    }

    @Test("A cancelled task ends its transfer, before and after it was sent")
    func cancelled() async throws {
        let received = Signal()
        let closed = Signal()
        let client = HTTPClient()
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            received.give()
            #expect(try await socket.receiveAll().isEmpty)
            closed.give()
        } _: { peer in
            let sending = Task { try await client.send(Self.request("POST", Self.url(peer))) }
            try await received.wait()
            sending.cancel()
            let failure = try await #require(throws: HTTPClient.Failure.self) { try await sending.value }
            #expect(failure.code == .cancelled)
            #expect(failure.isUnknown)
            try await closed.wait()

            let early = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.send(Self.request("POST", Self.url(peer)))
            }
            let earlyFailure = try await #require(throws: HTTPClient.Failure.self) { try await early.value }
            #expect(earlyFailure.code == .cancelled)
            #expect(!earlyFailure.isUnknown)
        }
    }

    @Test("Closing ends what is in flight and refuses what comes")
    func closed() async throws {
        let received = Signal()
        let client = HTTPClient()
        try await withPeer { socket, _ in
            _ = try await socket.receive(until: "\r\n\r\n")
            received.give()
            _ = try await socket.receiveAll()
        } _: { peer in
            let sending = Task { try await client.send(Self.request("POST", Self.url(peer))) }
            try await received.wait()
            client.close()
            let failure = try await #require(throws: HTTPClient.Failure.self) { try await sending.value }
            #expect(failure.code == .cancelled)
            #expect(failure.isUnknown)
            let later = try await Self.failure(.init("POST", Self.url(peer)), client: client)
            #expect(later.code == .cancelled)
            #expect(!later.isUnknown)
        }
    }

    @Test(
        "What is no request is refused before anything is sent",
        arguments: [
            "", "ftp://host/", "file:///etc/passwd", "http://", "http://host:99999/", "//host/", "http://host/a b",
            "http://host/\r\nX: y",
            "http://host/é", "http://host/\0",
        ]
    )
    func badURLs(url: String) async throws {
        let failure = try await Self.failure(.init("GET", url))
        #expect(failure.code == .invalidURL)
        #expect(!failure.isUnknown)
    }

    @Test(
        "Headers and methods cannot smuggle others",
        arguments: [("X", "a\r\nY: b"), ("X", "a\nb"), ("X\r\nY", "a"), ("X:", "a"), ("", "a"), ("X", "a\0b")]
    )
    func headerInjection(name: String, value: String) async throws {
        var request = HTTPClient.Request("GET", "http://127.0.0.1:1/")
        request.headers.add(name, value)
        #expect(try await Self.failure(request).code == .invalidURL)
        #expect(try await Self.failure(.init("GET / HTTP/1.1\r\nX", "http://127.0.0.1:1/")).code == .invalidURL)
    }

    @Test("No description shows credentials")
    func redaction() async throws {
        let port = 1
        var request = HTTPClient.Request("GET", "http://user:pa/ss@127.0.0.1:\(port)/path?token=secret")
        request.basicCredentials = ("user", "secret")
        request.headers["Authorization"] = "Bearer secret"
        var shown = "\(request) \(String(reflecting: request))"
        dump(request, to: &shown)
        request.url = "http://user:secret@127.0.0.1:\(port)/path?token=secret"
        let failure = try await Self.failure(request)
        #expect(failure.code == .refused)
        #expect(failure.reason.contains("http://127.0.0.1:\(port)/path"))
        dump(request, to: &shown)
        dump(failure, to: &shown)
        #expect(!shown.contains("secret"))
        #expect(!shown.contains("ss@"))
    }

    @Test("Redirects are answers, proxies of the environment are not used")
    func plainWays() async throws {
        // In a process of its own: other threads must not read an environment that is being written.
        await #expect(processExitsWith: .success) {
            setenv("http_proxy", "http://127.0.0.1:1", 1)
            setenv("ALL_PROXY", "http://127.0.0.1:1", 1)
            try await withServer {
                $0.on("GET", "/old") { _ in HTTPResponse(status: 302, headers: ["Location": "/new"]) }
            } _: { port in
                let response = try await HTTPClient().send(Self.request("GET", "http://127.0.0.1:\(port)/old"))
                try #require(response.status == 302)
                try #require(response.headers["Location"] == "/new")
            }
        }
    }

    @Test("Requests go out as they were made, over one connection")
    func wire() async throws {
        let seen = Mutex<[String]>([])
        try await withPeer { socket, _ in
            while true {
                let text = try await socket.receive(until: "\r\n\r\n")
                if text.isEmpty { return }
                seen.withLock { $0.append(text) }
                try await socket.send(
                    "HTTP/1.1 100 Continue\r\nX: interim\r\n\r\nHTTP/1.1 200 OK\r\nX:  final \r\nContent-Length: 0\r\n\r\n"
                )
            }
        } _: { peer in
            let client = HTTPClient()
            var request = Self.request("POST", Self.url(peer) + "a?b=c")
            request.headers = ["X-Empty": "", "X-Name": "value"]
            request.basicCredentials = ("key", "")
            let first = try await client.send(request)
            #expect(first.headers.values("X") == ["final"])
            for method in ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
                _ = try await client.send(Self.request(method, Self.url(peer)))
            }
            #expect(peer.connections == 1)
            let texts = seen.withLock { $0 }
            #expect(
                texts.first == """
                    POST /a?b=c HTTP/1.1\r
                    Host: 127.0.0.1:\(peer.port)\r
                    Authorization: Basic a2V5Og==\r
                    X-Empty:\r
                    X-Name: value\r
                    Accept: */*\r
                    Content-Length: 0\r
                    \r

                    """
            )
            #expect(
                texts.map { $0.prefix { $0 != " " } } == ["POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
            )
        }
    }

    @Test(
        "When a reused connection dies, only a request that may be repeated is sent again",
        arguments: [
            ("GET", false, true), ("POST", false, false), ("POST", true, true), ("PATCH", false, false),
            ("PUT", false, true),
        ]
    )
    func reusedConnectionDies(method: String, hasKey: Bool, isRepeated: Bool) async throws {
        let requests = Mutex(0)
        try await withPeer { socket, _ in
            // Each connection answers its first request and dies with its second.
            for isFirst in [true, false] {
                if try await socket.receive(until: "\r\n\r\n").isEmpty { return }
                requests.withLock { $0 += 1 }
                if isFirst { try await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
            }
        } _: { peer in
            let client = HTTPClient()
            _ = try await client.send(Self.request("GET", Self.url(peer)))
            var request = Self.request(method, Self.url(peer))
            if hasKey { request.headers["Idempotency-Key"] = "1" }
            if isRepeated {
                let response = try await client.send(request)
                #expect(response.status == 200)
            } else {
                let failure = try await Self.failure(request, client: client)
                #expect(failure.code == .reset)
                #expect(failure.isUnknown)
            }
            #expect(requests.withLock { $0 } == (isRepeated ? 3 : 2))
        }
    }

    @Test(
        "A server that dies with a reused connection leaves the outcome unknown, though the next connection is refused"
    )
    func serverDies() async throws {
        let client = HTTPClient()
        let peer = try FakePeer()
        let serving = Task {
            try await peer.serve { socket, _ in
                _ = try await socket.receive(until: "\r\n\r\n")
                try await socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                _ = try await socket.receive(until: "\r\n\r\n")
                // No one listens any more before the connection ends.
                peer.refuse()
            }
        }
        _ = try await client.send(Self.request("GET", Self.url(peer)))
        var request = Self.request("POST", Self.url(peer))
        request.headers["Idempotency-Key"] = "1"
        let failure = try await Self.failure(request, client: client)
        #expect(failure.isUnknown)
        #expect(failure.code == .reset)
        try await serving.value
    }

    @Test(
        "A response that cannot be read as what it should be is unknown",
        arguments: ["{", #"{"a":"x"}"#, #"{"a":1,"a":2}"#]
    )
    func unreadable(body: String) throws {
        struct Value: Decodable { let a: Int }
        let response = HTTPClient.Response(status: 200, body: Array(body.utf8))
        let failure = try #require(throws: HTTPClient.Failure.self) { try response.decode(Value.self) }
        #expect(failure.code == .malformedResponse)
        #expect(failure.isUnknown)
    }
}
