import HTTP

/// The data platform's HTTP API.
///
///     PUT /platform/records/{id}    201 where it is new, 200 where it was there, 409 where another one is there
///     GET /platform/records/{id}
struct PlatformAPI: Sendable {
    let platform: DataPlatform
    /// The secret key that clients give as a bearer token.
    let key: String

    /// Registers the routes.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("PUT", "/platform/records/{id}", put)
        route("GET", "/platform/records/{id}", show)
    }

    @Sendable private func put(_ request: HTTPRequest) async throws -> HTTPResponse {
        try authorize(request)
        let record = try request.decode(DataPlatform.Record.self, members: DataPlatform.Record.members)
        guard record.id == request.parameters["id"] else {
            throw Problem.invalidRequest([Problem.Fault(field: "id", detail: "must be the id in the path")])
        }
        let now = Provider.wallClock()
        let reply = platform.put(record, at: now)
        var response: HTTPResponse
        switch reply.outcome {
        case .stored: response = try .json(record, status: 201)
        case .known: response = try .json(record)
        case .contradiction: response = Problem(.platformOtherRecord).response
        case .failed(.rateLimit): response = Problem(.platformOverloaded, headers: ["Retry-After": "1"]).response
        case .failed(.unavailable): response = Problem(.platformUnavailable).response
        case .failed: response = Problem(.platformFailed).response
        }
        switch reply.transmission {
        case .now: break
        case .at(let time):
            // Cancelled means that the server ends: the answer goes out early rather than not at all.
            try? await Task.sleep(for: .milliseconds(max(0, time - now)))
        case .never:
            try? await Task.sleep(for: Provider.longestSilence)
            return Problem(.platformUnavailable).response
        case .cutOff: response.body = Array(response.body.prefix(response.body.count / 2))
        }
        return response
    }

    @Sendable private func show(_ request: HTTPRequest) async throws -> HTTPResponse {
        try authorize(request)
        guard let record = platform.record(request.parameters["id"] ?? "") else { throw Problem(.notFound) }
        return try .json(record)
    }

    private func authorize(_ request: HTTPRequest) throws {
        guard request.headers["Authorization"] == "Bearer \(key)" else {
            throw Problem(.platformUnknownKey, headers: ["WWW-Authenticate": "Bearer realm=\"Sandbox\""])
        }
    }
}
