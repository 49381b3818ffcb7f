import AMQP
import Foundation
import JSON
import Synchronization
import Telemetry
import TestSupport
import Testing

/// How many, from `Tests/run end-to-end --poison N`.
let poison = ProcessInfo.processInfo.environment["WARREN_TEST_POISON"].flatMap(Int.init) ?? 4_000

extension EndToEnd {
    @Suite("A storm of poison", .timeLimit(.minutes(5 + poison / 2_000)))
    struct PoisonStorm {
        /// How many messages may lie in Payment's queue: more comes when it has taken some.
        private static let backlog = 1_000
        /// How much more memory than before Payment may take, in bytes, however large the storm is.
        private static let growth: Int64 = 128 << 20

        @Test("passes: orders go through meanwhile, memory stays flat, and the dead letters can be browsed")
        func passes() async throws {
            var options = Shop.Options()
            // Retries take long enough to be waited behind, if anything did.
            options.environment[.payment] = [
                "WARREN_RETRY_ATTEMPTS": "3", "WARREN_RETRY_BASE": "10s", "WARREN_RETRY_CAP": "10s",
            ]
            options.environment[.sandbox] = ["WARREN_LOG_LEVEL": "error"]
            try await Shop.open(options) { shop in
                // What happens once per process has happened.
                try await shop.waitFor("confirmed", order: try await shop.place())
                let before = try Self.memory(of: shop.process(.payment).identifier)

                let storm = Storm()
                let began = ContinuousClock.now
                let customers = (0..<2).map { customer in
                    Task { try await Self.order(in: shop, during: storm, as: customer) }
                }
                let operating = Task { try await Self.browse(shop, during: storm) }
                try await Self.publish(storm, to: shop, keeping: Self.backlog)
                let published = began.duration(to: .now)
                storm.end()
                var orders: [CustomerRecord] = []
                for customer in customers { orders += try await customer.value }
                let looks = try await operating.value

                // Everything has its place, and it is counted.
                #expect(try await Self.groups(of: shop) == Storm.Kind.expected(of: poison))
                #expect(!orders.isEmpty)
                for order in orders {
                    #expect(try await shop.charges(of: order.id) == 1)
                    try await shop.waitForMail("confirmed", about: order.id)
                }
                #expect(orders.contains { $0.hasPassed }, "no order passed poison that waits for its retries")

                #expect(looks.contains { $0.dead > 0 && $0.listed > 0 }, "nobody could look at the dead letters")
                let most = looks.map(\.memory).max() ?? 0
                #expect(most - before < Self.growth, "\(before >> 20) MiB before, \(most >> 20) MiB in the storm")
                report(orders, looks, published: published, all: began.duration(to: .now), before: before)
            }
        }

        /// An order that was placed in the storm.
        private struct CustomerRecord: Sendable {
            var id: String
            var latency: Duration
            /// Whether it needed a retry itself.
            var isRetried: Bool
            /// Whether poison that had come before it still waited for a retry when it was confirmed.
            var hasPassed: Bool
        }

        /// Places one order after the other while the storm lasts, each when the one before is confirmed.
        private static func order(in shop: Shop, during storm: Storm, as customer: Int) async throws -> [CustomerRecord]
        {
            let payment = HTTPProbe(port: shop.operations(.payment).port, timeout: .seconds(60))
            try await eventually("poison waits for its retries", within: .seconds(120)) {
                (try await payment.get("/backlog").json["scheduled"].integer ?? 0) > 0
            }
            var orders: [CustomerRecord] = []
            while orders.isEmpty || !storm.isOver {
                let isRetried = orders.count % 4 == 2 + customer
                let began = ContinuousClock.now
                let id = try await shop.place(paying: isRetried ? "pm_sandbox_error_once" : "pm_card_visa")
                try await eventually("order \(id) is confirmed", within: .seconds(180), every: .milliseconds(10)) {
                    try await shop.order(id)["status"].text == "confirmed"
                }
                let latency = began.duration(to: .now)
                // In seconds; it came before the order if it is older than the order is now.
                let oldest =
                    switch try await payment.get("/backlog").json["oldestScheduledAge"] {
                    case .number(let age): age
                    case .integer(let age): Double(age)
                    default: 0.0
                    }
                orders.append(
                    CustomerRecord(
                        id: id,
                        latency: latency,
                        isRetried: isRetried,
                        hasPassed: oldest > began.duration(to: .now) / .seconds(1)
                    )
                )
            }
            return orders
        }

        /// What an operator saw.
        private struct Look: Sendable {
            var dead: Int64
            var listed: Int
            var took: Duration
            /// Of Payment, in bytes.
            var memory: Int64
        }

        /// Goes through the groups and the first two pages of the list, again and again, until all of the storm is there.
        private static func browse(_ shop: Shop, during storm: Storm) async throws -> [Look] {
            let probe = HTTPProbe(port: shop.operations(.payment).port, timeout: .seconds(60))
            var looks: [Look] = []
            while (looks.last?.dead ?? 0) < poison {
                guard storm.age < .seconds(300 + poison / 20) else {
                    throw TimedOut("\(looks.last?.dead ?? 0) are dead")
                }
                let began = ContinuousClock.now
                let dead = try await groups(of: shop).values.reduce(0, +)
                let first = try await probe.get("/dead-letters?limit=100")
                #expect(first.status == 200)
                var listed = try first.json["items"].elements.count
                if let next = try first.json["next"].text {
                    let second = try await probe.get("/dead-letters?limit=100&after=\(next)")
                    #expect(second.status == 200)
                    listed += try second.json["items"].elements.count
                }
                looks.append(
                    Look(
                        dead: dead,
                        listed: listed,
                        took: began.duration(to: .now),
                        memory: try memory(of: shop.process(.payment).identifier)
                    )
                )
                // A person's pace.
                try await Task.sleep(for: .milliseconds(500))
            }
            return looks
        }

        /// The number of Payment's dead letters by error class.
        private static func groups(of shop: Shop) async throws -> [String: Int64] {
            let probe = HTTPProbe(port: shop.operations(.payment).port, timeout: .seconds(60))
            let reply = try await probe.get("/dead-letters/groups?state=dead")
            guard reply.status == 200 else { throw TimedOut("the groups answered \(reply.status): \(reply.text)") }
            return try reply.json["items"].elements.reduce(into: [:]) { groups, group in
                groups[group["errorClass"].text ?? "", default: 0] += group["count"].integer ?? 0
            }
        }

        private static func memory(of process: Int32) throws -> Int64 {
            let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
            let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
            return (line?.split(separator: " ").dropFirst().first.flatMap { Int64($0) } ?? 0) << 10
        }

        /// Publishes all of it, as fast as Payment takes it.
        private static func publish(_ storm: Storm, to shop: Shop, keeping backlog: Int) async throws {
            let url = try #require(shop.commandEnvironment["WARREN_AMQP_URL"])
            let publisher = Publisher(
                try ConnectionConfiguration(urls: [url], name: "storm"),
                topology: BrokerTopology(),
                window: 256,
                logger: .silent
            )
            let running = Task { await publisher.run() }
            defer { running.cancel() }
            var taken: Int64 = 0
            while storm.published < poison {
                let burst = storm.next(min(100, poison - storm.published))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for publication in burst { group.addTask { try await publisher.publish(publication) } }
                    try await group.waitForAll()
                }
                guard Int64(storm.published - backlog) > taken else { continue }
                taken = try await eventually("Payment takes them", within: .seconds(120), every: .milliseconds(100)) {
                    let taken = try await written(by: shop)
                    return taken >= Int64(storm.published - backlog / 2) ? taken : nil
                }
            }
        }

        /// How many deliveries Payment has written down, which costs it nothing to be asked.
        private static func written(by shop: Shop) async throws -> Int64 {
            let rows = try await shop.query(
                .payment,
                "SELECT seq FROM sqlite_sequence WHERE name = 'warren_deliveries'"
            )
            return rows.first?[0].integer ?? 0
        }

        private func report(
            _ orders: [CustomerRecord],
            _ looks: [Look],
            published: Duration,
            all: Duration,
            before: Int64
        ) {
            let latencies = orders.filter { !$0.isRetried }.map(\.latency).sorted()
            let retried = orders.filter(\.isRetried).map(\.latency).sorted()
            let tenths = (1...10).compactMap { tenth in
                looks.first { $0.dead * 10 >= Int64(poison * tenth) }.map { "\($0.memory >> 20)" }
            }.joined(separator: ", ")
            let times = looks.map(\.took).sorted()
            func text(_ duration: Duration) -> String { "\(Int(duration / .milliseconds(1))) ms" }
            print(
                """
                *** \(poison) poison messages in \(text(published)), all of them dead letters after \(text(all))
                *** \(orders.count) orders meanwhile: placed to confirmed p50 \(text(latencies[latencies.count / 2])), \
                at most \(text(latencies.last ?? .zero)); \
                \(retried.count) with a retry of their own after up to 10 s: at most \(text(retried.last ?? .zero)); \
                \(orders.filter(\.hasPassed).count) passed poison that waited
                *** \(looks.count) looks at groups and list: p50 \(text(times[times.count / 2])), \
                at most \(text(times.last ?? .zero)), the last one at \(looks.last?.dead ?? 0) dead letters
                *** Payment's memory in MiB: \(before >> 20) before; at tenths of the storm \(tenths)
                """
            )
        }
    }
}

/// The poison, and how far it has come.
private final class Storm: Sendable {
    /// What is wrong with a message.
    enum Kind: Int, CaseIterable {
        case malformed
        case unknownType
        /// The handler says at once that no retry helps.
        case failsForGood
        /// The handler fails at every attempt.
        case failsAlways

        var errorClass: String {
            switch self {
            case .malformed: "event.malformed-json"
            case .unknownType: "event.unknown-type"
            case .failsForGood: "payment.invalid-order-id"
            case .failsAlways: "payment.provider-unavailable"
            }
        }

        /// How many of each there are among so many.
        static func expected(of count: Int) -> [String: Int64] {
            var expected: [String: Int64] = [:]
            for number in 0..<count { expected[Kind(of: number).errorClass, default: 0] += 1 }
            return expected
        }

        init(of number: Int) { self = Kind.allCases[number % Kind.allCases.count] }
    }

    private struct State {
        var published = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let began = ContinuousClock.now

    /// How long ago it began.
    var age: Duration { began.duration(to: .now) }

    var published: Int { state.withLock { $0.published } }
    var isOver: Bool { state.withLock { $0.isOver } }

    func end() { state.withLock { $0.isOver = true } }

    /// The next so many messages.
    func next(_ count: Int) -> [Publication] {
        let first = state.withLock { state in
            defer { state.published += count }
            return state.published
        }
        return (first..<first + count).map(Self.message)
    }

    private static func message(_ number: Int) -> Publication {
        let kind = Kind(of: number)
        let id = UUID().uuidString
        let type = kind == .unknownType ? "dev.warren.order.exploded" : "dev.warren.order.payment-requested"
        // Longer than an idempotency key has room for, and no longer than a subject may be.
        let order =
            kind == .failsForGood ? "poison-\(number)-" + String(repeating: "x", count: 210) : "poison-\(number)"
        let envelope = Shop.envelope(
            type,
            subject: order,
            id: id,
            data: [
                "orderID": .string(order), "total": ["amount": 2500, "currency": "EUR"],
                "paymentMethod": "pm_sandbox_down", "padding": .string(String(repeating: "p", count: number % 2_000)),
            ]
        )
        var properties = MessageProperties()
        properties.contentType = "application/cloudevents+json; charset=utf-8"
        properties.messageID = id
        properties.deliveryMode = 2
        return Publication(
            // Straight into the queue, where the exchange would not bring it.
            exchange: kind == .unknownType ? "" : "warren.events",
            routingKey: kind == .unknownType ? "payment" : type,
            message: Message(
                body: kind == .malformed ? envelope.bytes.dropLast() : envelope.bytes,
                properties: properties
            )
        )
    }
}
