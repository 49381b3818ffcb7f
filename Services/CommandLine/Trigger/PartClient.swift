import JSON

/// Talks to one part.
struct PartClient: Sendable {
    let part: ShopAPI
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
                "the scenario needs \(part.service): \(failure.message)",
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
                "\(part.service) at \(client.base) answered with something that is no JSON",
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
    /// A client of what a scenario talks to beside Order.
    ///
    /// - Throws: `UsageError` where its URL is none.
    func part(_ part: ShopAPI) throws -> PartClient { PartClient(part: part, client: try client(of: part)) }
}
