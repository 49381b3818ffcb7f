import FoundationEssentials
import HTTP

/// The provider's HTTP API, by Stripe's paths and shapes.
struct ProviderAPI: Sendable {
    let provider: Provider
    /// The secret key that clients give as user name.
    let key: String

    /// Registers the routes.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("POST", "/v1/payment_intents", createIntent)
        route("GET", "/v1/payment_intents/{id}", showIntent)
        route("POST", "/v1/payment_intents/{id}/cancel", cancelIntent)
        route("POST", "/v1/refunds", createRefund)
        route("GET", "/v1/refunds", listRefunds)
        route("GET", "/v1/refunds/{id}", showRefund)
    }

    @Sendable private func createIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await posted(request, "payment_intents.create") { .createIntent(form: $0, key: $1) }
    }

    @Sendable private func cancelIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await posted(request, "payment_intents.cancel") { .cancelIntent(id: id, form: $0, key: $1) }
    }

    @Sendable private func createRefund(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await posted(request, "refunds.create") { .createRefund(form: $0, key: $1) }
    }

    @Sendable private func showIntent(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        // `search` lies where an id would: the API's own ambiguity.
        if id == "search" {
            return try await got(request, "payment_intents.search") { state, now in
                state.searchIntents(request.queryValue("query") ?? "", at: now)
            }
        }
        return try await got(request, "payment_intents.show") { state, now in state.intent(id, at: now) }
    }

    @Sendable private func showRefund(_ request: HTTPRequest) async throws -> HTTPResponse {
        let id = request.parameters["id"] ?? ""
        return try await got(request, "refunds.show") { state, now in state.refund(id, at: now) }
    }

    @Sendable private func listRefunds(_ request: HTTPRequest) async throws -> HTTPResponse {
        try await got(request, "refunds.list") { state, now in
            state.refunds(of: request.queryValue("payment_intent"), at: now)
        }
    }

    private func got(
        _ request: HTTPRequest,
        _ operation: StaticString,
        _ question: (ProviderState, Int64) -> ProviderReply
    ) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unauthorized() }
        return try await provider.answer(operation, question)
    }

    private func posted(
        _ request: HTTPRequest,
        _ operation: StaticString,
        _ call: (_ form: [String: String], _ key: String?) -> ProviderCall
    ) async throws -> HTTPResponse {
        guard isAuthorized(request) else { return try unauthorized() }
        guard let items = FormURLEncoded.decode(request.body) else {
            return try Provider.response(.invalid(nil, "The request body is not a form."))
        }
        let form = Dictionary(items.map { ($0.name, $0.value) }) { _, last in last }
        let key = request.headers["Idempotency-Key"]
        return try await provider.answer(operation, call(form, key))
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
