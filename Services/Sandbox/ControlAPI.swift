import HTTP

/// What tests and demos steer the sandbox with; no part of the APIs of those whom it stands for.
///
///     POST   /sandbox/faults {"operation": "charge", "kind": "error-after", "count": 1, "delayMilliseconds": 3000}
///     DELETE /sandbox/faults
///     GET    /sandbox/ledger
///     GET    /sandbox/records
///     POST   /sandbox/webhooks {"action": "hold"}      or `release`, `release-newest-first`
///     GET    /sandbox/webhooks                         whether any are sent, how many wait, and each attempt
///     POST   /sandbox/dashboard/charges {"order": "42", "amount": 500, "currency": "eur", "paymentMethod": "pm_card_visa"}
///     POST   /sandbox/dashboard/refunds {"order": "42", "amount": 500}        or `paymentIntent`
///     POST   /sandbox/dashboard/refunds/{id}/fail
///     POST   /sandbox/dashboard/disputes {"order": "42", "reason": "fraudulent"}
///     POST   /sandbox/dashboard/disputes/{id} {"status": "lost"}      or `won`
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
        route("POST", "/sandbox/webhooks", webhooks)
        route("GET", "/sandbox/webhooks") { [provider] _ in try .json(provider.webhooks) }
        route("POST", "/sandbox/dashboard/charges", charge)
        route("POST", "/sandbox/dashboard/refunds", refund)
        route("POST", "/sandbox/dashboard/refunds/{id}/fail", failRefund)
        route("POST", "/sandbox/dashboard/disputes", openDispute)
        route("POST", "/sandbox/dashboard/disputes/{id}", closeDispute)
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
        if let operation, let kind, !operation.kinds.contains(kind) {
            let known = operation.kinds.map(\.rawValue).joined(separator: ", ")
            faults.append(Problem.Fault(field: "kind", detail: "must for this operation be one of: \(known)"))
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
        case .webhook: provider.controlWebhooks { outbox, _ in outbox.plan(fault, count: count) }
        case .search: provider.control(.lagSearch(milliseconds: delay))
        }
        return HTTPResponse(status: 204)
    }

    @Sendable private func clear(_ request: HTTPRequest) async throws -> HTTPResponse {
        provider.control(.clearFaults)
        platform.clearFaults()
        provider.controlWebhooks { outbox, now in outbox.clear(at: now) }
        return HTTPResponse(status: 204)
    }

    private struct WebhookRequest: Decodable {
        let action: String
    }

    @Sendable private func webhooks(_ request: HTTPRequest) async throws -> HTTPResponse {
        let wanted = try request.decode(WebhookRequest.self, members: ["action"])
        switch wanted.action {
        case "hold": provider.controlWebhooks { outbox, _ in outbox.hold() }
        case "release": provider.controlWebhooks { outbox, now in outbox.release(newestFirst: false, at: now) }
        case "release-newest-first":
            provider.controlWebhooks { outbox, now in outbox.release(newestFirst: true, at: now) }
        default:
            let fault = Problem.Fault(
                field: "action",
                detail: "must be one of: hold, release, release-newest-first"
            )
            throw Problem.invalidRequest([fault])
        }
        return HTTPResponse(status: 204)
    }

    /// A charge that nobody's API asked for.
    private struct ChargeRequest: Decodable {
        static let members = ["order", "amount", "currency", "paymentMethod"]
        let order: String
        let amount: Int64
        let currency: String
        let paymentMethod: String

        /// As the provider's own call has it.
        var form: [String: String] {
            [
                "amount": String(amount), "currency": currency, "payment_method": paymentMethod, "confirm": "true",
                "metadata[order_id]": order,
            ]
        }
    }

    @Sendable private func charge(_ request: HTTPRequest) async throws -> HTTPResponse {
        let wanted = try request.decode(ChargeRequest.self, members: ChargeRequest.members)
        return try await provider.answer("dashboard.charge", .createIntent(form: wanted.form, key: nil))
    }

    /// What the provider's own people, or a customer's bank, do to a charge.
    private struct DeedRequest: Decodable {
        static let members = ["order", "paymentIntent", "amount", "reason"]
        let order: String?
        let paymentIntent: String?
        let amount: Int64?
        let reason: String?

        /// As the provider's own calls have it.
        var form: [String: String] {
            let items = [
                "order": order, "payment_intent": paymentIntent, "amount": amount.map(String.init), "reason": reason,
            ]
            return items.compactMapValues { $0 }
        }
    }

    @Sendable private func refund(_ request: HTTPRequest) async throws -> HTTPResponse {
        let deed = try request.decode(DeedRequest.self, members: DeedRequest.members)
        return try await provider.answer("dashboard.refund", .refundByHand(form: deed.form))
    }

    @Sendable private func failRefund(_ request: HTTPRequest) async throws -> HTTPResponse {
        try request.checkNoBody()
        return try await provider.answer("dashboard.fail", .failRefund(id: request.parameters["id"] ?? ""))
    }

    @Sendable private func openDispute(_ request: HTTPRequest) async throws -> HTTPResponse {
        let deed = try request.decode(DeedRequest.self, members: DeedRequest.members)
        return try await provider.answer("dashboard.dispute", .openDispute(form: deed.form))
    }

    private struct VerdictRequest: Decodable {
        let status: String
    }

    @Sendable private func closeDispute(_ request: HTTPRequest) async throws -> HTTPResponse {
        let verdict = try request.decode(VerdictRequest.self, members: ["status"])
        let call = ProviderCall.closeDispute(
            id: request.parameters["id"] ?? "",
            form: ["status": verdict.status]
        )
        return try await provider.answer("dashboard.verdict", call)
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
