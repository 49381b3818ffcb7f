import HTTP
import Testing

@testable import ServiceKit

/// Callers by routes, with and without tokens: generated from what there is of both, so that none is forgotten.
@Suite("The doors")
struct DoorsTests {
    private static let reader = "reader-0123456789"
    private static let actor = "actor-0123456789a"
    private static let shop = "shop-0123456789ab"

    /// Who asks, and what is to come of it behind each kind of door: a status where they are refused.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        var loopback = true
        var headers: HTTPHeaders = [:]
        /// By route: `anyone` (POST), `callers`, `read`, `act`; nil where they come in.
        let open: [Int?]
        let locked: [Int?]

        var testDescription: String { name }

        init(_ name: String, loopback: Bool = true, _ headers: HTTPHeaders = [:], open: [Int?], locked: [Int?]) {
            self.name = name
            self.loopback = loopback
            self.headers = headers
            self.open = open
            self.locked = locked
        }
    }

    private static let cases: [Case] = [
        Case("a program on this machine", open: [nil, nil, nil, nil], locked: [nil, 401, 401, 401]),
        Case("another machine", loopback: false, open: [nil, 403, 403, 403], locked: [nil, 401, 401, 401]),
        Case(
            "another machine with the reader's token",
            loopback: false,
            ["Authorization": "Bearer \(reader)"],
            open: [nil, 403, 403, 403],
            locked: [nil, 401, nil, 403]
        ),
        Case(
            "another machine with the actor's token",
            loopback: false,
            ["Authorization": "bearer  \(actor)"],
            open: [nil, 403, 403, 403],
            locked: [nil, 401, nil, nil]
        ),
        Case(
            "a back end",
            loopback: false,
            ["Authorization": "Bearer \(shop)"],
            open: [nil, 403, 403, 403],
            locked: [nil, nil, 401, 401]
        ),
        Case(
            "a customer",
            loopback: false,
            ["Authorization": "Bearer web.token"],
            open: [nil, 403, 403, 403],
            locked: [nil, nil, 401, 401]
        ),
        Case(
            "a wrong token",
            ["Authorization": "Bearer 0123456789abcdefg"],
            open: [nil, nil, nil, nil],
            locked: [nil, 401, 401, 401]
        ),
        Case(
            "a token as a password",
            ["Authorization": "Basic \(actor)"],
            open: [nil, nil, nil, nil],
            locked: [nil, 401, 401, 401]
        ),
        Case(
            "a proxy on this machine",
            ["X-Forwarded-For": "10.0.0.1"],
            open: [nil, 403, 403, 403],
            locked: [nil, 401, 401, 401]
        ),
        Case(
            "a proxy that says no more than by which scheme",
            ["x-forwarded-proto": "http"],
            open: [nil, 403, 403, 403],
            locked: [nil, 401, 401, 401]
        ),
        Case(
            "a proxy of another make",
            ["X-Original-Host": "127.0.0.1"],
            open: [nil, 403, 403, 403],
            locked: [nil, 401, 401, 401]
        ),
        Case("a proxy by Via", ["Via": "1.1 proxy"], open: [nil, 403, 403, 403], locked: [nil, 401, 401, 401]),
        Case(
            "a page of another site",
            ["Origin": "https://evil.example"],
            open: [403, 403, 403, 403],
            locked: [403, 401, 401, 401]
        ),
        Case(
            "a page of another port",
            ["Origin": "http://127.0.0.1:3000"],
            open: [403, 403, 403, 403],
            locked: [403, 401, 401, 401]
        ),
        Case(
            "a page without an origin",
            ["Origin": "null"],
            open: [403, 403, 403, 403],
            locked: [403, 401, 401, 401]
        ),
        Case(
            "a page of another site by Sec-Fetch-Site",
            ["Sec-Fetch-Site": "cross-site"],
            open: [403, 403, 403, 403],
            locked: [403, 401, 401, 401]
        ),
        Case(
            "a page of this program",
            ["Origin": "http://127.0.0.1:8081", "Sec-Fetch-Site": "same-origin"],
            open: [nil, nil, nil, nil],
            locked: [nil, 401, 401, 401]
        ),
        Case(
            "a name that was led here",
            ["Host": "evil.example:8081"],
            open: [421, 421, 421, 421],
            locked: [421, 421, 421, 421]
        ),
        Case(
            "one of the program's names",
            ["Host": "Shop.example"],
            open: [nil, 403, 403, 403],
            locked: [nil, 401, 401, 401]
        ),
    ]

    private static let routes: [(String, Wiring.Route)] = [
        ("POST", route("POST", .anyone)), ("POST", route("POST", .callers)), ("GET", route("GET", .operators(.read))),
        ("POST", route("POST", .operators(.act))),
    ]

    private static func route(_ method: String, _ access: RouteAccess) -> Wiring.Route {
        Wiring.Route(method: method, pattern: "/x", access: access) { _ in .text("") }
    }

    private static func doors(locked: Bool) throws -> Doors {
        let operators = try AccessTokens(parsing: "ro read \(reader)\nada act \(actor)", hasRoles: true)
        let backEnds = try AccessTokens(parsing: "shop \(shop)", hasRoles: false)
        var api = APIAccess()
        var operations = OperationsAccess(tokens: nil)
        if locked {
            operations = OperationsAccess { operators }
            api.tokens = { backEnds }
            api.webTokens = { (text) throws(WebTokenFault) -> WebToken in
                guard text == "web.token" else { throw WebTokenFault("It is none.") }
                return WebToken(subject: "customer-7")
            }
        }
        return Doors(
            hosts: HostPolicy(names: ["shop.example"], listeningOn: "127.0.0.1:8081"),
            operations: operations,
            api: api
        )
    }

    private static func status(_ test: Case, _ index: Int, locked: Bool) throws -> Int? {
        var request = HTTPRequest(method: routes[index].0, path: "/x")
        request.isLoopback = test.loopback
        request.headers = ["Host": "127.0.0.1:8081"]
        for (name, value) in test.headers.fields.map({ ($0.name, $0.value) }) { request.headers[name] = value }
        do {
            let doors = try doors(locked: locked)
            try doors.hosts.check(request)
            let admitted = try doors.admit(request, to: routes[index].1)
            #expect((admitted.caller == nil) == (routes[index].1.access == .anyone))
            return nil
        } catch let problem as Problem {
            return problem.status
        }
    }

    @Test("open for whom they should, without tokens", arguments: cases)
    func withoutTokens(test: Case) throws {
        for index in Self.routes.indices {
            #expect(try Self.status(test, index, locked: false) == test.open[index], "route \(index)")
        }
    }

    @Test("open for whom they should, with tokens", arguments: cases)
    func withTokens(test: Case) throws {
        for index in Self.routes.indices {
            #expect(try Self.status(test, index, locked: true) == test.locked[index], "route \(index)")
        }
    }

    @Test("say who came in")
    func callers() throws {
        let doors = try Self.doors(locked: true)
        for (token, index, caller) in [
            (Self.actor, 3, Caller(.operator, "ada")), (Self.shop, 1, Caller(.backEnd, "shop")),
            ("web.token", 1, Caller(.customer, "customer-7")),
        ] {
            var request = HTTPRequest(method: Self.routes[index].0, path: "/x")
            request.headers = ["Authorization": "Bearer \(token)"]
            // What a client claims to be is nothing.
            request.caller = Caller(.operator, "root")
            #expect(try doors.admit(request, to: Self.routes[index].1).caller == caller)
        }
    }

    @Test(
        "take a host for the program's own by its name, not by its look",
        arguments: [
            ("127.0.0.1", true), ("localhost:1", true), ("LOCALHOST", true), ("[::1]:8081", true),
            ("shop.example.", true),
            ("10.1.2.3:8081", false), ("127.0.0.1.evil.example", false), ("localhost.evil.example", false),
            ("evil.example", false), ("[::1", false), ("127.0.0.1:port", false), ("user@127.0.0.1", false), ("", false),
            ("127.0.0.1:8081:8081", false),
        ]
    )
    func hosts(host: String, isOwn: Bool) {
        var request = HTTPRequest(method: "GET", path: "/x")
        request.headers = ["Host": host]
        let policy = HostPolicy(names: ["shop.example"], listeningOn: "127.0.0.1:8081")
        #expect(((try? policy.check(request)) != nil) == isOwn)
    }

    @Test("answer to any address where the program listens beyond loopback, and still to no strange name")
    func addresses() {
        let policy = HostPolicy(names: [], listeningOn: "0.0.0.0:8081")
        for (host, isOwn) in [
            ("10.1.2.3:8081", true), ("[2001:db8::1]", true), ("evil.example", false), ("1.2.3", false),
        ] {
            var request = HTTPRequest(method: "GET", path: "/x")
            request.headers = ["Host": host]
            #expect(((try? policy.check(request)) != nil) == isOwn, "\(host)")
        }
    }
}
