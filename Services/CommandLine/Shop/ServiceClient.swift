import HTTP
import JSON
import ServiceKit

/// Talks to one service and turns what can go wrong into failures that say what to do.
struct ServiceClient: Sendable {
    /// Which of a service's two APIs it talks to.
    enum API: Sendable {
        /// The operations API; the audit names the actor.
        case operations(actor: String)
        /// The service's own.
        case own(ShopAPI)
    }

    let service: KnownService
    let api: API
    /// For that API; a secret.
    let token: String?
    let transport: any HTTPTransport

    var base: String { service.url }

    /// Reads a resource.
    func get(
        _ path: String,
        query: [(name: String, value: String)] = [],
        timeout: Duration = .seconds(30)
    )
        async throws -> JSONValue
    {
        try await exchange(ServiceRequest(method: "GET", url: url(path, query), timeout: timeout))
    }

    /// Asks for a deed.
    ///
    /// The answer is null where the service says nothing.
    func post(_ path: String, body: JSONValue, headers: [String: String] = [:]) async throws -> JSONValue {
        try await ask("POST", path, body: body, headers: headers)
    }

    /// Says how something is to be: to say it again changes nothing.
    func put(_ path: String, body: JSONValue) async throws -> JSONValue {
        try await ask("PUT", path, body: body, headers: [:])
    }

    private func ask(
        _ method: String,
        _ path: String,
        body: JSONValue,
        headers: [String: String]
    ) async throws -> JSONValue {
        var request = ServiceRequest(method: method, url: url(path), headers: headers)
        request.headers["Content-Type"] = "application/json"
        request.body = Array(body.encoded().utf8)
        return try await exchange(request)
    }

    /// Sends a request with what its API asks for.
    ///
    /// - Throws: `CommandFailure` when no answer came; whatever came is the caller's to judge.
    func send(_ request: ServiceRequest) async throws -> ServiceResponse {
        var request = request
        request.headers["Accept"] = "application/json, application/problem+json, text/plain"
        if case .operations(let actor) = api { request.headers["Warren-Actor"] = actor }
        if let token { request.headers["Authorization"] = "Bearer \(token)" }
        do {
            return try await transport.send(request)
        } catch let failure as TransportFailure where failure.mayHaveArrived {
            throw CommandFailure(
                .notMet,
                "\(service.name) at \(base) did not answer: \(failure.reason)",
                mend: request.method == "GET" ? nil : "It may have been done all the same; look before you repeat it."
            )
        } catch let failure as TransportFailure {
            throw CommandFailure(
                .unreachable,
                "\(service.name) cannot be reached at \(base): \(failure.reason)",
                mend: "Start it, or say where it is with \(whereItIs)."
            )
        }
    }

    /// An absolute URL of a path and query items.
    func url(_ path: String, _ query: [(name: String, value: String)] = []) -> String {
        base + path + (query.isEmpty ? "" : "?" + FormURLEncoded.encode(query))
    }

    private func exchange(_ request: ServiceRequest) async throws -> JSONValue {
        let response = try await send(request)
        guard (200...299).contains(response.status) else { throw failure(of: response) }
        if response.body.isEmpty { return .null }
        guard let answer = try? JSONValue(parsing: response.body) else {
            throw CommandFailure(
                .failed,
                "\(service.name) at \(base) answered with something that is no JSON",
                mend: notTheService
            )
        }
        if let name = answer["service"]?.text, name != service.name, service.url != service.name {
            throw CommandFailure(
                .failed,
                "the service at \(base) calls itself `\(name)`, not `\(service.name)`",
                mend: "Write \(name)=\(base) in --\(ServiceLocation.option) or \(ServiceLocation.variable)."
                    + (request.method == "GET" ? "" : " What was asked for was done there.")
            )
        }
        return answer
    }

    private var tokenVariable: String {
        switch api {
        case .operations: "WARREN_OPERATIONS_TOKEN"
        case .own: "WARREN_API_TOKEN"
        }
    }

    /// What to do where somebody else answers.
    var notTheService: String { "Check that \(whereItIs) leads to a service built on Warren." }

    private var whereItIs: String {
        switch api {
        case .operations: "--\(ServiceLocation.option) or \(ServiceLocation.variable)"
        case .own(let api): api.whereItIs
        }
    }

    /// What an answer that is no success means (RFC 9457 where it is a problem document).
    func failure(of response: ServiceResponse) -> CommandFailure {
        let problem = try? JSONValue(parsing: response.body)
        var message = "\(service.name): " + (problem?["title"]?.text ?? "status \(response.status)")
        if let detail = problem?["detail"]?.text { message += ": \(detail)" }
        let faults = problem?["errors"]?.array ?? []
        let list = faults.compactMap { fault in
            fault["field"]?.text.map { "\($0): \(fault["detail"]?.text ?? "")" }
        }
        let mend = list.isEmpty ? nil : list.joined(separator: "\n")
        switch response.status {
        case 401, 403:
            return CommandFailure(
                .notAllowed,
                message,
                mend: token == nil
                    ? "Set \(tokenVariable) to one of the service's tokens; without them it answers on loopback only."
                    : "Check that \(tokenVariable) is one of the service's tokens, and may do that."
            )
        case 404: return CommandFailure(.notFound, message, mend: mend)
        case 408, 504: return CommandFailure(.notMet, message, mend: mend)
        default: return CommandFailure(.failed, message, mend: mend)
        }
    }
}
