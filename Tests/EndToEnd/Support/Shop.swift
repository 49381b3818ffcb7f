import Foundation
import Synchronization
import TestSupport

/// The shop's processes, with a virtual host, a mail sink and a folder of their own.
final class Shop: Sendable {
    /// The programs that make up the shop.
    enum Program: String, CaseIterable {
        case order = "order-service"
        case payment = "payment-service"
        case notification = "notification-service"
        case sandbox
        /// In the tests that ask for them.
        case inventory = "inventory-service"
        case coupon = "coupon-service"
        case points = "points-service"
        case shipping = "shipping-service"
        case analytics = "analytics-service"

        /// What runs in every test.
        static let usual: [Program] = [.order, .payment, .notification, .sandbox]
        /// What a shop may have beside it, as `SHOP_CONTEXTS` names it.
        static let contexts: [Program] = [.inventory, .coupon, .points, .shipping]

        /// The setting of a retry may differ per service, all else is the same.
        var queue: String { rawValue.replacingOccurrences(of: "-service", with: "") }
    }

    /// What differs from the usual shop.
    struct Options: Sendable {
        /// Settings by program, over those that the shop gives.
        var environment: [Program: [String: String]] = [:]
        /// A broker of the test's own instead of a virtual host on the common one.
        var broker: PrivateBroker?
        /// Whether Payment reaches the provider through `Shop.wire`.
        var usesWire = false
        /// What the shop has beside the usual; it runs too.
        var contexts: [Program] = []
        /// Whether the provider sends webhooks, which Payment takes.
        var hasWebhooks = false
    }

    let folder: TemporaryFolder
    let mail: MailSink
    let management: BrokerManagement
    /// As the management API's paths name it.
    let virtualHost: String
    /// Between Payment and the provider, where the options ask for it.
    let wire: Relay?
    private let ports: [Program: UInt16]
    private let operationsPorts: [Program: UInt16]
    private let environments: [Program: [String: String]]
    private let children = Mutex<[Program: ChildProcess]>([:])

    /// What the courier and the provider sign with.
    private static let webhookSecret = "whsec_end_to_end"

    private init(_ options: Options) async throws {
        folder = try TemporaryFolder("shop")
        mail = try await MailSink(folder: folder)
        let brokerURL: String
        if let broker = options.broker {
            management = broker.management
            virtualHost = "%2F"
            brokerURL = broker.url
        } else {
            management = try BrokerManagement.shared
            virtualHost = TestEnvironment.uniqueName("shop")
            try await management.makeVirtualHost(virtualHost)
            brokerURL = try TestEnvironment.brokerURL + virtualHost
        }
        var ports: [Program: UInt16] = [:]
        for program in Program.allCases { ports[program] = try FreePort.next() }
        self.ports = ports
        var operationsPorts: [Program: UInt16] = [:]
        for program in Program.allCases where program != .sandbox { operationsPorts[program] = try FreePort.next() }
        self.operationsPorts = operationsPorts
        let sandboxPort = ports[.sandbox] ?? 0
        wire = options.usesWire ? try Relay(to: sandboxPort) : nil

        var environments: [Program: [String: String]] = [:]
        for program in Program.allCases {
            let home = folder.file(program.rawValue)
            try FileManager.default.createDirectory(at: home, withIntermediateDirectories: true)
            var environment = ["WARREN_HTTP_ADDRESS": "127.0.0.1:\(ports[program] ?? 0)"]
            if program != .sandbox {
                environment.merge(
                    [
                        "WARREN_AMQP_URL": brokerURL,
                        "WARREN_OPERATIONS_ADDRESS": "127.0.0.1:\(operationsPorts[program] ?? 0)",
                        "WARREN_DATABASE_URL": "sqlite:\(home.appendingPathComponent("\(program.queue).db").path)",
                        "WARREN_LOG_FORMAT": "text",
                        // Quicker than usual, and so many that a provider's slow charge is waited for.
                        "WARREN_RETRY_BASE": "100ms", "WARREN_RETRY_FACTOR": "2", "WARREN_RETRY_CAP": "1s",
                        "WARREN_RETRY_ATTEMPTS": "20",
                    ],
                    uniquingKeysWith: { _, new in new }
                )
            }
            if program == .payment {
                environment["PAYMENT_PROVIDER_URL"] = "http://127.0.0.1:\(wire?.port ?? sandboxPort)"
                environment["PAYMENT_PROVIDER_TIMEOUT"] = "2s"
            }
            if program == .analytics {
                environment["ANALYTICS_ORDER_URL"] = "http://127.0.0.1:\(operationsPorts[.order] ?? 0)"
                environment["PLATFORM_URL"] = "http://127.0.0.1:\(sandboxPort)"
                environment["PLATFORM_TIMEOUT"] = "1s"
                environment["PLATFORM_PAUSE"] = "200ms"
            }
            if program == .notification {
                environment["MAIL_SMTP_URL"] = mail.url
                // All orders of a test are one customer's.
                environment["MAIL_RECIPIENT_LIMIT"] = "0"
            }
            if program == .order {
                environment["SHOP_CONTEXTS"] = options.contexts.map(\.queue).joined(separator: ",")
                environment["ORDER_INVENTORY_URL"] = "http://127.0.0.1:\(operationsPorts[.inventory] ?? 0)"
            }
            if program == .shipping {
                environment["SHIPPING_COURIER_URL"] = "http://127.0.0.1:\(sandboxPort)"
                environment["SHIPPING_WEBHOOK_SECRET"] = Shop.webhookSecret
            }
            if program == .sandbox, options.contexts.contains(.shipping) {
                environment["SANDBOX_COURIER_WEBHOOK_URL"] =
                    "http://127.0.0.1:\(ports[.shipping] ?? 0)/webhooks/courier"
                environment["SANDBOX_COURIER_WEBHOOK_SECRET"] = Shop.webhookSecret
            }
            if options.hasWebhooks {
                if program == .payment { environment["PAYMENT_WEBHOOK_SECRET"] = Shop.webhookSecret }
                if program == .sandbox {
                    environment["SANDBOX_WEBHOOK_URL"] = "http://127.0.0.1:\(ports[.payment] ?? 0)/webhooks/provider"
                    environment["SANDBOX_WEBHOOK_SECRET"] = Shop.webhookSecret
                }
            }
            environments[program] = environment.merging(options.environment[program] ?? [:]) { _, given in given }
        }
        self.environments = environments
    }

    /// Opens a shop, lends it, and closes it; on failure, the error carries the ends of the logs.
    static func open(_ options: Options = Options(), _ body: (Shop) async throws -> Void) async throws {
        let shop = try await Shop(options)
        do {
            let programs = Program.usual + options.contexts
            for program in programs { try shop.start(program) }
            for program in programs { try await shop.waitUntilReady(program) }
            try await body(shop)
        } catch {
            let logs = shop.children.withLock { $0.values.map(\.tail) }.joined(separator: "\n\n")
            try? await shop.close()
            throw TimedOut("\(error)\n\n\(logs)")
        }
        try await shop.close()
    }

    private func close() async throws {
        let running = children.withLock { children in
            defer { children = [:] }
            return Array(children.values)
        }
        for child in running { child.send(SIGKILL) }
        for child in running { try await child.waitForEnd() }
        wire?.stop()
        try await mail.stop()
        if virtualHost != "%2F" { try await management.removeVirtualHost(virtualHost) }
    }

    // MARK: - Processes

    /// Starts a program that does not run.
    func start(_ program: Program) throws {
        let child = try ChildProcess(
            try TestEnvironment.program(program.rawValue),
            environment: environments[program] ?? [:],
            folder: folder.file(program.rawValue)
        )
        children.withLock { $0[program] = child }
    }

    /// The process of a program that was started.
    func process(_ program: Program) throws -> ChildProcess {
        guard let child = children.withLock({ $0[program] }) else { throw TimedOut("\(program) was not started") }
        return child
    }

    /// Kills a program, signal 9.
    func kill(_ program: Program) async throws {
        try await process(program).kill()
    }

    /// Starts a program again and waits until it is ready.
    func restart(_ program: Program) async throws {
        try start(program)
        try await waitUntilReady(program)
    }

    func waitUntilReady(_ program: Program) async throws {
        let (child, probe) = (try process(program), probe(program))
        let end: ChildProcess.End? = try await eventually("\(program.rawValue) is ready", within: .seconds(120)) {
            if let end = child.end { return .some(end) }
            return try await probe.get("/readyz").status == 200 ? .some(nil) : nil
        }
        if let end { throw TimedOut("\(program.rawValue) ended with \(end)\n\(child.tail)") }
    }

    /// An HTTP client of that program.
    func probe(_ program: Program) -> HTTPProbe {
        HTTPProbe(port: ports[program] ?? 0)
    }

    /// An HTTP client of that service's operations.
    func operations(_ program: Program) -> HTTPProbe {
        HTTPProbe(port: operationsPorts[program] ?? 0)
    }

    /// The database file of a service.
    func database(_ program: Program) -> URL {
        folder.file(program.rawValue).appendingPathComponent("\(program.queue).db")
    }

    /// The environment with which the `warren` command finds this shop.
    var commandEnvironment: [String: String] {
        var environment = [
            "WARREN_SERVICES": [Program.order, .payment, .notification].map { program in
                "\(program.queue)=http://127.0.0.1:\(operationsPorts[program] ?? 0)"
            }.joined(separator: ","),
            "WARREN_AMQP_URL": environments[.order]?["WARREN_AMQP_URL"] ?? "",
        ]
        for program in [Program.order, .payment, .inventory, .coupon, .points, .sandbox] {
            environment["WARREN_\(program.queue.uppercased())_URL"] = "http://127.0.0.1:\(ports[program] ?? 0)"
        }
        return environment
    }

    /// Runs the `warren` command against this shop.
    func warren(_ arguments: String...) async throws -> (end: ChildProcess.End, output: String, errors: String) {
        try await warren(arguments)
    }

    func warren(_ arguments: [String]) async throws -> (end: ChildProcess.End, output: String, errors: String) {
        try await ChildProcess.run(
            try TestEnvironment.program("warren"),
            arguments,
            environment: commandEnvironment
        )
    }
}
