import HTTP

/// The data platform's HTTP API.
///
///     PUT /platform/records/{id}    201 where it is new, 200 where it was there, 409 where another one is there
///     GET /platform/records/{id}
struct PlatformAPI: Sendable {
    let platform: DataPlatform
    /// The secret key that clients give as a bearer token.
    let key: String

    static let problems = [unknownKey, otherRecord, failing, overloaded, unavailable]

    private static let unknownKey = ProblemKind(
        "platform-unknown-key",
        status: 401,
        title: "The data platform does not know this key",
        meaning: "The request has no key, or another one than `SANDBOX_KEY`. Nothing was stored.",
        mend: "Send the key as a bearer token, or set it: Analytics reads it from `PLATFORM_KEY`."
    )
    private static let otherRecord = ProblemKind(
        "platform-other-record",
        status: 409,
        title: "There is another record of this id",
        meaning: "A record that was put before has this id and other content. It stays as it is.",
        mend: "Give different records different ids, and the same record the same content each time."
    )
    private static let failing = ProblemKind(
        "platform-failed",
        status: 500,
        title: "The data platform has failed",
        meaning: "A fault that was asked for struck. The record may be stored or not.",
        mend: "Put it again: under the same id it is stored once."
    )
    private static let overloaded = ProblemKind(
        "platform-overloaded",
        status: 429,
        title: "Too many records at once",
        meaning: "A fault that was asked for struck. Nothing was stored.",
        mend: "Put it again after the time that `Retry-After` names."
    )
    private static let unavailable = ProblemKind(
        "platform-unavailable",
        status: 503,
        title: "The data platform is down",
        meaning: "A fault that was asked for struck. Nothing was stored.",
        mend: "Put it again later."
    )

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
        case .contradiction: response = Problem(Self.otherRecord).response
        case .failed(.rateLimit): response = Problem(Self.overloaded, headers: ["Retry-After": "1"]).response
        case .failed(.unavailable): response = Problem(Self.unavailable).response
        case .failed: response = Problem(Self.failing).response
        }
        switch reply.transmission {
        case .now: break
        case .at(let time):
            // Cancelled means that the server ends: the answer goes out early rather than not at all.
            try? await Task.sleep(for: .milliseconds(max(0, time - now)))
        case .never:
            try? await Task.sleep(for: Provider.longestSilence)
            return Problem(Self.unavailable).response
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
            throw Problem(Self.unknownKey, headers: ["WWW-Authenticate": "Bearer realm=\"Sandbox\""])
        }
    }
}
