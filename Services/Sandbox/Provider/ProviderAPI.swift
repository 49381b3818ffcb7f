import FoundationEssentials
import HTTP

/// The provider's HTTP API, by Stripe's paths and shapes.
struct ProviderAPI: Sendable {
    let provider: Provider
    /// The secret key that clients give as user name.
    let key: String

    /// Registers the routes, and answers in the provider's own way for those that there are not.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("POST", "/v1/payment_intents", createIntent)
        route("GET", "/v1/payment_intents", listIntents)
        route("GET", "/v1/payment_intents/search", searchIntents)
        route("GET", "/v1/payment_intents/{id}", showIntent)
        route("POST", "/v1/payment_intents/{id}/confirm", confirmIntent)
        route("POST", "/v1/payment_intents/{id}/capture", captureIntent)
        route("POST", "/v1/payment_intents/{id}/cancel", cancelIntent)
        route("POST", "/v1/refunds", createRefund)
        route("GET", "/v1/refunds", listRefunds)
        route("GET", "/v1/refunds/{id}", showRefund)
        route("GET", "/v1/disputes", listDisputes)
        route("GET", "/v1/disputes/{id}", showDispute)
        route("GET", "/v1/events", listEvents)
        route("GET", "/v1/events/{id}", showEvent)
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            var pattern = "/v1"
            for segment in ["", "/{a}", "/{b}", "/{c}", "/{d}", "/{e}"] {
                pattern += segment
                route(method, pattern, unknownRoute)
            }
        }
    }

    @Sendable private func unknownRoute(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unauthorized() }
        return try Provider.response(.unknownRoute(request.method, request.path))
    }

    @Sendable private func createIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await posted(request, "payment_intents.create") { .createIntent(form: $0, key: $1) }
    }

    @Sendable private func confirmIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await posted(request, "payment_intents.confirm") { .confirmIntent(id: id, form: $0, key: $1) }
    }

    @Sendable private func captureIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await posted(request, "payment_intents.capture") { .captureIntent(id: id, form: $0, key: $1) }
    }

    @Sendable private func cancelIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await posted(request, "payment_intents.cancel") { .cancelIntent(id: id, form: $0, key: $1) }
    }

    @Sendable private func createRefund(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await posted(request, "refunds.create") { .createRefund(form: $0, key: $1) }
    }

    @Sendable private func listIntents(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await got(request, "payment_intents.list") { $0.listIntents($1, at: $2) }
    }

    @Sendable private func searchIntents(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await got(request, "payment_intents.search") { $0.searchIntents($1, at: $2) }
    }

    @Sendable private func showIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await got(request, "payment_intents.show") { $0.intent(id, $1, at: $2) }
    }

    @Sendable private func showRefund(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await got(request, "refunds.show") { $0.refund(id, $1, at: $2) }
    }

    @Sendable private func listRefunds(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await got(request, "refunds.list") { $0.listRefunds($1, at: $2) }
    }

    @Sendable private func listDisputes(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await got(request, "disputes.list") { $0.listDisputes($1, at: $2) }
    }

    @Sendable private func showDispute(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await got(request, "disputes.show") { $0.dispute(id, $1, at: $2) }
    }

    @Sendable private func listEvents(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await got(request, "events.list") { $0.listEvents($1, at: $2) }
    }

    @Sendable private func showEvent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await got(request, "events.show") { $0.event(id, $1, at: $2) }
    }

    private func got(
        _ request: HTTPRequest,
        _ operation: StaticString,
        _ question: (_ state: ProviderState, _ query: [String: String], _ now: Int64) -> ProviderReply
    ) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unauthorized() }
        guard let version = version(of: request) else { return try Provider.response(.unknownVersion) }
        let query = Dictionary(request.query.map { ($0.name, $0.value) }) { _, last in last }
        var response = try await provider.answer(operation) { state, now in question(state, query, now) }
        response.headers["Stripe-Version"] = version
        return response
    }

    private func posted(
        _ request: HTTPRequest,
        _ operation: StaticString,
        _ call: (_ form: [String: String], _ key: String?) -> ProviderCall
    ) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unauthorized() }
        guard let version = version(of: request) else { return try Provider.response(.unknownVersion) }
        guard let items = FormURLEncoded.decode(request.body) else {
            return try Provider.response(.invalid(nil, "The request body is not a form."))
        }
        let form = Dictionary(items.map { ($0.name, $0.value) }) { _, last in last }
        let key = request.headers["Idempotency-Key"]
        var response = try await provider.answer(operation, call(form, key))
        response.headers["Stripe-Version"] = version
        return response
    }

    /// The version of the API that a client asks for, `2024-06-20` or `2025-03-31.basil`; nil for something else.
    ///
    /// Only its form is looked at: what this provider answers is the same in all of them.
    private func version(of request: HTTPRequest) -> String? {
        let version = request.headers["Stripe-Version"] ?? "2024-06-20"
        let isVersion = version.utf8.count <= 32 && version.wholeMatch(of: /\d{4}-\d{2}-\d{2}(\.[a-z]+)?/) != nil
        return isVersion ? version : nil
    }

    private func unauthorized() throws -> HTTPResponse {
        var response = try Provider.response(.unauthorized)
        response.headers["WWW-Authenticate"] = "Basic realm=\"Sandbox\""
        return response
    }

    /// The key comes as the user name of HTTP Basic authentication, or as a bearer token.
    private func isAuthorized(_ request: HTTPRequest) -> Bool {
        guard let field = request.headers["Authorization"] else { return false }
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2 else { return false }
        switch parts[0].lowercased() {
        case "bearer":
            return parts[1] == key
        case "basic":
            guard let data = Data(base64Encoded: String(parts[1])) else { return false }
            return data.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false).first
                .map { $0.elementsEqual(key.utf8) } ?? false
        default:
            return false
        }
    }
}
