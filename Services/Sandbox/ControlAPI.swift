import HTTP

/// What tests and demos steer the sandbox with; no part of the APIs of those whom it stands for.
///
///     POST   /sandbox/faults {"operation": "charge", "kind": "error-after", "count": 1, "delayMilliseconds": 3000}
///     DELETE /sandbox/faults
///     GET    /sandbox/ledger
///     GET    /sandbox/records
///     POST   /sandbox/reset
struct ControlAPI: Sendable {
    let provider: Provider
    let platform: DataPlatform
    /// The courier, which has a control API of its own and is reset with the others.
    var courier: Courier?

    private struct FaultRequest: Decodable {
        let operation: String
        let kind: String
        let count: Int?
        let delayMilliseconds: Int64?
    }

    /// Registers the routes.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("POST", "/sandbox/faults", plan)
        route("DELETE", "/sandbox/faults", clear)
        route("GET", "/sandbox/ledger", ledger)
        route("GET", "/sandbox/records", records)
        route("POST", "/sandbox/reset", reset)
    }

    @Sendable private func plan(_ request: HTTPRequest) async throws -> HTTPResponse {
        let members = ["operation", "kind", "count", "delayMilliseconds"]
        let wanted = try request.decode(FaultRequest.self, members: members)
        var faults: [Problem.Fault] = []
        let operation = Fault.Operation(rawValue: wanted.operation)
        if operation == nil {
            let known = Fault.Operation.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append(Problem.Fault(field: "operation", detail: "must be one of: \(known)"))
        }
        let kind = Fault.Kind(rawValue: wanted.kind)
        if kind == nil {
            let known = Fault.Kind.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append(Problem.Fault(field: "kind", detail: "must be one of: \(known)"))
        }
        let count = wanted.count ?? 1
        if !(1...1_000_000).contains(count) {
            faults.append(Problem.Fault(field: "count", detail: "must be from 1 to 1000000"))
        }
        let delay = wanted.delayMilliseconds ?? FaultPlan.standardDelay
        if !(0...120_000).contains(delay) {
            faults.append(Problem.Fault(field: "delayMilliseconds", detail: "must be from 0 to 120000"))
        }
        guard let operation, let kind, faults.isEmpty else {
            throw Problem.invalidRequest(faults)
        }
        let fault = Fault(kind: kind, delayMilliseconds: delay)
        switch operation {
        case .charge, .refund: provider.control(.plan(fault, for: operation, count: count))
        case .record: platform.plan(fault, count: count)
        }
        return HTTPResponse(status: 204)
    }

    @Sendable private func clear(_ request: HTTPRequest) async throws -> HTTPResponse {
        provider.control(.clearFaults)
        platform.clearFaults()
        return HTTPResponse(status: 204)
    }

    @Sendable private func ledger(_ request: HTTPRequest) async throws -> HTTPResponse {
        try .json(provider.control { state, now in state.ledger(at: now) })
    }

    /// What the data platform has stored, and how often each came.
    @Sendable private func records(_ request: HTTPRequest) async throws -> HTTPResponse {
        try .json(["records": platform.records])
    }

    @Sendable private func reset(_ request: HTTPRequest) async throws -> HTTPResponse {
        try provider.reset()
        platform.reset()
        courier?.reset()
        return HTTPResponse(status: 204)
    }
}
