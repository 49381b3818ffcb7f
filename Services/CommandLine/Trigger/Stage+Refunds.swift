import Events
import JSON
import ServiceKit
import ShopEvents

// Money that goes, and comes back once.
extension Stage {
    /// Cancels an order while the provider is charging it: whichever is first, nobody keeps the money.
    func cancelWhileCharged() async throws {
        let sandbox = try invocation.sandbox()
        try await sandbox.makeSureItIsThere()
        // Its charge takes three seconds.
        let id = try await place(paidWith: "pm_sandbox_slow", key: UUIDv7.make())
        try await until("order \(id) asks for its payment") {
            try await invocation.orders().show(id).member(at: "payment.status")?.text == "requested" ? true : nil
        }
        let cancelled = try await invocation.orders().cancel(id)
        step("cancel", "order \(id) is \(OrderGoal.describe(cancelled)): the charge is under way", order: id)
        let order = try await until("the payment of order \(id) has ended") {
            let order = try await invocation.orders().show(id)
            let payment = order.member(at: "payment.status")?.text ?? ""
            return ["refunded", "voided", "declined"].contains(payment) ? order : nil
        }
        step("wait", "order \(id) is \(OrderGoal.describe(order))", order: id)
        let account = try await sandbox.account(of: id)
        let expected: Int64 = order.member(at: "payment.status")?.text == "refunded" ? 1 : 0
        try check(
            account.charges == expected && account.refunds == expected,
            "the provider charged order \(id) \(times(account.charges)) and refunded it \(times(account.refunds))"
        )
        try check(order["status"]?.text == "cancelled", "order \(id) is \(OrderGoal.describe(order)), not cancelled")
        step(
            "compare",
            "the provider charged it \(times(account.charges)) and refunded it \(times(account.refunds))",
            order: id
        )
    }

    /// Has a refund fail before it is done, and again after it, and the cancel sent twice.
    func repeatRefund() async throws {
        let sandbox = try invocation.sandbox()
        let (id, _) = try await paidAtSandbox(sandbox)
        let asked = try await refundCalls()
        try await sandbox.plan("error", for: "refund")
        try await onBadDays(of: .provider, sandbox) {
            try await sandbox.plan("error-after", for: "refund")
            step("plan", "the provider will fail, then refund and answer with an error", order: id)
            let first = try await invocation.orders().cancel(id)
            step("cancel", "order \(id) is \(OrderGoal.describe(first))", order: id)
            let second = try await invocation.orders().cancel(id)
            step("cancel", "cancelled once more, it is \(OrderGoal.describe(second))", order: id)
            try await wait(for: .refunded, order: id)
        }
        let calls = try await refundCalls() - asked
        try check(calls >= 2, "payment asked for the refund \(times(Int64(calls))): nothing was repeated")
        try await checkRefundedOnce(id, sandbox)
        step("compare", "payment asked \(times(Int64(calls))) under one key; refunded and told once", order: id)
    }

    // MARK: Helpers

    /// Places an order that is paid, and makes sure that the sandbox is where it was.
    func paidAtSandbox(_ sandbox: SandboxClient) async throws -> (order: String, intent: String) {
        try await sandbox.makeSureItIsThere()
        let id = try await order(paidWith: "pm_card_visa", until: .confirmed)
        let account = try await sandbox.account(of: id)
        guard let intent = account.intent else {
            throw CommandFailure(
                .notMet,
                "order \(id) is paid, and not at the sandbox at \(sandbox.part.client.base): the scenario is about that one",
                mend: "--sandbox-url or WARREN_SANDBOX_URL is the provider that Payment has as PAYMENT_PROVIDER_URL."
            )
        }
        try check(account.charges == 1, "the provider charged order \(id) \(times(account.charges))")
        return (id, intent)
    }

    /// Makes sure that an order was refunded once, under one key, and that Payment told it once.
    func checkRefundedOnce(_ id: String, _ sandbox: SandboxClient) async throws {
        let account = try await sandbox.account(of: id)
        try check(
            account.charges == 1 && account.refunds == 1,
            "the provider charged order \(id) \(times(account.charges)) and refunded it \(times(account.refunds))"
        )
        try check(
            account.refundKeys == 1,
            "payment asked for the refund of order \(id) under \(account.refundKeys) keys: it could have been made as often"
        )
        let events = EventClient(client: try invocation.client(of: try await invocation.service(named: "payment")))
        let filter = [(name: "subject", value: id), (name: "type", value: PaymentRefunded.type.rawValue)]
        let told = try await events.page(after: "0", filter, limit: 10, wait: 0).events.count
        try check(told == 1, "payment told \(times(Int64(told))) that order \(id) was refunded")
    }

    /// How many of Payment's calls for a refund have ended since it started, by its metrics.
    func refundCalls() async throws -> Double {
        let text = try await metrics(of: "payment")
        let lines = text.split(whereSeparator: \.isNewline).filter {
            $0.contains(#"http_request_method="POST""#) && $0.contains(#"url_template="/v1/refunds""#)
        }
        return MetricsText.sum(
            of: "http_client_request_duration_seconds_count",
            in: lines.joined(separator: "\n")
        )
    }

    /// Does something on bad days that were planned, and takes back what is left of them, whatever comes of it.
    func onBadDays(
        of whom: SandboxClient.Player,
        _ sandbox: SandboxClient,
        _ body: () async throws -> Void
    ) async throws {
        do {
            try await body()
        } catch {
            // What went wrong counts; that the sandbox could not be reached besides is said.
            do {
                try await sandbox.clearFaults(of: whom)
            } catch let second {
                invocation.printer.note("what was planned for the \(whom.rawValue) may still come: \(second)")
            }
            throw error
        }
        try await sandbox.clearFaults(of: whom)
    }

    /// `once`, `3 times`.
    func times(_ count: Int64) -> String {
        switch count {
        case 0: "never"
        case 1: "once"
        case 2: "twice"
        default: "\(count) times"
        }
    }
}
