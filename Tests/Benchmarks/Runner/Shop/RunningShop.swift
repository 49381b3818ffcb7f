import Glibc

/// The shop's processes, as the release build made them, with a mail server in this process.
final class RunningShop {
    /// A process that is watched.
    struct Member {
        var name: String
        var pid: pid_t
    }

    let orderPort: UInt16
    let mailSink: MailSink
    private var programs: [Program] = []
    /// The services, the sandbox, and the broker where its process is known.
    private(set) var members: [Member] = []
    private let setting: Setting

    /// Starts everything and waits until it is ready.
    ///
    /// - Parameter contexts: what the shop has beside the usual, as `SHOP_CONTEXTS` names it; Inventory has all that is ordered.
    init(_ setting: Setting, contexts: [String]) throws {
        self.setting = setting
        mailSink = try MailSink()
        orderPort = try Loopback.freePort()
        let sandboxPort = try Loopback.freePort()
        let (payment, notification) = (try Loopback.freePort(), try Loopback.freePort())
        try start("sandbox", port: sandboxPort)
        try start("payment-service", port: payment, ["PAYMENT_PROVIDER_URL": "http://127.0.0.1:\(sandboxPort)"])
        try start(
            "notification-service",
            port: notification,
            // All orders are of a few customers.
            ["MAIL_SMTP_URL": "smtp://127.0.0.1:\(mailSink.port)", "MAIL_RECIPIENT_LIMIT": "0"]
        )
        var ports = [sandboxPort, payment, notification, orderPort]
        var order = ["SHOP_CONTEXTS": contexts.joined(separator: ",")]
        var inventory: UInt16?
        for context in contexts {
            let (port, operations) = (try Loopback.freePort(), try Loopback.freePort())
            ports.append(port)
            var settings: [String: String] = [:]
            switch context {
            case "inventory":
                inventory = port
                order["ORDER_INVENTORY_URL"] = "http://127.0.0.1:\(operations)"
            case "shipping": settings["SHIPPING_COURIER_URL"] = "http://127.0.0.1:\(sandboxPort)"
            default: break
            }
            try start("\(context)-service", port: port, operations: operations, settings)
        }
        try start("order-service", port: orderPort, order)
        for port in ports { try waitUntilReady(port) }
        if let inventory {
            let client = try ShopClient(port: inventory)
            for product in ShopClient.products { try client.stock(product, pieces: 1_000_000) }
            try waitUntilSold()
        }
        if let folder = setting.brokerFolder, let pid = RunningShop.brokerProcess(folder) {
            members.append(Member(name: "broker", pid: pid))
        }
    }

    /// Ends the processes in order and removes their files.
    func stop() {
        for program in programs.reversed() { program.stop() }
        mailSink.close()
        for member in members {
            for end in ["db", "db-wal", "db-shm", "db.lock", "log"] {
                unlink("\(setting.folder)/\(member.name).\(end)")
            }
        }
    }

    private func start(
        _ name: String,
        port: UInt16,
        operations: UInt16 = 0,
        _ settings: [String: String] = [:]
    ) throws {
        var environment = [
            "WARREN_HTTP_ADDRESS": "127.0.0.1:\(port)",
            "WARREN_LOG_LEVEL": "warning",
        ]
        if name != "sandbox" {
            environment["WARREN_OPERATIONS_ADDRESS"] = "127.0.0.1:\(operations)"
            environment["WARREN_AMQP_URL"] = setting.broker
            environment["WARREN_DATABASE_URL"] = "sqlite:\(setting.folder)/\(name).db"
        }
        environment.merge(settings) { $1 }
        let path = "\(setting.programs)/\(name)"
        let log = "\(setting.folder)/\(name).log"
        let program = try Program(path, [], environment: environment, log: log)
        programs.append(program)
        members.append(Member(name: name, pid: program.pid))
    }

    /// Order has heard of the products: one of each is ordered.
    private func waitUntilSold() throws {
        let deadline = Meter.now() + 30_000_000_000
        let client = try ShopClient(port: orderPort)
        while (try? client.placeOrder(0)) == nil {
            guard Meter.now() < deadline else { throw BenchmarkError("Order has not heard of the products in 30 s") }
            usleep(20_000)
        }
        while try client.hasPlacedOrders() {
            guard Meter.now() < deadline else { throw BenchmarkError("the first order was not decided in 30 s") }
            usleep(5_000)
        }
    }

    private func waitUntilReady(_ port: UInt16) throws {
        let deadline = Meter.now() + 30_000_000_000
        while Meter.now() < deadline {
            // Not listening yet: asked again.
            if let client = try? ShopClient(port: port), (try? client.isReady()) == true { return }
            usleep(20_000)
        }
        throw BenchmarkError("a service did not become ready; its log is in \(setting.folder)")
    }

    /// RabbitMQ notes the process of its Erlang machine beside its data.
    private static func brokerProcess(_ folder: String) -> pid_t? {
        var matches = glob_t()
        defer { globfree(&matches) }
        guard glob("\(folder)/data/*.pid", 0, nil, &matches) == 0, let path = matches.gl_pathv[0] else { return nil }
        return TextFile.lines(String(cString: path)).first.flatMap { pid_t($0) }
    }
}
