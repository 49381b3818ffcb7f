import AMQP
import Database
import Events
import Synchronization
import Telemetry
import Testing

@testable import Messaging

@Suite("What the broker gives up on", .timeLimit(.minutes(5)))
struct BrokerDeadLetterTests {
    /// A service whose connections are in the test's hands.
    private struct Service {
        let queue: FakeSource
        let net: FakeSource
        let runtime: MessagingRuntime
    }

    /// Runs a service over the database of a bench.
    private func running(
        _ bench: Bench,
        deadLettersAtStart: Int,
        _ body: (Service) async throws -> Void
    ) async throws {
        let queue = FakeSource()
        let net = FakeSource(readyMessages: deadLettersAtStart)
        let runtime = MessagingRuntime(
            MessagingConfiguration(
                service: "tested",
                source: "/tested",
                brokerURLs: [],
                topology: Topology([.init("tested", to: [Happened.type])])
            ),
            database: bench.database,
            publisher: bench.sink,
            consumer: queue,
            brokerDeadLetterConsumer: net,
            logger: .silent
        )
        runtime.subscriber.on(Happened.self) { event, delivery in
            try await delivery.commit { transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
            }
        }
        let run = Task { await runtime.run(grace: .seconds(60)) }
        do {
            try await body(Service(queue: queue, net: net, runtime: runtime))
            run.cancel()
        } catch {
            run.cancel()
            throw error
        }
        await run.value
    }

    private func dead(_ message: IncomingMessage, _ reason: String) -> Message {
        var message = message.message
        message.properties.headers = ["x-death": .array([.table(["reason": .string(reason), "count": .int64(1)])])]
        return message
    }

    @Test("is a dead letter with the broker's reason and the original bytes, and acknowledged after that")
    func reason() async throws {
        try await withBench { bench in
            let message = try bench.message(Happened(subject: "a", number: 1), sequence: 1)
            try await running(bench, deadLettersAtStart: 0) { service in
                service.queue.connect()
                service.net.connect()
                service.net.deliver(dead(message, "delivery_limit"))
                try await eventually { service.net.acknowledged == [1] }
                let letter = try await service.runtime.deadLetters.show(1)
                #expect(letter.state == .dead)
                #expect(letter.errorClass == "broker.delivery_limit")
                #expect(letter.body == message.message.body)
                #expect(letter.properties.contains("x-death"))
                #expect(letter.attempts.count == 1)
            }
        }
    }

    @Test("before the start is in the table before the queue is handled, so that nothing of its subject passes it")
    func drainedFirst() async throws {
        try await withBench { bench in
            let first = try bench.message(Happened(subject: "a", number: 1), sequence: 1)
            let second = try bench.message(Happened(subject: "a", number: 2), sequence: 2)
            let other = try bench.message(Happened(subject: "b", number: 3), sequence: 1)
            try await running(bench, deadLettersAtStart: 2) { service in
                service.queue.connect()
                service.queue.deliver(second.message)
                // Another copy of what the broker has given up on.
                service.queue.deliver(first.message)
                service.queue.deliver(other.message)
                service.net.connect()
                service.net.deliver(dead(try bench.message(Happened(subject: "c", number: 4)), "delivery_limit"))
                try await eventually { service.net.acknowledged == [1] }
                // Time for the queue to be handled if nothing held it back.
                for _ in 0..<50 { _ = try await bench.lives() }
                #expect(service.queue.acknowledged.isEmpty)
                service.net.deliver(dead(first, "delivery_limit"))
                try await eventually { service.queue.acknowledged.count == 3 }
                #expect(try await bench.effects() == [3])
                let lives = try await bench.lives().filter { $0.subject == "a" }
                #expect(lives.map(\.status) == ["dead", "held"])
                let letter = try #require(
                    try await service.runtime.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
                        .first { $0.subject == "a" }
                )
                _ = try await service.runtime.deadLetters.retry(letter.id, actor: "me", reason: "mended")
                try await eventually { try await bench.effects() == [3, 1, 2] }
            }
        }
    }

    @Test("is not waited for by a service that stops")
    func stopping() async throws {
        try await withBench { bench in
            try await running(bench, deadLettersAtStart: 1) { service in
                service.queue.connect()
                service.net.connect()
                service.queue.deliver(try bench.message(Happened(subject: "a", number: 1)).message)
            }
            #expect(try await bench.lives().isEmpty)
        }
    }
}
