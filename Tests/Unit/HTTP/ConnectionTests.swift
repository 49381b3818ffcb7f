import Foundation
import Telemetry
import Testing

@testable import HTTP

@Suite("Connections that are held open shut nobody out", .timeLimit(.minutes(5)))
struct ConnectionTests {
    static let hello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"

    static func limits(_ change: (inout HTTPServer.Limits) -> Void) -> HTTPServer.Limits {
        var limits = HTTPServer.Limits()
        change(&limits)
        return limits
    }

    /// Says hello; the answer, or nil when the connection is closed instead.
    static func ask(_ socket: RawSocket) async throws -> String? {
        try await socket.send(hello)
        let answer = try await socket.receive(until: "\r\n\r\nhello")
        return answer.isEmpty ? nil : answer
    }

    @Test("More silent connections than there is room for, of the same address, do not keep a probe from its answer")
    func silent() async throws {
        let sink = KeepingLogSink()
        try await withServer(
            limits: Self.limits { $0.connections = 8 },
            logger: Logger("http", sink: sink),
            routes: ServerTests.routes
        ) { port in
            var held: [RawSocket] = []
            for _ in 0..<20 { held.append(try await RawSocket.connect(port)) }
            let probe = try await RawSocket.connect(port)
            #expect(try await Self.ask(probe)?.hasPrefix("HTTP/1.1 200 ") == true)
            // It is the first that lost its place, and the last that still has one.
            #expect(try await held[0].receiveAll().isEmpty)
            #expect(try await Self.ask(held[19])?.hasPrefix("HTTP/1.1 200 ") == true)
        }
        #expect(sink.records.contains { "\($0.message)".contains("closed to make room") })
    }

    @Test("Heads that do not end hold no place either")
    func unfinished() async throws {
        try await withServer(limits: Self.limits { $0.connections = 8 }, routes: ServerTests.routes) { port in
            var held: [RawSocket] = []
            for _ in 0..<20 {
                let socket = try await RawSocket.connect(port)
                try await socket.send("GET /hello HTTP/1.1\r\nHost: x\r\nX-")
                held.append(socket)
            }
            #expect(try await Self.ask(try await RawSocket.connect(port))?.hasPrefix("HTTP/1.1 200 ") == true)
            _ = held
        }
    }

    @Test("A request in work keeps its place, and who finds none waits for it")
    func working() async throws {
        let started = Signal()
        let release = Signal()
        try await withServer(
            limits: Self.limits {
                $0.connections = 1
                $0.connectionsPerPeer = 2
            }
        ) { router in
            ServerTests.routes(&router)
            router.on("GET", "/slow") { _ in
                started.give()
                try await release.wait()
                return .text("at last")
            }
        } _: { port in
            let slow = try await RawSocket.connect(port)
            try await slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            try await started.wait()
            let other = try await RawSocket.connect(port)
            try await other.send(Self.hello)
            release.give()
            #expect(try await slow.receive(until: "at last").hasPrefix("HTTP/1.1 200 "))
            #expect(try await other.receive(until: "\r\n\r\nhello").hasPrefix("HTTP/1.1 200 "))
        }
    }

    @Test("One address with too many requests in work is told so, and the others are served")
    func perPeer() async throws {
        let started = [Signal(), Signal()]
        let release = Signal()
        try await withServer(
            limits: Self.limits {
                $0.connections = 8
                $0.connectionsPerPeer = 2
            }
        ) { router in
            ServerTests.routes(&router)
            router.on("GET", "/slow/{number}") { request in
                started[request.parameters["number"] == "0" ? 0 : 1].give()
                try await release.wait()
                return .text("at last")
            }
        } _: { port in
            var busy: [RawSocket] = []
            for number in 0..<2 {
                let socket = try await RawSocket.connect(port)
                try await socket.send("GET /slow/\(number) HTTP/1.1\r\nHost: x\r\n\r\n")
                try await started[number].wait()
                busy.append(socket)
            }
            let third = try await RawSocket.connect(port)
            let refusal = try await third.receiveAll()
            #expect(refusal.hasPrefix("HTTP/1.1 503 "))
            #expect(refusal.contains("/problems/too-many-connections"))
            #expect(refusal.contains("\r\nRetry-After: 1\r\n"))
            let other = try await RawSocket.connect(port, from: "127.0.0.2")
            #expect(try await Self.ask(other)?.hasPrefix("HTTP/1.1 200 ") == true)
            release.give()
            for socket in busy { #expect(try await socket.receive(until: "at last").hasPrefix("HTTP/1.1 200 ")) }
        }
    }

    @Test("A head that takes too long is answered with 408, one that is merely idle is closed without a word")
    func slowHead() async throws {
        let limits = Self.limits {
            $0.head = .milliseconds(300)
            $0.idle = .seconds(2)
        }
        try await withServer(limits: limits, routes: ServerTests.routes) { port in
            let slow = try await RawSocket.connect(port)
            try await slow.send("GET /hello HTTP/1.1\r\nHo")
            let answer = try await slow.receiveAll()
            #expect(answer.hasPrefix("HTTP/1.1 408 "))
            #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
            #expect(answer.contains("\r\nConnection: close\r\n"))
            #expect(try await RawSocket.connect(port).receiveAll().isEmpty)
        }
    }

    @Test("One that has been answered and is idle then is closed without a word")
    func idleAfterAnswer() async throws {
        try await withServer(limits: Self.limits { $0.idle = .seconds(5) }, routes: ServerTests.routes) { port in
            let idle = try await RawSocket.connect(port)
            #expect(try await Self.ask(idle)?.hasPrefix("HTTP/1.1 200 ") == true)
            #expect(try await idle.receiveAll().isEmpty)
        }
    }

    @Test("Who goes on sending slowly after the 413 is not reset for as long as something comes")
    func slowBodyAfterRefusal() async throws {
        try await withServer(limits: Self.limits { $0.bodySize = 10 }, routes: ServerTests.routes) { port in
            let socket = try await RawSocket.connect(port)
            try await socket.send("POST /length HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
            for _ in 0..<6 {
                // Longer, all in all, than one that says nothing may stay.
                try await Task.sleep(for: .milliseconds(500))
                try await socket.send("x")
            }
            #expect(try await socket.receiveAll().hasPrefix("HTTP/1.1 413 "))
        }
    }

    @Test("What the connections are at, and why some were closed, can be read")
    func statistics() async throws {
        var router = Router()
        ServerTests.routes(&router)
        let server = try HTTPServer(
            address: "127.0.0.1:0",
            router: router,
            limits: Self.limits { $0.connections = 2 },
            logger: .silent
        )
        let running = Task { try await server.run(grace: .seconds(1)) }
        let port = try await server.port()
        let first = try await RawSocket.connect(port)
        let second = try await RawSocket.connect(port)
        let third = try await RawSocket.connect(port)
        #expect(try await Self.ask(third)?.hasPrefix("HTTP/1.1 200 ") == true)
        try await second.send("nonsense\r\n")
        #expect(try await second.receiveAll().hasPrefix("HTTP/1.1 400 "))
        second.finish()
        #expect(try await first.receiveAll().isEmpty)
        try await within(seconds: 30) {
            while server.statistics.waiting != 1 || server.statistics.active != 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
        #expect(
            server.statistics
                == {
                    var expected = HTTPServer.Statistics()
                    expected.limit = 2
                    expected.accepted = 3
                    expected.waiting = 1
                    expected.closed = [.displaced: 1, .malformed: 1]
                    return expected
                }()
        )
        running.cancel()
        try await running.value
    }

    @Test("Room is made by who has most connections waiting, and of those by the one that has waited longest")
    func displacement() {
        func candidates(_ list: [(id: UInt64, peer: UInt32, since: UInt64)]) -> [Displacement.Candidate] {
            list.map { Displacement.Candidate(id: $0.id, peer: PeerAddress(ipv4: $0.peer), since: $0.since) }
        }
        #expect(Displacement.choose(among: candidates([])) == nil)
        #expect(Displacement.choose(among: candidates([(1, 1, 5), (2, 1, 4), (3, 1, 6)])) == 2)
        // The proxy of peer 1 has kept its two warm for long; peer 2 came just now with three.
        #expect(Displacement.choose(among: candidates([(1, 1, 5), (2, 1, 4), (3, 2, 9), (4, 2, 8), (5, 2, 10)])) == 4)
        #expect(Displacement.choose(among: candidates([(1, 1, 5), (2, 2, 4)])) == 2)
    }
}
