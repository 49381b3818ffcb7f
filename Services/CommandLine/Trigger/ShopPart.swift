import JSON

/// A part of the shop, or of the world around it, that some scenarios talk to beside Order.
struct ShopPart: Sendable {
    let name: String
    /// What else it says of itself in the help.
    private let help: String
    private let port: Int

    /// Payment's own API, which takes the provider's webhooks.
    static let payment = ShopPart(name: "payment", help: "Where Payment's own API is, which takes webhooks", port: 8082)
    static let inventory = ShopPart(name: "inventory", help: "Where Inventory's own API is", port: 8084)
    static let coupon = ShopPart(name: "coupon", help: "Where Coupon's own API is", port: 8085)
    static let points = ShopPart(name: "points", help: "Where Points' own API is", port: 8086)
    /// The payment provider and the courier.
    static let sandbox = ShopPart(name: "sandbox", help: "Where the sandbox is", port: 8090)

    static let all = [payment, inventory, coupon, points, sandbox]

    /// The option that says where it is.
    var option: CommandOption {
        .text(
            optionName,
            "URL",
            help: help,
            fallback: "http://127.0.0.1:\(port)",
            variable: "WARREN_\(name.uppercased())_URL"
        )
    }

    fileprivate var optionName: String { "\(name)-url" }
    fileprivate var whereItIs: String { "--\(optionName) or WARREN_\(name.uppercased())_URL" }
}

/// Talks to one part.
struct PartClient: Sendable {
    let part: ShopPart
    let client: ServiceClient

    /// Sends a request; whatever is answered is the caller's to judge.
    ///
    /// - Throws: `CommandFailure` that says how to mend it when no answer came.
    func send(
        _ method: String,
        _ path: String,
        _ body: JSONValue? = nil,
        headers: [String: String] = [:]
    ) async throws -> ServiceResponse {
        var request = ServiceRequest(method: method, url: client.url(path), headers: headers)
        if let body {
            request.headers["Content-Type"] = "application/json"
            request.body = Array(body.encoded().utf8)
        }
        return try await send(request)
    }

    /// Sends bytes as they are.
    func send(_ request: ServiceRequest) async throws -> ServiceResponse {
        do {
            return try await client.send(request)
        } catch let failure as CommandFailure where failure.code == .unreachable {
            throw CommandFailure(
                .unreachable,
                "the scenario needs \(part.name): \(failure.message)",
                mend: "Start it, or say where it is with \(part.whereItIs)."
            )
        }
    }

    /// Asks for something that has to go well.
    ///
    /// - Returns: the answer; null where it has no body.
    /// - Throws: `CommandFailure` with what the part says where it does not.
    @discardableResult
    func ask(
        _ method: String,
        _ path: String,
        _ body: JSONValue? = nil,
        headers: [String: String] = [:]
    ) async throws -> JSONValue {
        let response = try await send(method, path, body, headers: headers)
        guard (200...299).contains(response.status) else { throw client.failure(of: response) }
        guard !response.body.isEmpty else { return .null }
        guard let answer = response.json else {
            throw CommandFailure(
                .failed,
                "\(part.name) at \(client.base) answered with something that is no JSON",
                mend: "Check \(part.whereItIs)."
            )
        }
        return answer
    }
}

extension ServiceResponse {
    /// The body; nil where it is no JSON.
    var json: JSONValue? { try? JSONValue(parsing: body) }

    /// Which problem it tells of, `price-changed`; nil where it tells of none.
    var problem: String? {
        guard let type = json?["type"]?.text, type.hasPrefix("/problems/") else { return nil }
        return String(type.dropFirst("/problems/".count))
    }

    /// What is wrong with each field, as a problem names it: `lines[0].unitPrice: is 1300 now`.
    var faults: [String] {
        (json?["errors"]?.array ?? []).compactMap { fault in
            fault["field"]?.text.map { "\($0): \(fault["detail"]?.text ?? "")" }
        }
    }
}

extension Invocation {
    /// A client of a part's own API.
    ///
    /// - Throws: `UsageError` where its URL is none.
    func part(_ part: ShopPart) throws -> PartClient {
        var url = try value(part.optionName)
        while url.hasSuffix("/") { url.removeLast() }
        guard url.hasPrefix("http://") || url.hasPrefix("https://"), !url.contains(where: \.isWhitespace) else {
            throw UsageError(
                message: "`\(url)` is no URL of \(part.name)",
                mend: "\(part.whereItIs) is a URL such as \(part.option.fallback ?? "")."
            )
        }
        let service = KnownService(name: part.name, url: url)
        // The sandbox is none of the shop's: it gets no token of it.
        let client =
            part.name == ShopPart.sandbox.name
            ? ServiceClient(service: service, api: .own, token: nil, transport: surroundings.http)
            : try apiClient(of: service)
        return PartClient(part: part, client: client)
    }
}
