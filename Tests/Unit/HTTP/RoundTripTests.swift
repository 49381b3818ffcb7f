import Foundation
import HTTP
import Telemetry
import Testing

@Suite("Server and client over real sockets", .timeLimit(.minutes(5)))
struct RoundTripTests {
    struct Echo: Codable, Sendable {
        var method: String
        var path: String
        var query: [String]
        var parameters: [String: String]
        var header: String?
        var body: String
        var isLoopback: Bool
    }

    static func echo(_ request: HTTPRequest) async throws -> HTTPResponse {
        try .json(
            Echo(
                method: request.method,
                path: request.path,
                query: request.query.map { "\($0.name)=\($0.value)" },
                parameters: request.parameters,
                header: request.headers["X-Test"],
                body: String(decoding: request.body, as: UTF8.self),
                isLoopback: request.isLoopback
            )
        )
    }

    @Test("A request arrives whole, and so does its answer")
    func wholeRequest() async throws {
        let client = HTTPClient()
        try await withServer {
            $0.on("POST", "/orders/{id}/lines/{line}", Self.echo)
        } _: { port in
            var request = HTTPClient.Request(
                "POST",
                "http://127.0.0.1:\(port)/orders/a%20b%2Fc/lines/%C3%A9?x=1+2&x=%26&flag"
            )
            request.headers = ["x-test": "value"]
            request.body = Array("hello".utf8)
            let response = try await client.send(request)
            #expect(response.status == 200)
            #expect(response.headers["content-type"] == "application/json")
            #expect(response.headers["Date"] != nil)
            let echo = try response.decode(Echo.self)
            #expect(echo.method == "POST")
            #expect(echo.path == "/orders/a b/c/lines/é")
            #expect(echo.parameters == ["id": "a b/c", "line": "é"])
            #expect(echo.query == ["x=1 2", "x=&", "flag="])
            #expect(echo.header == "value")
            #expect(echo.body == "hello")
            #expect(echo.isLoopback)
        }
    }

    @Test("Two hundred requests at once are all answered")
    func manyAtOnce() async throws {
        let client = HTTPClient()
        try await withServer {
            $0.on("POST", "/echo", Self.echo)
        } _: { port in
            let bodies = try await withThrowingTaskGroup(of: String.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        var request = HTTPClient.Request("POST", "http://127.0.0.1:\(port)/echo")
                        request.body = Array("\(number)".utf8)
                        return try await client.send(request).decode(Echo.self).body
                    }
                }
                var bodies: Set<String> = []
                for try await body in group { bodies.insert(body) }
                return bodies
            }
            #expect(bodies == Set((0..<200).map(String.init)))
        }
    }
}
