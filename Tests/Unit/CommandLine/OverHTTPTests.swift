import HTTP
import JSON
import ServiceKit
import Synchronization
import Telemetry
import Testing

@testable import CommandLine

/// The same over real sockets: a server that speaks the operations API, and the client that the command has.
@Suite("Over HTTP", .timeLimit(.minutes(5)))
struct OverHTTPTests {
    /// Serves these routes on a free port of this machine while the body runs.
    private func serving(
        _ routes: (inout Router) -> Void,
        _ body: (_ environment: [String: String], _ transport: NetworkTransport) async throws -> Void
    ) async throws {
        var router = Router()
        routes(&router)
        let server = try HTTPServer(address: "127.0.0.1:0", router: router, logger: .silent)
        let serving = Task { try await server.run() }
        let transport = NetworkTransport()
        defer { transport.close() }
        let url = "http://127.0.0.1:\(try await server.port())"
        let environment = [
            "WARREN_SERVICES": "order=\(url),payment=\(url),notification=\(url)",
            "WARREN_ORDER_URL": url, "WARREN_OPERATIONS_TOKEN": "secret", "USER": "ada",
        ]
        do {
            try await body(environment, transport)
        } catch {
            serving.cancel()
            throw error
        }
        serving.cancel()
        try await serving.value
    }

    @Test("an order is placed with its key and waited for")
    func orders() async throws {
        let looks = Mutex(0)
        try await serving { router in
            router.on("POST", "/orders") { request in
                guard request.headers["Idempotency-Key"] != nil, request.headers["Authorization"] == nil else {
                    throw Problem(.invalidRequest, detail: "wrong headers")
                }
                let body = try request.decode(JSONValue.self)
                return try .json(
                    ["id": "o 1", "status": "placed", "customer": body["customer"] ?? .null] as JSONValue,
                    status: 202
                )
            }
            router.on("GET", "/orders/{id}") { request in
                guard request.parameters["id"] == "o 1" else {
                    throw Problem(.notFound, detail: "no such order")
                }
                let count = looks.withLock { looks in
                    looks += 1
                    return looks
                }
                return try .json(order(count < 3 ? "placed" : "confirmed", payment: "captured", id: "o 1"))
            }
        } _: { environment, transport in
            let placed = await warren("order place -o jsonl", environment: environment, http: transport)
            #expect(placed.code == 0, "\(placed.messages)")
            #expect(placed.records.first?.member(at: "customer.email")?.text == "ada@example.com")
            let waited = await warren("wait order --for confirmed", "o 1", environment: environment, http: transport)
            #expect(waited.code == 0, "\(waited.messages)")
            #expect(looks.withLock { $0 } == 3)
            #expect(await warren("order show nobody", environment: environment, http: transport).code == 3)
        }
    }

    @Test("dead letters are listed with filters, retried and discarded with a reason, by somebody with a token")
    func deadLetters() async throws {
        try await serving { router in
            router.on("GET", "/dead-letters") { request in
                try Self.authorize(request)
                return try .json(
                    [
                        "service": "payment",
                        "items": [
                            ["id": "17", "state": "dead", "subject": .string(request.queryValue("subject") ?? "")]
                        ],
                        "next": .null,
                    ] as JSONValue
                )
            }
            router.on("POST", "/dead-letters/{id}/{action}") { request in
                try Self.authorize(request)
                let reason = try request.decode(JSONValue.self)["reason"]?.text
                guard request.parameters["id"] == "17" else {
                    throw Problem(
                        ProblemKind(
                            "wrong-state",
                            status: 409,
                            title: "The delivery is in another state",
                            meaning: "Somebody was quicker.",
                            mend: "Look again."
                        ),
                        detail: "it is processed"
                    )
                }
                return try .json(
                    [
                        "id": "17", "state": .string(request.parameters["action"] ?? ""),
                        "reason": .string(reason ?? ""),
                        "actor": .string(request.headers["Warren-Actor"] ?? ""),
                    ] as JSONValue
                )
            }
        } _: { environment, transport in
            let list = await warren(
                "dlq list --service payment -o jsonl --subject",
                "a&b c/ü",
                environment: environment,
                http: transport
            )
            #expect(list.code == 0, "\(list.messages)")
            #expect(list.records.first?["subject"]?.text == "a&b c/ü")
            let done = await warren(
                "dlq discard payment-17 payment-18 -o jsonl --reason",
                "not needed",
                environment: environment,
                http: transport
            )
            #expect(done.code == 6)
            #expect(done.records.first?["reason"]?.text == "not needed")
            #expect(done.records.first?["actor"]?.text == "ada")
            #expect(done.messages.contains("it is processed"))
            var anonymous = environment
            anonymous["WARREN_OPERATIONS_TOKEN"] = nil
            #expect(await warren("dlq list", environment: anonymous, http: transport).code == 4)
        }
    }

    @Test("health is read where it is good and where it is bad")
    func status() async throws {
        try await serving { router in
            router.on("GET", "/readyz") { request in
                guard request.queryValue("verbose") != nil else { return .text("ready") }
                return .text("[+] database ok\n[-] broker.consumer: connecting\n", status: 503)
            }
            router.on("GET", "/backlog") { _ in
                try .json(
                    [
                        "unforwarded": .integer(0), "scheduled": .integer(0), "held": .integer(0),
                        "dead": .integer(4),
                    ]
                        as JSONValue
                )
            }
        } _: { environment, transport in
            let outcome = await warren("status", environment: environment, http: transport)
            #expect(outcome.code == 1, "\(outcome.messages)")
            #expect(outcome.messages.contains("payment: broker.consumer: connecting"))
            #expect(outcome.lines.dropFirst().allSatisfy { $0.contains("not ready") })
        }
    }

    @Test("a service that is not there ends with 7")
    func unreachable() async throws {
        let transport = NetworkTransport()
        defer { transport.close() }
        let nobody = "http://127.0.0.1:1"
        let environment = ["WARREN_SERVICES": "order=\(nobody)", "WARREN_ORDER_URL": nobody]
        let outcome = await warren("order list", environment: environment, http: transport)
        #expect(outcome.code == 7, "\(outcome.messages)")
    }

    private static func authorize(_ request: HTTPRequest) throws {
        guard request.headers["Authorization"] == "Bearer secret" else {
            throw Problem(.unauthorized)
        }
    }
}
