import Foundation
import JSON
import TestSupport
import Testing

// What tests do to a shop and ask it, in the words of its API.
extension Shop {
    /// A body for `POST /orders`.
    static func order(paying method: String = "pm_card_visa", email: String = "ada@example.com") -> JSONValue {
        [
            "customer": ["email": .string(email), "name": "Ada Lovelace"],
            "currency": "EUR",
            "lines": [["sku": "tea-500", "quantity": 2, "unitPrice": 1250]],
            "paymentMethod": .string(method),
        ]
    }

    /// Places an order and gives its id.
    func place(paying method: String = "pm_card_visa", email: String = "ada@example.com") async throws -> String {
        let reply = try await probe(.order).post("/orders", Shop.order(paying: method, email: email))
        guard reply.status == 202, let id = try reply.json["id"].text else {
            throw TimedOut("POST /orders answered \(reply.status): \(reply.text)")
        }
        #expect(reply.headers["location"] == "/orders/\(id)")
        return id
    }

    /// The order now.
    func order(_ id: String) async throws -> JSONValue {
        let reply = try await probe(.order).get("/orders/\(id)")
        guard reply.status == 200 else { throw TimedOut("GET /orders/\(id) answered \(reply.status): \(reply.text)") }
        return try reply.json
    }

    /// Waits until the order has that status, and gives it.
    @discardableResult
    func waitFor(_ status: String, order id: String, within timeout: Duration = .seconds(90)) async throws -> JSONValue
    {
        try await eventually("order \(id) is \(status)", within: timeout) {
            let order = try await self.order(id)
            return order["status"].text == status ? order : nil
        }
    }

    /// Waits until the order's payment has that status, and gives the order.
    @discardableResult
    func waitForPayment(
        _ status: String,
        order id: String,
        within timeout: Duration = .seconds(90)
    ) async throws -> JSONValue {
        try await eventually("the payment of order \(id) is \(status)", within: timeout) {
            let order = try await self.order(id)
            return order["payment"]["status"].text == status ? order : nil
        }
    }

    /// Cancels the order.
    func cancel(_ id: String) async throws {
        let reply = try await probe(.order).post("/orders/\(id)/cancel")
        guard reply.status == 202 else { throw TimedOut("the cancel was answered \(reply.status): \(reply.text)") }
    }

    /// Waits for a mail about the order whose subject has that word.
    @discardableResult
    func waitForMail(
        _ word: String,
        about id: String,
        within timeout: Duration = .seconds(90)
    ) async throws -> MailSink.Mail {
        try await eventually("a mail says that order \(id) \(word)", within: timeout) {
            try await mails(about: id).first { $0.subject.contains(word) }
        }
    }

    /// The mails about the order so far.
    func mails(about id: String) async throws -> [MailSink.Mail] {
        try await mail.mails().filter { $0.subject.contains(id) }
    }

    /// What the provider did.
    func ledger() async throws -> JSONValue {
        try await probe(.sandbox).get("/sandbox/ledger").json
    }

    /// How often the provider charged the order.
    func charges(of id: String) async throws -> Int64 {
        try await ledger()["chargesByOrder"][id].integer ?? 0
    }

    /// How often the provider paid the order back.
    func refunds(of id: String) async throws -> Int64 {
        try await ledger()["refundsByOrder"][id].integer ?? 0
    }

    /// Makes the provider misbehave in the next calls.
    func plan(_ kind: String, for operation: String = "charge", count: Int64 = 1, delay: Int64 = 3000) async throws {
        let reply = try await probe(.sandbox).post(
            "/sandbox/faults",
            [
                "operation": .string(operation), "kind": .string(kind), "count": .integer(count),
                "delayMilliseconds": .integer(delay),
            ]
        )
        guard reply.status == 204 else { throw TimedOut("the sandbox answered \(reply.status): \(reply.text)") }
    }

    /// The deliveries of a service in these states, newest first.
    func deliveries(_ program: Program, _ states: String..., query: String = "") async throws -> [JSONValue] {
        let states = states.map { "state=\($0)" }.joined(separator: "&")
        let reply = try await operations(program).get("/dead-letters?limit=500&\(states)\(query)")
        guard reply.status == 200 else { throw TimedOut("GET /dead-letters answered \(reply.status): \(reply.text)") }
        return try reply.json["items"].elements
    }

    /// A dead letter with its body and attempts.
    func deadLetter(_ program: Program, _ id: String) async throws -> JSONValue {
        try await operations(program).get("/dead-letters/\(id)").json
    }

    /// Fails unless nothing is dead in any service, and nothing stays held or scheduled.
    func expectNothingWaits(sourceLocation: SourceLocation = #_sourceLocation) async throws {
        for program in [Program.order, .payment, .notification] {
            // What is tried again, or comes again after a kill, may take a moment to go through.
            try? await eventually("nothing waits in \(program.rawValue)") {
                try await deliveries(program, "held", "scheduled").isEmpty
            }
            let waiting = try await deliveries(program, "dead", "held", "scheduled")
            #expect(waiting.isEmpty, "\(program.rawValue): \(waiting)", sourceLocation: sourceLocation)
        }
    }

    /// Publishes an event to the shop from outside, with the properties that the kit's own publisher gives.
    @discardableResult
    func publish(_ envelope: JSONValue, properties: JSONValue? = nil) async throws -> Bool {
        try await management.publish(
            envelope.bytes,
            routingKey: envelope["type"].text ?? "",
            properties: properties ?? Shop.properties(id: envelope["id"].text ?? ""),
            in: virtualHost
        )
    }

    /// The properties of an event on the wire.
    static func properties(id: String) -> JSONValue {
        [
            "content_type": "application/cloudevents+json; charset=utf-8", "delivery_mode": 2,
            "message_id": .string(id),
        ]
    }

    /// An envelope as the service whose event it is would make it.
    static func envelope(_ type: String, subject: String, id: String = UUID().uuidString, data: JSONValue) -> JSONValue
    {
        let owner = type.split(separator: ".").dropFirst(2).first ?? "end-to-end"
        return [
            "specversion": "1.0", "id": .string(id), "source": .string("/\(owner)-service"), "type": .string(type),
            "subject": .string(subject), "time": "2026-01-01T00:00:00.000Z", "datacontenttype": "application/json",
            "data": data,
        ]
    }

    /// An event that makes Notification send a mail about the order.
    static func confirmation(of order: String, id: String = UUID().uuidString) -> JSONValue {
        envelope(
            "dev.warren.order.confirmed",
            subject: order,
            id: id,
            data: [
                "orderID": .string(order), "customer": ["email": "ada@example.com", "name": "Ada Lovelace"],
                "total": ["amount": 2500, "currency": "EUR"],
            ]
        )
    }

    /// Asks a service's database directly, as its API does not show everything.
    ///
    /// Reading beside the service is safe.
    func query(_ program: Program, _ sql: String) async throws -> [JSONValue] {
        let script = """
            import json, sqlite3, sys
            connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=60)
            print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
            """
        let done = try await ChildProcess.run(
            URL(fileURLWithPath: "/usr/bin/python3"),
            ["-c", script, database(program).path, sql]
        )
        guard done.end == .exit(0) else { throw TimedOut("\(sql): \(done.errors)") }
        return try JSONValue(parsing: Array(done.output.utf8)).elements
    }
}
