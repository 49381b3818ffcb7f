import HTTP

/// What tests and demonstrations steer the courier with; no part of its API.
///
///     POST   /sandbox/courier/faults {"call": "put", "kind": "unavailable", "count": 1, "delayMilliseconds": 3000}
///     DELETE /sandbox/courier/faults
///     POST   /sandbox/courier/shipments/{id}/move    the parcel leaves, or arrives where it has left, now
///     GET    /sandbox/courier/effects                each address that was taken, each parcel that left, arrived, was called back
///     GET    /sandbox/courier/webhooks               each attempt, and what it was answered
struct CourierControl: Sendable {
    let courier: Courier

    private struct FaultRequest: Decodable {
        let call: String
        let kind: String
        let count: Int?
        let delayMilliseconds: Int64?
    }

    /// Registers the routes.
    func register(_ route: (String, String, @escaping Router.Handler) -> Void) {
        route("POST", "/sandbox/courier/faults", plan)
        route("DELETE", "/sandbox/courier/faults") { [courier] _ in
            courier.clearFaults()
            return HTTPResponse(status: 204)
        }
        route("POST", "/sandbox/courier/shipments/{id}/move") { [courier] request in
            guard courier.moveOn(request.parameters["id"] ?? "") != nil else {
                throw Problem(.notFound, detail: "There is no shipment of this id that can leave or arrive.")
            }
            return HTTPResponse(status: 204)
        }
        route("GET", "/sandbox/courier/effects") { [courier] _ in try .json(["effects": courier.effects]) }
        route("GET", "/sandbox/courier/webhooks") { [courier] _ in try .json(["webhooks": courier.sent]) }
    }

    @Sendable private func plan(_ request: HTTPRequest) async throws -> HTTPResponse {
        let wanted = try request.decode(FaultRequest.self, members: ["call", "kind", "count", "delayMilliseconds"])
        var faults: [Problem.Fault] = []
        let call = CourierFault.Call(rawValue: wanted.call)
        if call == nil {
            let known = CourierFault.Call.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append(Problem.Fault(field: "call", detail: "must be one of: \(known)"))
        }
        let kinds = CourierFault.Kind.allCases.filter { kind in call.map(kind.strikes) ?? true }
        let kind = kinds.first { $0.rawValue == wanted.kind }
        if kind == nil {
            let known = kinds.map(\.rawValue).joined(separator: ", ")
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
        guard let call, let kind, faults.isEmpty else { throw Problem.invalidRequest(faults) }
        courier.plan(CourierFault(kind: kind, delayMilliseconds: delay), for: call, count: count)
        return HTTPResponse(status: 204)
    }
}
