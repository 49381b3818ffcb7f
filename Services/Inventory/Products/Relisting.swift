import Events
import Messaging
import ShopEvents
import Telemetry

/// Lists each product again from time to time, so that whoever reads the events from the beginning has all products although
/// old events are removed.
///
/// Each product has its own time, which is stored: a restart neither forgets nor repeats it.
struct Relisting: Sendable {
    /// How many are listed in one transaction: it holds the writer.
    static let atOnce = 100

    let events: EventStore
    /// How long a product may be silent, in milliseconds.
    let interval: Int64
    let logger: Logger
    /// Milliseconds since 1970.
    let now: @Sendable () -> Int64
    private let store = ProductStore()

    init(
        events: EventStore,
        interval: Duration,
        logger: Logger,
        now: @escaping @Sendable () -> Int64 = WallClock.milliseconds
    ) {
        self.events = events
        self.interval = interval.wholeMilliseconds
        self.logger = logger
        self.now = now
    }

    /// Looks from time to time until it is cancelled.
    func run() async {
        // Often enough that nobody is silent for much longer than the interval, and never in a circle.
        let pause = Duration.milliseconds(min(max(interval / 10, 1_000), 600_000))
        while !Task.isCancelled {
            do {
                let count = try await pass()
                if count > 0 { logger.info("Listed products again", [LogField("product.count", count)]) }
            } catch {
                logger.error("Products cannot be listed again now", [LogField("error", error: error)])
            }
            do { try await Task.sleep(for: pause) } catch { return }
        }
    }

    /// Lists every product whose time has come, and says how many they were.
    func pass() async throws -> Int {
        var count = 0
        while !Task.isCancelled {
            let (store, time, interval) = (store, now(), interval)
            let listed = try await events.write { transaction in
                let due = try store.lastListed(until: time - interval, limit: Self.atOnce, in: transaction)
                for product in due {
                    try transaction.append(product.listing)
                    try store.wasListed(product.sku, at: time, in: transaction)
                }
                return due.count
            }
            count += listed
            if listed < Self.atOnce { break }
        }
        return count
    }
}

extension Duration {
    /// Whole milliseconds, what is less cut off.
    var wholeMilliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}
