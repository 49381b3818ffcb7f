import AMQP
import Glibc
import Synchronization

/// The whole path, through the real executables: from `POST /orders` to the confirmed order and its mail.
///
/// In a shop of Order, Payment and Notification alone, in one with Inventory, and in one with Coupon, Points and Shipping too, which
/// take turns. The orders ask for no coupon and no points, but earn some. Provider and mail server answer at once. The orders come over 16 connections, each of which waits for its answer; the
/// clients run in this process, on the same machine.
struct OrdersBenchmark {
    private static let name = "orders"
    private static let connections = 16
    private static let orders = 2_000

    let setting: Setting
    let report: Report

    /// What one process used.
    private struct Usage {
        var resting = Figures()
        var loaded = Figures()
        var cpu = Figures()
        var idle = Figures()
    }

    /// What was measured of one of the shops.
    private struct Measured {
        var figures: [String: Figures] = [:]
        var usages: [(name: String, usage: Usage)] = []

        mutating func add(_ name: String, _ value: Double) { figures[name, default: Figures()].add(value) }
    }

    private static let shops = [
        (name: "the small shop", contexts: [] as [String]), (name: "with Inventory", contexts: ["inventory"]),
        (name: "with everything", contexts: ["inventory", "coupon", "points", "shipping"]),
    ]

    func run() async throws {
        var measured = Self.shops.map { _ in Measured() }
        for round in 0..<min(setting.rounds, 3) {
            for turn in Self.shops.indices {
                let index = (round + turn) % Self.shops.count
                Setting.note("orders: round \(round + 1), \(Self.shops[index].name)")
                try measure(Self.shops[index].contexts, &measured[index])
                // A shop without them would fill them.
                for context in Self.shops[index].contexts { try await deleteQueues(of: context) }
            }
        }
        for (shop, measured) in zip(Self.shops, measured) { show(shop.name, measured.figures, measured.usages) }
    }

    private func deleteQueues(of service: String) async throws {
        let configuration = try ConnectionConfiguration(urls: [setting.broker], name: "benchmark")
        let administration = BrokerAdministration(configuration)
        for queue in [service, "\(service).dead-letters"] { try await administration.delete(queue: queue) }
    }

    private func measure(_ contexts: [String], _ measured: inout Measured) throws {
        let shop = try RunningShop(setting, contexts: contexts)
        defer { shop.stop() }
        if measured.usages.isEmpty { measured.usages = shop.members.map { ($0.name, Usage()) } }
        usleep(1_000_000)
        let started = samples(shop)
        usleep(2_000_000)
        let resting = samples(shop)
        let client = try ShopClient(port: shop.orderPort)
        measured.add("the first order (ms)", try follow(client, 0))
        let alone = try (1...30).map { try follow(client, $0) }
        measured.add("an order alone, p50 (ms)", Figures.quantile(0.5, of: alone))

        let before = samples(shop)
        let load = try Load(port: shop.orderPort, count: OrdersBenchmark.orders)
        let mailsBefore = shop.mailSink.mails
        var peaks = before
        let deadline = load.began + 120_000_000_000
        while try !load.isOver || client.hasPlacedOrders() {
            guard Meter.now() < deadline else { throw BenchmarkError("the orders were not confirmed in 120 s") }
            usleep(20_000)
            peaks = zip(peaks, samples(shop)).map { $0.residentKiB < $1.residentKiB ? $1 : $0 }
        }
        let confirmed = Meter.now()
        while shop.mailSink.mails - mailsBefore < OrdersBenchmark.orders, Meter.now() < deadline { usleep(5_000) }
        let mailed = Meter.now()
        let after = samples(shop)
        try load.check()
        let count = Double(OrdersBenchmark.orders)
        measured.add("orders accepted per second", count / (Double(load.ended - load.began) / 1e9))
        measured.add("orders confirmed per second", count / (Double(confirmed - load.began) / 1e9))
        measured.add("orders confirmed and mailed per second", count / (Double(mailed - load.began) / 1e9))
        for index in measured.usages.indices {
            measured.usages[index].usage.resting.add(Double(resting[index].residentKiB) / 1024)
            measured.usages[index].usage.loaded.add(Double(peaks[index].residentKiB) / 1024)
            measured.usages[index].usage.cpu.add((after[index].cpu - before[index].cpu) / count * 1_000)
            measured.usages[index].usage.idle.add((resting[index].cpu - started[index].cpu) / 2 * 1_000)
        }
    }

    private func samples(_ shop: RunningShop) -> [ProcessSample] {
        shop.members.map { ProcessSample(pid: $0.pid) }
    }

    /// Places one order and watches it; gives the milliseconds until it was seen confirmed.
    private func follow(_ client: ShopClient, _ number: Int) throws -> Double {
        let began = Meter.now()
        let location = try client.placeOrder(number)
        while try !client.isConfirmed(location) {
            guard Meter.now() - began < 20_000_000_000 else { throw BenchmarkError("an order was not confirmed") }
            usleep(500)
        }
        return Double(Meter.now() - began) / 1e6
    }

    private func show(_ shop: String, _ figures: [String: Figures], _ usages: [(name: String, usage: Usage)]) {
        var table = Table(
            "the whole path, \(shop): \(OrdersBenchmark.orders) orders over \(OrdersBenchmark.connections) connections",
            columns: ["", "median (min..max)"]
        )
        for (name, series) in figures.sorted(by: { $0.key < $1.key }) {
            report.keep(series, name, of: "swift", in: OrdersBenchmark.name, case: "whole path, \(shop)")
            table.add([name, NumberText.spread(series, 1)])
        }
        table.show()
        var processes = Table(
            "per process, \(shop)",
            columns: ["", "MiB at rest", "MiB under load", "CPU s per 1,000 orders", "CPU ms/s at rest"]
        )
        for (name, usage) in usages {
            for (metric, series) in [
                ("MiB at rest", usage.resting), ("MiB under load", usage.loaded),
                ("CPU s per 1,000 orders", usage.cpu), ("CPU ms/s at rest", usage.idle),
            ] {
                report.keep(series, metric, of: name, in: OrdersBenchmark.name, case: "per process, \(shop)")
            }
            processes.add([
                name,
                NumberText.fixed(usage.resting.median, 1),
                NumberText.fixed(usage.loaded.median, 1),
                NumberText.fixed(usage.cpu.median, 2),
                NumberText.fixed(usage.idle.median, 1),
            ])
        }
        processes.show()
    }

    /// Places orders over several connections, each on a thread of its own.
    private final class Load: Sendable {
        let began = Meter.now()
        private let end = Atomic<Int64>(0)
        private let left: Atomic<Int>
        private let failure = Mutex<String?>(nil)

        /// When the last order was accepted.
        var ended: Int64 { end.load(ordering: .acquiring) }
        var isOver: Bool { ended != 0 }

        init(port: UInt16, count: Int) throws {
            left = Atomic(OrdersBenchmark.connections)
            for connection in 0..<OrdersBenchmark.connections {
                let thread = try Threads.start { [self] in
                    do {
                        let client = try ShopClient(port: port)
                        for number in stride(from: connection, to: count, by: OrdersBenchmark.connections) {
                            _ = try client.placeOrder(number)
                        }
                    } catch {
                        failure.withLock { $0 = "\(error)" }
                    }
                    if left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
                        end.store(Meter.now(), ordering: .releasing)
                    }
                }
                pthread_detach(thread)
            }
        }

        /// - Throws: what went wrong on one of the connections.
        func check() throws {
            if let failure = failure.withLock({ $0 }) { throw BenchmarkError(failure) }
        }
    }
}
