import HTTP
import JSON
import ServiceKit

/// Talks to one service and turns what can go wrong into failures that say what to do.
struct ServiceClient: Sendable {
    let service: ShopService
    /// Without a slash at its end.
    let base: String
    /// For the operations API; a secret.
    let token: String?
    /// Who the audit names.
    let actor: String
    let transport: any HTTPTransport

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
        var request = ServiceRequest(method: "POST", url: url(path), headers: headers)
        request.headers["Content-Type"] = "application/json"
        request.body = Array(body.encoded().utf8)
        return try await exchange(request)
    }

    /// Sends a request with credentials where it is for the operations API.
    ///
    /// - Throws: `CommandFailure` when no answer came; whatever came is the caller's to judge.
    func send(_ request: ServiceRequest) async throws -> ServiceResponse {
        var request = request
        request.headers["Accept"] = "application/json, application/problem+json, text/plain"
        if !isOrderAPI(request.url) {
            request.headers["Warren-Actor"] = actor
            if let token { request.headers["Authorization"] = "Bearer \(token)" }
        }
        do {
            return try await transport.send(request)
        } catch let failure as TransportFailure where failure.mayHaveArrived {
            throw CommandFailure(
                .notMet,
                "\(service.rawValue) at \(base) did not answer: \(failure.reason)",
                mend: request.method == "GET" ? nil : "It may have been done all the same; look before you repeat it."
            )
        } catch let failure as TransportFailure {
            throw CommandFailure(
                .unreachable,
                "\(service.rawValue) cannot be reached at \(base): \(failure.reason)",
                mend: "Start it, or say where it is with --\(service.option) or \(service.variable)."
            )
        }
    }

    /// An absolute URL of a path and query items.
    func url(_ path: String, _ query: [(name: String, value: String)] = []) -> String {
        base + path + (query.isEmpty ? "" : "?" + FormURLEncoded.encode(query))
    }

    /// Orders belong to customers: their requests carry no operator's credentials.
    private func isOrderAPI(_ url: String) -> Bool {
        let path = url.dropFirst(base.count)
        return path == "/orders" || path.hasPrefix("/orders/") || path.hasPrefix("/orders?")
    }

    private func exchange(_ request: ServiceRequest) async throws -> JSONValue {
        let response = try await send(request)
        guard (200...299).contains(response.status) else { throw failure(of: response) }
        if response.body.isEmpty { return .null }
        do {
            return try JSONValue(parsing: response.body)
        } catch {
            throw CommandFailure(
                .failed,
                "\(service.rawValue) at \(base) answered with something that is no JSON",
                mend: "Check that \(service.variable) leads to the \(service.rawValue) service of Warren."
            )
        }
    }

    /// What an answer that is no success means (RFC 9457 where it is a problem document).
    func failure(of response: ServiceResponse) -> CommandFailure {
        let problem = try? JSONValue(parsing: response.body)
        var message = "\(service.rawValue): " + (problem?["title"]?.text ?? "status \(response.status)")
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
                    ? "Set WARREN_OPERATIONS_TOKEN to the token of the service; without one it answers on loopback only."
                    : "Check that WARREN_OPERATIONS_TOKEN is the token that the service was started with."
            )
        case 404: return CommandFailure(.notFound, message, mend: mend)
        case 408, 504: return CommandFailure(.notMet, message, mend: mend)
        default: return CommandFailure(.failed, message, mend: mend)
        }
    }
}
