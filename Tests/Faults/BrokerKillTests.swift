import AMQP
import Foundation
import Glibc
import Telemetry
import TestSupport
import Testing

/// How much, from `Tests/run faults --kills N --messages N`.
private let kills = setting("WARREN_TEST_KILLS", 3)
private let messages = setting("WARREN_TEST_MESSAGES", 10_000)

private func setting(_ name: String, _ usual: Int) -> Int {
    ProcessInfo.processInfo.environment[name].flatMap(Int.init) ?? usual
}

/// The brokers that are killed, by the scripts that start them.
enum Killed: String, CaseIterable, CustomTestStringConvertible {
    case rabbitMQ3 = "RabbitMQ 3.10"
    case rabbitMQ4 = "RabbitMQ 4"

    var testDescription: String { rawValue }

    private var variable: String { self == .rabbitMQ3 ? "WARREN_TEST_BROKER" : "WARREN_TEST_BROKER4" }

    var script: URL? { ProcessInfo.processInfo.environment[variable].map { URL(fileURLWithPath: $0) } }

    /// The first is always asked for, so that it is missed where it is not there.
    static var all: [Killed] { allCases.filter { $0 == .rabbitMQ3 || $0.script != nil } }
}

@Suite("The broker is killed", .serialized, .timeLimit(.minutes(10 + kills / 2 + messages / 4_000)))
struct BrokerKillTests {
    private static let exchange = "faults"
    private static let consumedQueue = "consumed"
    private static let auditedQueue = "audited"

    /// Every message goes to two queues: one is consumed by the client, the other is read at the end by other means.
    private static let topology: BrokerTopology = {
        var topology = BrokerTopology()
        topology.exchanges = [.init(name: exchange, type: "topic")]
        for name in [consumedQueue, auditedQueue] {
            topology.queues.append(.init(name: name, arguments: ["x-queue-type": .string("quorum")]))
            topology.bindings.append(.init(queue: name, exchange: exchange, routingKey: "number.#"))
        }
        return topology
    }()

    @Test(
        "at full speed, again and again: what is confirmed is consumed, and the client's account holds",
        arguments: Killed.all
    )
    func accounts(_ killed: Killed) async throws {
        try await PrivateBroker.with(script: killed.script) { broker in
            var configuration = try ConnectionConfiguration(urls: [broker.url], name: "faults")
            configuration.backoff = .milliseconds(20) ... .milliseconds(500)
            let publisher = Publisher(configuration, topology: Self.topology, window: 1_000, logger: .silent)
            let consumer = Consumer(
                configuration,
                queue: Self.consumedQueue,
                prefetch: 250,
                topology: Self.topology,
                logger: .silent
            )
            let account = Account(count: messages)
            let began = ContinuousClock.now
            var inFlightAtKills: [Int] = []
            var downtime = Duration.zero

            let publishing = Task { await publisher.run() }
            // The queues exist before a second connection asks for them: see RabbitMQ 3.10 in the client's own tests.
            try await eventually("the publisher is ready") { publisher.state == .ready }
            try await broker.settle()
            let consuming = Task { await consumer.run() }
            let reading = Task {
                for await burst in consumer.bursts {
                    account.consumed(burst)
                    consumer.ack(burst.map(\.tag))
                }
            }
            let sending = (0..<4).map { _ in Task { try await Self.send(account, publisher) } }

            for kill in 1...kills {
                // Both see every kill: neither is still on its way back from the one before.
                try await eventually("both are connected") { publisher.state == .ready && consumer.state == .ready }
                let mark = messages * kill / (kills + 1)
                let processes = try broker.processes
                let (killed, signal) = AsyncStream.makeStream(of: Int.self)
                account.at(mark) {
                    for process in processes { _ = Glibc.kill(process, SIGKILL) }
                    // Nothing more until the next kill is prepared, or it would find nothing left to do.
                    account.isOpen = false
                    signal.yield(publisher.statistics.inFlight)
                }
                account.isOpen = true
                for await inFlight in killed {
                    inFlightAtKills.append(inFlight)
                    break
                }
                let down = ContinuousClock.now
                // Ends what the node leaves behind.
                try await broker.kill()
                try await broker.start()
                downtime += down.duration(to: .now)
            }
            account.isOpen = true
            for task in sending { try await task.value }
            try await eventually("every confirmed message is consumed", within: .seconds(240)) { account.missing == 0 }
            let elapsed = began.duration(to: .now) - downtime

            consuming.cancel()
            publishing.cancel()
            await consuming.value
            await publishing.value
            await reading.value
            try await check(account.books, publisher.statistics, consumer.statistics, broker)
            report(account.books, consumer.statistics, inFlightAtKills, downtime, elapsed)
        }
    }

    /// Sends what is not sent, in bursts, until nothing is left; every fiftieth to nobody.
    private static func send(_ account: Account, _ publisher: Publisher) async throws {
        while true {
            try await eventually("sending goes on", within: .seconds(240), every: .milliseconds(5)) { account.isOpen }
            let numbers = account.next(400)
            guard !numbers.isEmpty else { return }
            for await state in publisher.states where state == .ready { break }
            let (outcomes, told) = AsyncStream.makeStream(of: Void.self)
            let burst = numbers.map { number in
                var properties = MessageProperties()
                properties.messageID = "\(number)"
                properties.deliveryMode = 2
                return Publication(
                    exchange: exchange,
                    routingKey: number % 50 == 0 ? "nobody" : "number.\(number)",
                    message: Message(body: Array("\(number)".utf8), properties: properties)
                )
            }
            publisher.submit(burst) { index, error in
                account.note(numbers[index], error)
                told.yield()
            }
            var left = burst.count
            for await _ in outcomes {
                left -= 1
                if left == 0 { break }
            }
        }
    }

    private func check(
        _ books: Account.Books,
        _ publishing: Statistics,
        _ consuming: Statistics,
        _ broker: PrivateBroker
    ) async throws {
        #expect(books.otherErrors.isEmpty, "errors of other kinds: \(Set(books.otherErrors.map(\.description)))")
        #expect(books.settled == messages)
        #expect(publishing.confirmed == books.confirmed.count)
        #expect(publishing.returned == books.returned.count)
        #expect(publishing.nacked == books.nacked.count)
        #expect(publishing.unknown == books.unknown.count)
        #expect(publishing.reconnects >= kills)
        #expect(consuming.reconnects >= kills)

        let possible = books.confirmed.union(books.unknown)
        #expect(books.missing.isEmpty, "confirmed and not consumed")
        #expect(books.consumed.subtracting(possible).isEmpty, "consumed, and not sent by the client's account")
        // What goes to nobody is returned, or lost on the way: it is never confirmed as routed.
        #expect(books.confirmed.allSatisfy { $0 % 50 != 0 })
        #expect(books.returned.allSatisfy { $0 % 50 == 0 })

        // The other queue, read by the broker's HTTP API.
        var audited: [Int] = []
        while true {
            let payloads = try await broker.management.take(250, from: Self.auditedQueue)
            guard !payloads.isEmpty else { break }
            audited += payloads.map { Int($0) ?? -1 }
        }
        let distinct = Set(audited)
        #expect(distinct.count == audited.count, "a message that was sent once is there twice")
        #expect(books.confirmed.subtracting(distinct).isEmpty, "confirmed and not in the queue")
        #expect(distinct.subtracting(possible).isEmpty, "in the queue, and not sent by the client's account")
    }

    private func report(
        _ books: Account.Books,
        _ consuming: Statistics,
        _ inFlight: [Int],
        _ downtime: Duration,
        _ elapsed: Duration
    ) {
        let arrived = books.unknown.intersection(books.consumed).count
        print(
            """
            broker killed \(kills) times during \(messages) messages: \(books.confirmed.count) confirmed, \
            \(books.returned.count) returned, \(books.nacked.count) nacked, \(books.unknown.count) unknown \
            (of which \(arrived) had arrived), \(books.neverSent) reported unsent and sent later; in flight at the kills: \
            \(inFlight); consumed \(books.consumed.count), \(books.consumedAgain) of them again \
            (\(books.unmarked.count) without the redelivered flag); stale acks \(consuming.staleAcks); \
            \(elapsed) besides \(downtime) without a broker
            """
        )
    }
}
