import Events
import HTTP
import JSON
import ServiceKit

// What the provider tells by webhook: early, late, of nobody's order, and in somebody else's name.
extension Stage {
    /// Has the provider refund and not answer, so that its webhook is there before its answer.
    func webhookBeforeRefund() async throws {
        let sandbox = try await sandboxWithWebhooks()
        let (id, intent) = try await paidAtSandbox(sandbox)
        let ended = try await refundCalls()
        try await sandbox.plan("timeout", for: "refund")
        step("plan", "the provider will refund and not answer", order: id)
        try await onBadDays(of: .provider, sandbox) {
            let cancelled = try await invocation.orders().cancel(id)
            step("cancel", "order \(id) is \(OrderGoal.describe(cancelled))", order: id)
            let type = try await webhook("refund.", about: intent, sandbox)
            step("webhook", "\(type) is taken", order: id)
            try await wait(for: .refunded, order: id)
        }
        guard try await refundCalls() == ended else {
            throw CommandFailure(
                .notMet,
                "order \(id) is refunded, but payment had its own answer, or had given it up, before the webhook was followed",
                mend: "Try again, with nothing else refunded meanwhile and PAYMENT_PROVIDER_TIMEOUT of some seconds."
            )
        }
        step("compare", "it is refunded by the webhook: the refund's own answer is still waited for", order: id)
        try await settle(id)
        try await checkRefundedOnce(id, sandbox)
        step("compare", "refunded and told once", order: id)
    }

    /// Charges a card at the provider for an order that nobody has placed.
    func webhookBeforeOrder() async throws {
        let sandbox = try await sandboxWithWebhooks()
        let id = UUIDv7.make()
        let intent = try await sandbox.charge(OrderClient.Draft(), for: id)
        step("charge", "the provider has charged a card for \(id), which nobody has ordered", order: id)
        let type = try await webhook("payment_intent.succeeded", about: intent, sandbox)
        step("webhook", "\(type) is taken", order: id)
        let delivery = try await delivery(of: id, as: "payment.unknown-payment", ["scheduled", "dead"])
        step("look", "payment knows no such order: \(delivery["error"]?.text ?? "")", order: id)
        let payment = try await invocation.part(.payment).send("GET", "/payments/\(id)")
        try check(payment.status == 404, "payment has made a payment of a webhook alone: status \(payment.status)")
        step(
            "compare",
            "nothing is charged or confirmed by it; payment looks again until it is a dead letter",
            order: id
        )
        invocation.printer.note("`warren order trace \(id)` shows when it looks again.")
    }

    /// Declines a second card at the provider for an order that is paid.
    func failLate() async throws {
        let sandbox = try await sandboxWithWebhooks()
        let (id, _) = try await paidAtSandbox(sandbox)
        let other = try await sandbox.charge(OrderClient.Draft(paymentMethod: "pm_card_chargeDeclined"), for: id)
        step("decline", "the provider has declined another card for the order", order: id)
        let type = try await webhook("payment_intent.payment_failed", about: other, sandbox)
        step("webhook", "\(type) is taken after the order was paid", order: id)
        try await settle(id)
        let order = try await invocation.orders().show(id)
        try check(
            order["status"]?.text == "confirmed" && order.member(at: "payment.status")?.text == "captured",
            "order \(id) is \(OrderGoal.describe(order)) after a late failure"
        )
        let account = try await sandbox.account(of: id)
        try check(
            account.charges == 1 && account.refunds == 0,
            "the provider charged order \(id) \(times(account.charges)) and refunded it \(times(account.refunds))"
        )
        step("compare", "order \(id) is still \(OrderGoal.describe(order)), charged once", order: id)
    }

    /// Has a bank send back a refund that order and customer have been told of.
    func failRefundLate() async throws {
        let sandbox = try await sandboxWithWebhooks()
        let (id, _) = try await paidAtSandbox(sandbox)
        try await cancel(id)
        guard let refund = try await sandbox.account(of: id).refund else {
            throw CommandFailure(.failed, "order \(id) is refunded, and the provider has no refund of it")
        }
        try await sandbox.failRefund(refund)
        step("fail", "the bank has sent refund \(refund) back", order: id)
        let letter = try await delivery(of: id, as: "payment.refund-failed", ["dead"])
        let letterID = letter["id"]?.text ?? ""
        step("dead letter", "it is \(letterID): \(letter["error"]?.text ?? "")", order: id, deadLetter: letterID)
        let order = try await invocation.orders().show(id)
        try check(
            order.member(at: "payment.status")?.text == "refunded",
            "order \(id) is \(OrderGoal.describe(order)): nothing un-tells what was told"
        )
        invocation.printer.note(
            "Refund it at the provider (`POST /sandbox/dashboard/refunds`), then `warren dead-letters retry \(letterID)` finds it."
        )
    }

    /// Tells Payment that a rejected order is paid, without a signature and with one of a made-up secret.
    func forgeWebhooks() async throws {
        let payment = try await paymentWithWebhooks()
        let id = try await order(paidWith: "pm_card_chargeDeclined", until: .rejected)
        let body: JSONValue = [
            "id": .string("evt_forged_\(UUIDv7.make())"), "object": "event", "type": "payment_intent.succeeded",
            "data": [
                "object": [
                    "id": "pi_forged", "object": "payment_intent", "status": "succeeded",
                    "metadata": ["order_id": .string(id)],
                ]
            ],
        ]
        let bytes = Array(body.encoded().utf8)
        let signature = WebhookSignature(secret: UUIDv7.make())?.sign(bytes, at: WallClock.milliseconds() / 1000)
        for (what, header) in [("without a signature", nil), ("signed with a secret that is none", signature)] {
            let status = try await post(webhook: bytes, signedBy: header, to: payment)
            try check(status == 400, "payment answers a webhook \(what) with \(status), not 400")
            step("forge", "a webhook \(what) is refused: status \(status)", order: id)
        }
        try await settle(id)
        let order = try await invocation.orders().show(id)
        try check(order["status"]?.text == "rejected", "order \(id) is \(OrderGoal.describe(order))")
        step("compare", "order \(id) is still \(OrderGoal.describe(order))", order: id)
    }

    // MARK: Helpers

    /// The sandbox, where it sends webhooks that Payment takes.
    ///
    /// - Throws: `CommandFailure` with `.notMet` that says what to set.
    private func sandboxWithWebhooks() async throws -> SandboxClient {
        let sandbox = try invocation.sandbox()
        guard try await sandbox.sendsWebhooks() else {
            throw CommandFailure(
                .notMet,
                "the sandbox sends no webhooks, which the scenario is about",
                mend: "Start it with SANDBOX_WEBHOOK_URL (Payment's /webhooks/provider) and SANDBOX_WEBHOOK_SECRET."
            )
        }
        _ = try await paymentWithWebhooks()
        return sandbox
    }

    /// Payment, where it takes webhooks.
    private func paymentWithWebhooks() async throws -> PartClient {
        let payment = try invocation.part(.payment)
        let response = try await payment.send("POST", "/webhooks/provider", [:])
        guard response.problem != "webhooks-off" else {
            throw CommandFailure(
                .notMet,
                "payment takes no webhooks, which the scenario is about",
                mend: "Start it with PAYMENT_WEBHOOK_SECRET, the secret that the provider signs with."
            )
        }
        // Neither is one without a signature taken, nor is something that is not Payment taken for it.
        guard response.problem == "webhook-signature" else { throw payment.client.failure(of: response) }
        return payment
    }

    private func post(webhook: [UInt8], signedBy header: String?, to payment: PartClient) async throws -> Int {
        var request = ServiceRequest(method: "POST", url: payment.client.url("/webhooks/provider"))
        request.headers["Content-Type"] = "application/json"
        request.headers["Stripe-Signature"] = header
        request.body = webhook
        return try await payment.send(request).status
    }

    /// Waits until Payment has taken a webhook, and gives its type.
    private func webhook(_ prefix: String, about intent: String, _ sandbox: SandboxClient) async throws -> String {
        try await until(
            "payment has taken a webhook \(prefix)… about \(intent)",
            mend: "`curl \(sandbox.part.client.base)/sandbox/webhooks` shows what each was answered."
        ) { try await sandbox.takenWebhook(about: intent, prefix) }
    }

    /// Waits until nothing about an order waits in Payment.
    private func settle(_ id: String) async throws {
        let letters = try await paymentDeliveries()
        try await until("nothing about order \(id) waits in payment") {
            let waiting = try await letters.list(
                [("subject", id), ("state", "scheduled"), ("state", "held")].map { (name: $0, value: $1) },
                limit: 1
            )
            return waiting.items.isEmpty ? true : nil
        }
    }

    /// Waits for a delivery about an order that went wrong in that way.
    private func delivery(of id: String, as errorClass: String, _ states: [String]) async throws -> JSONValue {
        let letters = try await paymentDeliveries()
        let filter = [(name: "subject", value: id)] + states.map { (name: "state", value: $0) }
        return try await until("payment has \(errorClass) about \(id)") {
            try await letters.list(filter, limit: 100).items.first { $0["errorClass"]?.text == errorClass }
        }
    }

    private func paymentDeliveries() async throws -> DeadLetterClient {
        DeadLetterClient(client: try invocation.client(of: try await invocation.service(named: "payment")))
    }
}
