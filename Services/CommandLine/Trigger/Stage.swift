import Events
import JSON
import ServiceKit
import ShopEvents

/// Plays the steps of a scenario and shows each as it happens.
final class Stage {
    let invocation: Invocation
    let timeout: Duration
    private let scenario: Scenario
    private var records: [JSONValue] = []

    init(invocation: Invocation, scenario: Scenario, timeout: Duration) {
        self.invocation = invocation
        self.scenario = scenario
        self.timeout = timeout
    }

    /// Places an order and waits for what is to become of it.
    @discardableResult
    func order(paidWith method: String, until goal: OrderGoal) async throws -> String {
        let id = try await place(paidWith: method, key: UUIDv7.make())
        try await wait(for: goal, order: id)
        return id
    }

    /// Cancels an order and waits for its refund.
    func cancel(_ id: String) async throws {
        let order = try await invocation.orders().cancel(id)
        step("cancel", "order \(id) is \(OrderGoal.describe(order))", order: id)
        try await wait(for: .refunded, order: id)
    }

    /// Places one order by two requests with one key.
    func placeTwice() async throws {
        let key = UUIDv7.make()
        let first = try await place(paidWith: "pm_card_visa", key: key)
        let second = try await place(paidWith: "pm_card_visa", key: key)
        guard first == second else {
            throw CommandFailure(.failed, "one idempotency key placed two orders, \(first) and \(second)")
        }
        step("compare", "the same request again is the same order, \(first)", order: first)
        try await wait(for: .confirmed, order: first)
    }

    /// Publishes one event twice under one id.
    ///
    /// Only Notification listens to it, so nothing else is moved.
    func publishTwice() async throws {
        let order = UUIDv7.make()
        let draft = EventDraft(type: OrderConfirmed.type, subject: order, id: UUIDv7.make())
        let envelope = try draft.envelope()
        let known = try await duplicates()
        try await invocation.withBroker { publish in
            try await publish(envelope)
            try await publish(envelope)
        }
        step(
            "publish",
            "order.confirmed \(envelope.id) is published twice under that id",
            order: order,
            event: envelope.id
        )
        let seen = try await untilFound(within: timeout) { try await duplicates() > known ? true : nil }
        guard seen == true else {
            throw CommandFailure(
                .notMet,
                "notification has seen no duplicate after \(DurationText.describe(timeout))",
                mend: "`warren status` shows whether Notification is ready."
            )
        }
        step(
            "compare",
            "notification took one of the two and knew the other already",
            order: order,
            event: envelope.id
        )
    }

    /// How many deliveries Notification has known already since it started, by its metrics.
    private func duplicates() async throws -> Double {
        MetricsText.sum(of: "warren_duplicate_deliveries_total", in: try await metrics(of: "notification"))
    }

    /// The metrics of a service.
    func metrics(of name: String) async throws -> String {
        let client = try invocation.client(of: try await invocation.service(named: name))
        let response = try await client.send(ServiceRequest(method: "GET", url: client.url("/metrics")))
        guard response.status == 200 else { throw client.failure(of: response) }
        return String(decoding: response.body, as: UTF8.self)
    }

    /// Publishes what Payment cannot read and waits until it is a dead letter.
    func poison() async throws {
        try await bury(
            OrderPaymentRequested.type,
            in: "payment",
            about: UUIDv7.make(),
            data: Array(#"{"poison": true}"#.utf8),
            saying: "with a payload that Payment cannot read"
        )
    }

    /// Publishes an order whose customer no mail can reach and waits until it is a dead letter.
    func mailBounce() async throws {
        let order = UUIDv7.make()
        // By hand: the contract has no such customer.
        let data = #"""
            {"orderID":"\#(order)","customer":{"email":"nobody","name":"Ada Example"},\#
            "total":{"amount":1999,"currency":"EUR"}}
            """#
        try await bury(
            OrderConfirmed.type,
            in: "notification",
            about: order,
            data: Array(data.utf8),
            saying: "to a customer whom no mail can reach"
        )
    }

    /// Sends two requests with one key: the second is another one, and refused.
    func reuseKey() async throws {
        let key = UUIDv7.make()
        let id = try await place(paidWith: "pm_card_visa", key: key)
        let client = try await invocation.orders().client
        var request = ServiceRequest(method: "POST", url: client.url("/orders"))
        request.headers = ["Content-Type": "application/json", "Idempotency-Key": "\"\(key)\""]
        request.body = Array(OrderClient.Draft(quantity: 2).body.encoded().utf8)
        let response = try await client.send(request)
        try check(
            response.status == 422 && response.problem == "idempotency-key-reused",
            "another order under the key of order \(id) is answered with status \(response.status), not 422"
        )
        step("refuse", "another order under its key is refused: \(response.json?["title"]?.text ?? "")", order: id)
        try await wait(for: .confirmed, order: id)
        let lines = try await invocation.orders().show(id)["lines"]?.array ?? []
        let quantity = lines.first?["quantity"]?.integer ?? 0
        try check(quantity == 1, "order \(id) is over \(quantity) pieces, which the second request asked for")
        step("compare", "order \(id) is what the first request asked for", order: id)
    }

    private func bury(
        _ type: EventType,
        in name: String,
        about order: String,
        data: [UInt8],
        saying what: String
    ) async throws {
        let service = try await invocation.service(named: name)
        let envelope = try EventDraft(type: type, subject: order, data: data).envelope()
        try await invocation.withBroker { publish in try await publish(envelope) }
        step(
            "publish",
            "\(EventCatalogue.shortName(of: type)) \(envelope.id) is published \(what)",
            order: order,
            event: envelope.id
        )
        let letters = DeadLetterClient(client: try invocation.client(of: service))
        let found = try await untilFound(within: timeout) {
            try await letters.list([(name: "subject", value: order)], limit: 1).items.first
        }
        guard let letter = found, let id = letter["id"]?.text else {
            throw CommandFailure(
                .notMet,
                "event \(envelope.id) is no dead letter of \(service.name) after \(DurationText.describe(timeout))",
                mend: "`warren status` shows whether \(service.name) is ready."
            )
        }
        let error = letter["error"]?.text ?? ""
        step(
            "dead letter",
            "it is \(id): \(error)",
            order: order,
            event: envelope.id,
            deadLetter: id
        )
        invocation.printer.note(
            "`warren dead-letters show \(id)` shows it, `… retry \(id)` tries it again, `… discard \(id) --reason test` gives it up."
        )
    }

    /// Writes what could not be written before.
    func finish() {
        if invocation.printer.format == .json { invocation.printer.list(records, columns: [], empty: "") }
    }

    /// Places an order of the usual article.
    func place(paidWith method: String, key: String) async throws -> String {
        let draft = OrderClient.Draft(paymentMethod: method)
        let order = try await invocation.orders().place(draft, idempotencyKey: key)
        guard let id = order["id"]?.text else {
            throw CommandFailure(.failed, "order answered without the id of the order that it placed")
        }
        step("place", "order \(id) is placed, to be paid with \(method)", order: id)
        return id
    }

    /// Waits until an order has come to a goal.
    func wait(for goal: OrderGoal, order id: String) async throws {
        let printer = invocation.printer
        let start = ContinuousClock.now
        let order = try await invocation.orders().wait(
            for: goal,
            order: id,
            timeout: timeout,
            note: { printer.note($0) }
        )
        let time = DurationText.describe(ContinuousClock.now - start)
        step("wait", "order \(id) is \(OrderGoal.describe(order)) after \(time)", order: id)
    }

    /// Looks until there is something, for as long as a step may take.
    ///
    /// - Parameters:
    ///   - what: what is waited for, as the failure says it.
    ///   - mend: what to do where it does not come.
    /// - Throws: `CommandFailure` with `.notMet` when the time is up.
    @discardableResult
    func until<Found>(_ what: String, mend: String? = nil, _ look: () async throws -> Found?) async throws -> Found {
        if let found = try await untilFound(within: timeout, look) { return found }
        throw CommandFailure(
            .notMet,
            "not after \(DurationText.describe(timeout)): \(what)",
            mend: mend ?? "`warren status` shows whether everything is up, and what waits."
        )
    }

    /// - Throws: `CommandFailure` with what went wrong unless it holds.
    func check(_ holds: Bool, _ failure: @autoclosure () -> String) throws {
        if !holds { throw CommandFailure(.failed, failure()) }
    }

    /// Shows what has happened.
    func step(
        _ name: String,
        _ outcome: String,
        order: String,
        event: String? = nil,
        deadLetter: String? = nil
    ) {
        var record: JSONValue = [
            "scenario": .string(scenario.rawValue), "step": .string(name), "outcome": .string(outcome),
            "order": .string(order),
        ]
        if let event { record["event"] = .string(event) }
        if let deadLetter { record["deadLetter"] = .string(deadLetter) }
        switch invocation.printer.format {
        case .table: invocation.printer.text("[\(scenario.rawValue)] \(outcome)")
        case .json: records.append(record)
        case .jsonl: invocation.printer.line(record)
        }
    }
}
