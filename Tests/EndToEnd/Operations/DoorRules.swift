/// Who may do what, as it is meant.
///
/// Nothing here is taken from the code: this is the table that the code is held to.
enum DoorRules {
    /// What a route asks of its caller.
    enum Door: Int {
        /// Nothing.
        case open
        /// To be one of the service's own callers.
        case api
        /// To be an operator who may look.
        case read
        /// To be an operator who may act.
        case act
    }

    /// Where a route is served.
    enum Place {
        case publicAddress
        case operationsAddress
        case both
    }

    struct Route: Sendable {
        let door: Door
        let place: Place
        /// The status for who comes in, with an empty object for a body and ids of what is not there.
        let status: Int

        init(_ door: Door, _ place: Place, _ status: Int) {
            self.door = door
            self.place = place
            self.status = status
        }
    }

    /// What every service has.
    static let common: [String: Route] = [
        "GET /livez": Route(.open, .both, 200),
        // There is no broker.
        "GET /readyz": Route(.open, .both, 503),
        "GET /problems": Route(.open, .both, 200),
        "GET /problems/{slug}": Route(.open, .both, 200),
        "GET /openapi.yaml": Route(.open, .both, 200),
        "GET /metrics": Route(.read, .operationsAddress, 200),
        "GET /events": Route(.read, .operationsAddress, 200),
        "GET /events/types": Route(.read, .operationsAddress, 200),
        "GET /dead-letters": Route(.read, .operationsAddress, 200),
        "GET /dead-letters/groups": Route(.read, .operationsAddress, 200),
        "GET /dead-letters/{id}": Route(.read, .operationsAddress, 404),
        "POST /dead-letters/{id}/retry": Route(.act, .operationsAddress, 404),
        "POST /dead-letters/{id}/discard": Route(.act, .operationsAddress, 422),
        "POST /dead-letters/{id}/restore": Route(.act, .operationsAddress, 404),
        "POST /dead-letters/{id}/edit": Route(.act, .operationsAddress, 422),
        "POST /dead-letter-operations": Route(.act, .operationsAddress, 422),
        "GET /dead-letter-operations": Route(.read, .operationsAddress, 200),
        "GET /dead-letter-operations/{id}": Route(.read, .operationsAddress, 404),
        "POST /dead-letter-operations/{id}/pause": Route(.act, .operationsAddress, 404),
        "POST /dead-letter-operations/{id}/resume": Route(.act, .operationsAddress, 404),
        "POST /dead-letter-operations/{id}/cancel": Route(.act, .operationsAddress, 404),
        "GET /backlog": Route(.read, .operationsAddress, 200),
        "GET /feeds": Route(.read, .operationsAddress, 200),
        "POST /feeds/{name}/restart": Route(.act, .operationsAddress, 422),
        "GET /audit": Route(.read, .operationsAddress, 200),
    ]

    /// What the services have of their own; the order that is asked for is there, and has been cancelled.
    static func own(_ service: Shop.Program) -> [String: Route] {
        switch service {
        case .order:
            [
                "POST /orders": Route(.api, .publicAddress, 422), "GET /orders": Route(.api, .publicAddress, 200),
                "GET /orders/{id}": Route(.api, .publicAddress, 200),
                "POST /orders/{id}/cancel": Route(.api, .publicAddress, 200),
                "PUT /orders/{id}/lines": Route(.api, .publicAddress, 422),
                "PUT /orders/{id}/shipping-address": Route(.api, .publicAddress, 422),
            ]
        case .payment:
            [
                "GET /payments/{orderID}": Route(.api, .publicAddress, 404),
                // What is asked for is no day.
                "GET /reconciliations/{day}": Route(.api, .publicAddress, 422),
                // It has no secret to verify it by.
                "POST /webhooks/provider": Route(.open, .publicAddress, 503),
            ]
        case .inventory:
            [
                "GET /products": Route(.api, .publicAddress, 200),
                "GET /products/{sku}": Route(.api, .publicAddress, 404),
                "PUT /products/{sku}": Route(.api, .publicAddress, 422),
                "POST /products/{sku}/stock": Route(.api, .publicAddress, 422),
                "POST /reservations": Route(.api, .publicAddress, 422),
                "GET /reservations/{id}": Route(.api, .publicAddress, 200),
                "PUT /reservations/{id}": Route(.api, .publicAddress, 409),
                // It leaves a mark where there was none.
                "DELETE /reservations/{id}": Route(.api, .publicAddress, 200),
            ]
        case .coupon:
            [
                "GET /coupons/definitions": Route(.api, .publicAddress, 200),
                "GET /coupons/definitions/{id}": Route(.api, .publicAddress, 404),
                "PUT /coupons/definitions/{id}": Route(.api, .publicAddress, 422),
                "POST /coupons/definitions/{id}/claims": Route(.api, .publicAddress, 422),
                "GET /coupons": Route(.api, .publicAddress, 200),
                "GET /coupons/{id}": Route(.api, .publicAddress, 404),
            ]
        case .points:
            [
                "GET /accounts/{customer}": Route(.api, .publicAddress, 200),
                "GET /accounts/{customer}/entries": Route(.api, .publicAddress, 200),
                "POST /accounts/{customer}/charges": Route(.api, .publicAddress, 422),
                "GET /accounts/{customer}/charges/{id}": Route(.api, .publicAddress, 404),
                "GET /ledger": Route(.api, .publicAddress, 200),
            ]
        case .shipping:
            [
                "GET /shipments/{orderID}": Route(.api, .publicAddress, 404),
                // It has no secret to verify it by.
                "POST /webhooks/courier": Route(.open, .publicAddress, 503),
            ]
        case .notification, .analytics, .sandbox: [:]
        }
    }

    /// What the document on the public address describes: the service's API or, where it has none, what every service has there.
    static func documented(_ service: Shop.Program) -> Set<String> {
        let own = own(service)
        return Set(own.isEmpty ? common.filter { $0.value.place == .both }.keys : own.keys)
    }

    static let reader = "reader-0123456789"
    static let actor = "actor-0123456789ab"
    static let shop = "shop-0123456789abc"
    static let key = "doors-0123456789abcdef0123456789"
    private static let jwtHead = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
    /// Customers' tokens of that key, until the year 2100; they have placed the order, and have not.
    static let ada =
        "\(jwtHead).eyJzdWIiOiJhZGEiLCJleHAiOjQxMDI0NDQ4MDB9.fS2uYVmn9D8VjxVVTphFS6eocPJX0A_9HdgUTz8qKtg"
    static let bob =
        "\(jwtHead).eyJzdWIiOiJib2IiLCJleHAiOjQxMDI0NDQ4MDB9.E25Xkx2XafMscxZ9EnafnRxlxQOGTPy2OVZhwIZUoqg"
    static let expired =
        "\(jwtHead).eyJzdWIiOiJhZGEiLCJleHAiOjE3MDAwMDAwMDB9.196EhFWDCq43uHonxWrS0KJu-FFP4GlZ8CySqI8RJCA"

    struct Caller: Sendable {
        let name: String
        var headers: [(name: String, value: String)] = []
        /// A name in `Host` that is not the service's.
        var host: String?
        /// By door: the status that refuses, nil where they come in; where the service has no tokens, and where it has.
        let withoutTokens: [Int?]
        let withTokens: [Int?]
    }

    private static let everywhere: [Int?] = [nil, nil, nil, nil]
    private static let nowhere: [Int?] = [nil, 401, 401, 401]
    private static let fromAPage: [Int?] = [nil, 403, 403, 403]
    private static let elsewhere: [Int?] = [421, 421, 421, 421]

    private static func bearer(_ token: String) -> (name: String, value: String) {
        ("Authorization", "Bearer \(token)")
    }

    /// All of them on this machine; those of other machines are in the unit tests of the doors.
    static let callers: [Caller] = [
        Caller(name: "nobody", withoutTokens: everywhere, withTokens: nowhere),
        Caller(
            name: "a wrong token",
            headers: [bearer("wrong-0123456789ab")],
            withoutTokens: everywhere,
            withTokens: nowhere
        ),
        Caller(
            name: "an operator who may look",
            headers: [bearer(reader)],
            withoutTokens: everywhere,
            withTokens: [nil, 401, nil, 403]
        ),
        Caller(
            name: "an operator who may act",
            headers: [bearer(actor)],
            withoutTokens: everywhere,
            withTokens: [nil, 401, nil, nil]
        ),
        Caller(
            name: "an operator's token as a password",
            headers: [("Authorization", "Basic \(actor)")],
            withoutTokens: everywhere,
            withTokens: nowhere
        ),
        Caller(
            name: "a back end",
            headers: [bearer(shop)],
            withoutTokens: everywhere,
            withTokens: [nil, nil, 401, 401]
        ),
        Caller(
            name: "the customer",
            headers: [bearer(ada)],
            withoutTokens: everywhere,
            withTokens: [nil, nil, 401, 401]
        ),
        Caller(
            name: "another customer",
            headers: [bearer(bob)],
            withoutTokens: everywhere,
            withTokens: [nil, nil, 401, 401]
        ),
        Caller(
            name: "the customer with a token of yesterday",
            headers: [bearer(expired)],
            withoutTokens: everywhere,
            withTokens: nowhere
        ),
        Caller(
            name: "a page of another site",
            headers: [("Origin", "https://evil.example")],
            withoutTokens: fromAPage,
            withTokens: nowhere
        ),
        Caller(
            name: "a page without an origin",
            headers: [("Origin", "null")],
            withoutTokens: fromAPage,
            withTokens: nowhere
        ),
        Caller(
            name: "a page of another site, by Sec-Fetch-Site",
            headers: [("Sec-Fetch-Site", "cross-site")],
            withoutTokens: fromAPage,
            withTokens: nowhere
        ),
        Caller(
            name: "a page of another port",
            headers: [("Origin", "http://127.0.0.1:3000"), ("Sec-Fetch-Site", "same-site")],
            withoutTokens: fromAPage,
            withTokens: nowhere
        ),
        // A token is no cookie: no page has one that was not given it.
        Caller(
            name: "a page of another site with a token",
            headers: [("Origin", "https://admin.example"), bearer(actor)],
            withoutTokens: fromAPage,
            withTokens: [nil, 401, nil, nil]
        ),
        Caller(
            name: "a name that was led here",
            host: "evil.example",
            withoutTokens: elsewhere,
            withTokens: elsewhere
        ),
        Caller(
            name: "a name that was led here, with a token",
            headers: [bearer(actor)],
            host: "127.0.0.1.evil.example",
            withoutTokens: elsewhere,
            withTokens: elsewhere
        ),
    ]

    /// What proxies add, each alone and all at once; it says of itself whatever helps most.
    static let proxies: [[(name: String, value: String)]] = {
        let each = [
            ("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Host", "localhost"), ("X-Forwarded-Proto", "http"),
            ("Forwarded", "for=127.0.0.1;host=localhost;proto=http"), ("X-Real-IP", "127.0.0.1"),
            ("Via", "1.1 localhost"),
        ]
        return [[]] + each.map { [$0] } + [each]
    }()

    /// Customers have no business there.
    private static func isForBackEnds(_ name: String) -> Bool {
        name.hasPrefix("GET /payments") || name.hasPrefix("GET /reconciliations") || name.hasPrefix("GET /shipments")
            || name.contains("/reservations")
            || (name.contains("/products") && !name.hasPrefix("GET"))
            || (name.contains("/coupons/definitions") && !name.hasSuffix("/claims")) || name == "GET /ledger"
    }

    /// What is to be answered.
    ///
    /// - Parameter route: nil where the address does not have it.
    static func status(
        of name: String,
        _ route: Route?,
        for caller: Caller,
        hasTokens: Bool,
        isProxied: Bool
    ) -> Int {
        let verdicts = hasTokens ? caller.withTokens : caller.withoutTokens
        // A strange name learns nothing, not even what there is.
        guard let route else { return caller.host == nil ? 404 : 421 }
        if let refusal = verdicts[route.door.rawValue] { return refusal }
        // A webhook is for programs, whoever may read what is open.
        if route.door == .open, !name.hasPrefix("GET"), caller.name.hasPrefix("a page") { return 403 }
        // Behind a proxy there may be anybody; a token says who.
        if isProxied, !hasTokens, route.door != .open { return 403 }
        if hasTokens, route.door == .api {
            if isForBackEnds(name), caller.name.contains("customer") { return 403 }
            // What cannot be an address is refused before anybody looks whose order it is.
            if name.contains("/orders/{id}"), route.status != 422, caller.name == "another customer" { return 404 }
            // The table asks for one of nobody's.
            if name.contains("/accounts/{customer}"), caller.name.contains("customer") { return 404 }
        }
        return route.status
    }
}
