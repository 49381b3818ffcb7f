import Foundation
import Synchronization
import Telemetry
import Testing

@testable import HTTP

@Suite(
    "What two readers could understand differently is refused, and what they could not is taken",
    .timeLimit(.minutes(5))
)
struct HeadTests {
    @Test("400 goes out once and the connection ends; the twin is answered", arguments: HeadCase.all)
    func corpus(_ each: HeadCase) async throws {
        let asked = Mutex(0)
        try await withServer { router in
            for (method, path) in [
                ("GET", "/hello"), ("GET", "/things/{name}"), ("GET", "/query"), ("POST", "/length"),
            ] {
                router.on(method, path) { _ in
                    asked.withLock { $0 += 1 }
                    return .text("taken")
                }
            }
        } _: { port in
            let socket = try await RawSocket.connect(port)
            try await socket.send(each.refused + "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try await socket.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 400 Bad Request\r\n"))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2, "one head: \(answer)")
            #expect(answer.components(separatedBy: "\r\n\r\n").count == 2, "one end of a head: \(answer)")
            #expect(answer.contains("\r\nConnection: close\r\n"))
            #expect(answer.contains("\r\nContent-Type: application/problem+json\r\n"))
            let body = answer.components(separatedBy: "\r\n\r\n").last ?? ""
            #expect(answer.contains("\r\nContent-Length: \(body.utf8.count)\r\n"))
            #expect(asked.withLock { $0 } == 0)

            let twin = try await RawSocket.connect(port)
            try await twin.send(each.taken)
            #expect(try await twin.receive(until: "taken").hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(asked.withLock { $0 } == 1)
        }
    }

    /// Reads the bytes in pieces, until the first request or refusal.
    static func read(_ text: String, pieces: Int) -> String {
        var reader = RequestReader(limits: .init())
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            reader.receive(rest.prefix(pieces))
            rest = rest.dropFirst(pieces)
            reading: while true {
                switch reader.next() {
                case .wait: break reading
                case .allowBody: continue
                case .answer(let request):
                    let body = String(decoding: request.body, as: UTF8.self)
                    return "\(request.head.method) \(request.head.target.segments) \(body)"
                case .refuse(let problem): return "\(problem.status) \(problem.detail ?? "")"
                }
            }
        }
        return "nothing"
    }

    @Test("In whatever pieces the bytes arrive, they are read alike", arguments: HeadCase.all)
    func pieces(_ each: HeadCase) {
        for text in [each.refused, each.taken] {
            let whole = Self.read(text, pieces: text.utf8.count)
            #expect(whole != "nothing")
            for size in [1, 2, 3, 7] { #expect(Self.read(text, pieces: size) == whole, "in pieces of \(size)") }
        }
    }

    @Test("Requests that follow one another are read one by one, in whatever pieces")
    func pipeline() {
        let text =
            "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n"
            + "GET /b HTTP/1.1\r\nHost: x\r\n\r\nPOST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nde"
        for size in 1...text.utf8.count {
            var reader = RequestReader(limits: .init())
            var found: [String] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                reader.receive(rest.prefix(size))
                rest = rest.dropFirst(size)
                while case .answer(let request) = reader.next() {
                    found.append(request.head.target.segments.joined() + String(decoding: request.body, as: UTF8.self))
                }
            }
            #expect(found == ["aabc", "b", "cde"], "in pieces of \(size)")
        }
    }

    @Test(
        "What HTTP has and this server does not is said, and the connection ends",
        arguments: [
            ("POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked", 501),
            ("POST /length HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip", 501),
            ("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: more", 417),
            ("PRI * HTTP/2.0\r\nHost: x", 505),
            ("GET /hello HTTP/1.2\r\nHost: x", 505),
        ]
    )
    func unsupported(head: String, status: Int) async throws {
        try await withServer(routes: ServerTests.routes) { port in
            let answer = try await ServerTests.exchange(
                port,
                "\(head)\r\n\r\n0\r\n\r\nGET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
            )
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
        }
    }

    @Test("413 and 431 go out once too, and the connection ends", arguments: [413, 431])
    func tooLarge(status: Int) async throws {
        try await withServer(routes: ServerTests.routes) { port in
            let large = status == 413 ? "Content-Length: 9999999" : "X: " + String(repeating: "a", count: 20_000)
            let answer = try await ServerTests.exchange(port, "POST /length HTTP/1.1\r\nHost: x\r\n\(large)\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
            #expect(answer.contains("\r\nConnection: close\r\n"))
        }
    }

    @Test("Who waits for leave to send a body gets it, once")
    func expectation() async throws {
        try await withServer(routes: ServerTests.routes) { port in
            let socket = try await RawSocket.connect(port)
            try await socket.send(
                "POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n"
            )
            #expect(try await socket.receive(until: "\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
            try await socket.send("abc")
            let answer = try await socket.receive(until: "\r\n\r\n3")
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            // Who sends the body at once needs no leave.
            try await socket.send(
                "POST /length HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc"
            )
            #expect(try await socket.receiveAll().hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("HTTP/1.0 is answered and the connection ends")
    func version10() async throws {
        try await withServer(routes: ServerTests.routes) { port in
            let answer = try await ServerTests.exchange(port, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
            #expect(answer.hasSuffix("\r\n\r\nhello"))
        }
    }

    @Test("Answers are neither guessed at nor kept, unless a handler says that they may be")
    func answerFields() async throws {
        try await withServer {
            $0.on("GET", "/mine") { _ in .text("mine") }
            $0.on("GET", "/shared") { _ in
                HTTPResponse(
                    status: 200,
                    headers: ["Cache-Control": "max-age=60", "Date": "x", "X-Content-Type-Options": "y"]
                )
            }
        } _: { port in
            for (path, caching) in [
                ("/mine", "no-store"), ("/shared", "max-age=60"), ("/%", "no-store"), ("/no", "no-store"),
            ] {
                let answer = try await ServerTests.exchange(
                    port,
                    "GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                #expect(answer.contains("\r\nX-Content-Type-Options: nosniff\r\n"))
                #expect(answer.contains("\r\nCache-Control: \(caching)\r\n"))
                #expect(answer.components(separatedBy: "\r\nDate: ").count == 2)
                #expect(answer.components(separatedBy: "\r\nCache-Control: ").count == 2)
            }
        }
    }

    @Test("A handler sees who connects, and the one Host")
    func peer() async throws {
        try await withServer {
            $0.on("GET", "/") { .text("\($0.peer?.description ?? "") \($0.headers["Host"] ?? "") \($0.isLoopback)") }
        } _: { port in
            let answer = try await ServerTests.exchange(
                port,
                "GET / HTTP/1.1\r\nHost: shop:80\r\nConnection: close\r\n\r\n"
            )
            #expect(answer.hasSuffix("\r\n\r\n127.0.0.1 shop:80 true"))
        }
    }
}
