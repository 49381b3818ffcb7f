import Foundation
import JSON
import TestSupport

/// The shop's programs in a virtual host of their own, as somebody outside meets them: broker, HTTP and mail.
final class RunningShop: Sendable {
    private static let services = ["order", "payment", "notification"]

    /// The broker and the virtual host, for other clients.
    let brokerURL: String
    let mail: MailSink
    let folder: TemporaryFolder
    private let virtualHost: String
    private let ports: [String: UInt16]
    private let operationsPorts: [String: UInt16]
    private let programs: [ChildProcess]

    private init(_ virtualHost: String) async throws {
        self.virtualHost = virtualHost
        folder = try TemporaryFolder("shop")
        mail = try await MailSink(folder: folder)
        brokerURL = try TestEnvironment.brokerURL + virtualHost
        let sandbox = try FreePort.next()
        var (ports, operationsPorts) = ([String: UInt16](), [String: UInt16]())
        var programs = [
            try ChildProcess(
                TestEnvironment.program("sandbox"),
                environment: ["WARREN_HTTP_ADDRESS": "127.0.0.1:\(sandbox)"],
                folder: folder.url
            )
        ]
        for name in Self.services {
            let (port, operationsPort) = (try FreePort.next(), try FreePort.next())
            (ports[name], operationsPorts[name]) = (port, operationsPort)
            let environment = [
                "WARREN_AMQP_URL": brokerURL, "WARREN_HTTP_ADDRESS": "127.0.0.1:\(port)",
                "WARREN_OPERATIONS_ADDRESS": "127.0.0.1:\(operationsPort)",
                "WARREN_DATABASE_URL": "sqlite:\(folder.file("\(name).db").path)",
                "PAYMENT_PROVIDER_URL": "http://127.0.0.1:\(sandbox)", "MAIL_SMTP_URL": mail.url,
                "MAIL_RECIPIENT_LIMIT": "0",
            ]
            programs.append(
                try ChildProcess(
                    TestEnvironment.program("\(name)-service"),
                    environment: environment,
                    folder: folder.url
                )
            )
        }
        (self.ports, self.operationsPorts, self.programs) = (ports, operationsPorts, programs)
    }

    /// Opens a shop, lends it, and closes it; on failure, the error carries the ends of the logs.
    static func open(_ body: (RunningShop) async throws -> Void) async throws {
        let virtualHost = TestEnvironment.uniqueName("shop")
        try await BrokerManagement.shared.makeVirtualHost(virtualHost)
        let shop = try await RunningShop(virtualHost)
        let result: Result<Void, any Error>
        do {
            for name in services {
                let probe = HTTPProbe(port: shop.ports[name] ?? 0)
                try await eventually("\(name) is ready", within: .seconds(120)) {
                    (try? await probe.get("/readyz"))?.status == 200
                }
            }
            try await body(shop)
            result = .success(())
        } catch {
            result = .failure(TimedOut("\(error)\n\n" + shop.programs.map(\.tail).joined(separator: "\n\n")))
        }
        for program in shop.programs { try await program.kill() }
        try await shop.mail.stop()
        try await BrokerManagement.shared.removeVirtualHost(virtualHost)
        try result.get()
    }

    /// Places an order and waits until it, or its payment, has come there.
    func order(paying method: String, until status: String, payment: String) async throws -> String {
        let orders = HTTPProbe(port: ports["order"] ?? 0)
        let placed = try await orders.post(
            "/orders",
            [
                "customer": ["email": "ada@example.com", "name": "Ada Lovelace"], "currency": "EUR",
                "lines": [["sku": "tea-500", "quantity": 2, "unitPrice": 1250]], "paymentMethod": .string(method),
            ]
        )
        guard placed.status == 202, let id = try placed.json["id"].text else { throw TimedOut(placed.text) }
        try await wait(for: status, payment: payment, order: id)
        return id
    }

    /// Cancels an order and waits until its payment has come there.
    func cancel(_ id: String, until payment: String) async throws {
        let answer = try await HTTPProbe(port: ports["order"] ?? 0).post("/orders/\(id)/cancel")
        guard answer.status == 202 else { throw TimedOut(answer.text) }
        try await wait(for: "cancelled", payment: payment, order: id)
    }

    private func wait(for status: String, payment: String, order id: String) async throws {
        let orders = HTTPProbe(port: ports["order"] ?? 0)
        try await eventually("order \(id) is \(status), its payment \(payment)") {
            let order = try await orders.get("/orders/\(id)").json
            return order["status"].text == status && order["payment"]["status"].text == payment
        }
    }

    /// The dead letters of a service, oldest first, with bodies and properties.
    func deadLetters(of service: String) async throws -> [JSONValue] {
        let operations = HTTPProbe(port: operationsPorts[service] ?? 0)
        let items = try await operations.get("/dead-letters?limit=500&state=dead").json["items"].elements
        var letters: [JSONValue] = []
        for item in items.reversed() {
            letters.append(try await operations.get("/dead-letters/\(item["id"].text ?? "")").json)
        }
        return letters
    }
}
