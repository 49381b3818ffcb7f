import HTTP
import JSON

/// What scenarios ask of the sandbox: bad days, its books, and what its people and banks do.
struct SandboxClient: Sendable {
    let part: PartClient

    // MARK: Bad days

    /// Plans a bad day of the payment provider's.
    ///
    /// - Parameters:
    ///   - kind: `error-after`, say.
    ///   - operation: `charge` or `refund`.
    func plan(_ kind: String, for operation: String) async throws {
        try await part.ask("POST", "/sandbox/faults", ["operation": .string(operation), "kind": .string(kind)])
    }

    /// Plans bad days of the courier's.
    ///
    /// - Parameters:
    ///   - kind: `rate-limit`, say.
    ///   - call: `put`, `get`, `delete` or `webhook`.
    func planCourier(_ kind: String, for call: String, count: Int64 = 1) async throws {
        try await part.ask(
            "POST",
            "/sandbox/courier/faults",
            ["call": .string(call), "kind": .string(kind), "count": .integer(count)]
        )
    }

    /// Whom the sandbox plays.
    enum Player: String, Sendable {
        case provider
        case courier
    }

    /// Takes back what was planned.
    func clearFaults(of whom: Player) async throws {
        try await part.ask("DELETE", whom == .courier ? "/sandbox/courier/faults" : "/sandbox/faults")
    }

    // MARK: Books

    /// Makes sure that it is there, before something is begun that could not be looked at.
    ///
    /// - Throws: `CommandFailure` that says how to name it where it is not.
    func makeSureItIsThere() async throws { try await part.ask("GET", "/sandbox/ledger") }

    /// What the provider did for an order.
    struct Account: Sendable, Equatable {
        var charges: Int64
        var refunds: Int64
        /// Under how many keys refunds were asked for.
        var refundKeys: Int64
        /// The intent that is charged; nil where none is.
        var intent: String?
        /// The refund of it; nil where there is none.
        var refund: String?
    }

    func account(of order: String) async throws -> Account {
        let ledger = try await part.ask("GET", "/sandbox/ledger")
        let intent = (ledger["intents"]?.array ?? []).last { intent in
            intent.member(at: "metadata.order_id")?.text == order && intent["status"]?.text == "succeeded"
        }
        let id = intent?["id"]?.text
        let refund = (ledger["refunds"]?.array ?? []).last { id != nil && $0["payment_intent"]?.text == id }
        return Account(
            charges: ledger["chargesByOrder"]?[order]?.integer ?? 0,
            refunds: ledger["refundsByOrder"]?[order]?.integer ?? 0,
            refundKeys: ledger["refundKeysByOrder"]?[order]?.integer ?? 0,
            intent: id,
            refund: refund?["id"]?.text
        )
    }

    /// What the courier did for an order, as `address-taken`.
    func courierEffects(of order: String) async throws -> [String] {
        let all = try await part.ask("GET", "/sandbox/courier/effects")["effects"]?.array ?? []
        return all.filter { $0["shipment"]?.text == order }.compactMap { $0["kind"]?.text }
    }

    // MARK: Webhooks

    /// Whether the provider sends webhooks at all.
    func sendsWebhooks() async throws -> Bool {
        try await part.ask("GET", "/sandbox/webhooks")["isSending"] == .bool(true)
    }

    /// The type of a webhook about an intent that was taken; nil as long as none was.
    ///
    /// - Parameter prefix: what its type begins with.
    func takenWebhook(about intent: String, _ prefix: String) async throws -> String? {
        let attempts = try await part.ask("GET", "/sandbox/webhooks")["attempts"]?.array ?? []
        return attempts.first { attempt in
            attempt["paymentIntent"]?.text == intent && attempt["type"]?.text?.hasPrefix(prefix) == true
                && (200...299).contains(attempt["status"]?.integer ?? 0)
        }?["type"]?.text
    }

    // MARK: The dashboard

    /// Charges a card for an order, whoever asked for it.
    ///
    /// - Returns: the intent, declined or not.
    func charge(_ draft: OrderClient.Draft, for order: String) async throws -> String {
        let response = try await part.send(
            "POST",
            "/sandbox/dashboard/charges",
            [
                "order": .string(order), "amount": .integer(draft.unitPrice * draft.quantity),
                "currency": .string(draft.currency.lowercased()), "paymentMethod": .string(draft.paymentMethod),
            ]
        )
        let answer = response.json
        // A decline is an error that shows its intent.
        guard [200, 402].contains(response.status),
            let intent = answer?["id"]?.text ?? answer?.member(at: "error.payment_intent.id")?.text
        else { throw part.client.failure(of: response) }
        return intent
    }

    /// The bank sends back a refund that had succeeded.
    func failRefund(_ id: String) async throws {
        try await part.ask("POST", "/sandbox/dashboard/refunds/\(PercentEncoding.encode(id))/fail")
    }
}

extension Invocation {
    /// - Throws: `UsageError` where its URL is none.
    func sandbox() throws -> SandboxClient { SandboxClient(part: try part(.sandbox)) }
}
