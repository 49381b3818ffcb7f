import Foundation
import HTTP
import Synchronization
import Telemetry
import Testing

@Suite("A server starts and stops in order", .timeLimit(.minutes(5)))
struct ServerLifeTests {
    @Test("A request in work is answered before the server stops, and no new one is taken")
    func orderlyStop() async throws {
        let started = Signal()
        let release = Signal()
        var router = Router()
        router.on("GET", "/slow") { _ in
            started.give()
            try await release.wait()
            return .text("done")
        }
        let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
        let running = Task { try await server.run(grace: .seconds(10)) }
        let port = try await server.port()
        let client = HTTPClient()
        let request = Task { try await client.send(.init("GET", "http://127.0.0.1:\(port)/slow")) }
        try await started.wait()
        running.cancel()
        // From the moment at which it stops, new connections are refused.
        try await within {
            while true {
                do {
                    let socket = try await RawSocket.connect(port)
                    try await socket.send("GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    if try await socket.receiveAll().isEmpty { return }
                } catch is SocketError { return }
            }
        }
        release.give()
        let response = try await request.value
        #expect(response.text == "done")
        #expect(response.headers["Connection"] == "close")
        try await running.value
        await #expect(throws: HTTPServerError.self) { try await server.port() }
    }

    @Test("A handler that does not end within the grace is answered for with 503 and cancelled")
    func graceEnds() async throws {
        let started = Signal()
        let cancelled = Signal()
        var router = Router()
        router.on("GET", "/stuck") { _ in
            started.give()
            do { try await Task.sleep(for: .seconds(3600)) } catch { cancelled.give() }
            return .text("never")
        }
        let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
        let running = Task { try await server.run(grace: .milliseconds(200)) }
        let port = try await server.port()
        let client = HTTPClient()
        let request = Task { try await client.send(.init("GET", "http://127.0.0.1:\(port)/stuck")) }
        try await started.wait()
        running.cancel()
        try await within { try await running.value }
        try await cancelled.wait()
        // The answer may or may not get out before the connection ends; it never hangs.
        switch await request.result {
        case .success(let response): #expect(response.status == 503)
        case .failure(let failure as HTTPClient.Failure): #expect(failure.isUnknown)
        case .failure(let error): Issue.record(error)
        }
    }

    @Test("A server without requests stops at once, whatever connections are open")
    func idleStop() async throws {
        var router = Router()
        router.on("GET", "/") { _ in .text("") }
        let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
        let running = Task { try await server.run(grace: .seconds(600)) }
        let port = try await server.port()
        let socket = try await RawSocket.connect(port)
        try await socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        _ = try await socket.receive(until: "\r\n\r\n")
        running.cancel()
        try await within { try await running.value }
    }

    @Test("Many requests in flight while it stops are all answered or refused, again and again")
    func stopUnderLoad() async throws {
        for _ in 0..<10 {
            var router = Router()
            router.on("GET", "/") { _ in
                await Task.yield()
                return .text("ok")
            }
            let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
            let running = Task { try await server.run(grace: .seconds(60)) }
            let port = try await server.port()
            let client = HTTPClient()
            let enough = Signal()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<20 {
                    group.addTask {
                        for number in 0... {
                            if number == 5 { enough.give() }
                            do {
                                let status = try await client.send(.init("GET", "http://127.0.0.1:\(port)/")).status
                                #expect(status == 200 || status == 503)
                                if status == 503 { return }
                            } catch is HTTPClient.Failure { return }
                        }
                    }
                }
                try await enough.wait()
                running.cancel()
                try await group.waitForAll()
            }
            try await within { try await running.value }
        }
    }

    @Test("An address in use is an error that names it and the mend, for `run` and `port` alike")
    func addressInUse() async throws {
        try await withServer {
            $0.on("GET", "/") { _ in .text("") }
        } _: { port in
            let second = try HTTPServer(address: "127.0.0.1:\(port)", router: Router(), logger: .silent)
            let running = Task { try await second.run() }
            let waiting = Task { try await second.port() }
            let error = try await #require(throws: HTTPServerError.self) { try await running.value }
            #expect(error.code == .cannotListen)
            #expect(error.description.contains("127.0.0.1:\(port)"))
            #expect(error.description.contains("in use"))
            await #expect(throws: HTTPServerError.self) { try await waiting.value }
            await #expect(throws: HTTPServerError.self) { try await second.run() }
        }
    }

    @Test("An address that this machine does not have is an error")
    func foreignAddress() async throws {
        let server = try HTTPServer(address: "192.0.2.1:0", router: Router(), logger: .silent)
        let error = try await #require(throws: HTTPServerError.self) { try await server.run() }
        #expect(error.description.contains("192.0.2.1:0"))
    }

    @Test(
        "What is no address is refused at once",
        arguments: [
            "", "8080", "localhost", ":8080", "::1:8080", "127.0.0.1:", "127.0.0.1:+1", "127.0.0.1:65536", "[]:1",
        ]
    )
    func badAddress(address: String) {
        #expect(throws: HTTPServerError.self) { try HTTPServer(address: address, router: Router(), logger: .silent) }
    }

    @Test("Who waits for the port can be cancelled")
    func cancelledWait() async throws {
        let server = try HTTPServer(address: "127.0.0.1:0", router: Router(), logger: .silent)
        let waiting = Task { try await server.port() }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await within { try await waiting.value } }
    }
}
