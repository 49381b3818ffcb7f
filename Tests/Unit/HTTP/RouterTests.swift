import Foundation
import HTTP
import Telemetry
import Testing

@Suite("The router finds the handler, or says why there is none")
struct RouterTests {
    static let router: Router = {
        var router = Router()
        func named(_ name: String) -> Router.Handler {
            {
                .text(
                    ([name] + $0.parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }).joined(
                        separator: " "
                    )
                )
            }
        }
        router.on("GET", "/", named("root"))
        router.on("GET", "/orders", named("list"))
        router.on("POST", "/orders", named("place"))
        router.on("GET", "/orders/{id}", named("show"))
        router.on("GET", "/orders/recent", named("recent"))
        router.on("POST", "/orders/{id}/cancel", named("cancel"))
        router.on("GET", "/{kind}/recent", named("recent of a kind"))
        router.on("GET", "/orders/{id}/lines/{line}", named("line"))
        return router
    }()

    @Test(
        "The most literal pattern wins, and parameters are handed over",
        arguments: [
            ("GET", "/", "root"),
            ("GET", "/orders", "list"),
            ("POST", "/orders", "place"),
            ("HEAD", "/orders", "list"),
            ("GET", "/orders/7", "show id=7"),
            ("GET", "/orders/recent", "recent"),
            ("GET", "/mails/recent", "recent of a kind kind=mails"),
            ("POST", "/orders/recent/cancel", "cancel id=recent"),
            ("GET", "/orders/7/lines/2", "line id=7 line=2"),
        ]
    )
    func matches(method: String, path: String, answer: String) async {
        let response = await Self.router.respond(to: HTTPRequest(method: method, path: path), logger: .silent)
        #expect(response.status == 200)
        #expect(String(decoding: response.body, as: UTF8.self) == answer)
    }

    @Test(
        "An unknown path is a 404 problem",
        arguments: ["/nothing", "/orders/", "/orders//lines/1", "/orders/7/lines", ""]
    )
    func unknownPath(path: String) async throws {
        let response = await Self.router.respond(to: HTTPRequest(method: "GET", path: path), logger: .silent)
        #expect(response.status == 404)
        #expect(response.headers["Content-Type"] == "application/problem+json")
        #expect(try members(response)["type"] as? String == "/problems/not-found")
    }

    @Test(
        "A method that the path does not answer is a 405 problem with Allow",
        arguments: [
            ("PUT", "/orders", "GET, HEAD, POST"), ("GET", "/orders/7/cancel", "POST"),
            ("POST", "/orders/recent", "GET, HEAD"),
        ]
    )
    func unknownMethod(method: String, path: String, allow: String) async throws {
        let response = await Self.router.respond(to: HTTPRequest(method: method, path: path), logger: .silent)
        #expect(response.status == 405)
        #expect(response.headers["Allow"] == allow)
        #expect(try members(response)["type"] as? String == "/problems/method-not-allowed")
    }

    @Test("Routes are listed in the order in which they were added")
    func routes() {
        #expect(
            Self.router.routes.map { "\($0.method) \($0.pattern)" }.prefix(3) == [
                "GET /", "GET /orders", "POST /orders",
            ]
        )
    }

    @Test("A thrown problem is answered with all its parts")
    func thrownProblem() async throws {
        var router = Router()
        router.on("GET", "/") { _ in
            throw Problem(
                ProblemKind(
                    "order-shipped",
                    status: 409,
                    title: "The order has been shipped",
                    meaning: "It is on its way.",
                    mend: "Send it back when it arrives."
                ),
                detail: "Order 7 left on Monday.",
                faults: [.init(field: "lines[0].quantity", detail: "must be positive")],
                headers: ["Retry-After": "60"]
            )
        }
        let response = await router.respond(to: HTTPRequest(method: "GET", path: "/"), logger: .silent)
        #expect(response.status == 409)
        #expect(response.headers["Retry-After"] == "60")
        let members = try members(response)
        #expect(Set(members.keys) == ["type", "title", "status", "detail", "errors"])
        #expect(members["type"] as? String == "/problems/order-shipped")
        #expect(members["status"] as? Int == 409)
        #expect(
            members["errors"] as? [[String: String]] == [["field": "lines[0].quantity", "detail": "must be positive"]]
        )
    }

    @Test("Who is screened out does not learn what there is")
    func screen() async {
        var router = Self.router
        router.screen = { (request) throws(Problem) in
            if request.headers["Host"] == "evil.example" { throw Problem(.invalidRequest) }
        }
        for path in ["/orders", "/nowhere"] {
            var request = HTTPRequest(method: "GET", path: path)
            request.headers["Host"] = "evil.example"
            #expect(await router.respond(to: request, logger: .silent).status == 422)
            request.headers["Host"] = "shop.example"
            #expect(await router.respond(to: request, logger: .silent).status == (path == "/orders" ? 200 : 404))
        }
    }

    @Test("A problem without detail and faults leaves those members out")
    func shortProblem() throws {
        let members = try members(Problem(.notFound).response)
        #expect(Set(members.keys) == ["type", "title", "status"])
    }

    struct DatabaseGone: Error { let password = "secret" }

    @Test("Any other error is a logged 500 problem that shows nothing of it")
    func otherError() async throws {
        var router = Router()
        router.on("GET", "/") { _ in throw DatabaseGone() }
        let sink = KeepingLogSink()
        let response = await router.respond(
            to: HTTPRequest(method: "GET", path: "/"),
            logger: Logger("http", sink: sink)
        )
        #expect(response.status == 500)
        #expect(!String(decoding: response.body, as: UTF8.self).contains("secret"))
        #expect(try members(response)["type"] as? String == "/problems/internal-error")
        #expect(sink.records.count == 1)
        #expect(sink.records.first?.level == .error)
    }

    private func members(_ response: HTTPResponse) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(response.body)) as? [String: Any])
    }
}
