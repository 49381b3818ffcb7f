import AMQP
import Database
import Events
import Synchronization
import Testing

@testable import Messaging

@Suite("An attempt that takes too long", .timeLimit(.minutes(5)))
struct AttemptDeadlineTests {
    /// A handler that hears nothing until the test lets it go on, and what became of its commit.
    private final class Deaf: Sendable {
        let begun = Flag()
        let release = Flag()
        let refused = Flag()
        let committed = Flag()
        private let number: Int

        init(_ number: Int) { self.number = number }

        func register(on bench: Bench, committing: Bool = false) {
            bench.subscriber.on(Happened.self) { [self] event, delivery in
                let isFirst = event.number == number && !begun.isSet
                if isFirst, !committing {
                    begun.set()
                    await hang()
                }
                do {
                    try await delivery.commit { transaction in
                        try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                    }
                } catch {
                    if isFirst { refused.set() }
                    throw error
                }
                if isFirst, committing {
                    begun.set()
                    await hang()
                }
            }
        }

        /// Goes on while it is cancelled.
        private func hang() async {
            await Task { _ = await release.wait(until: .now + .seconds(120)) }.value
        }
    }

    @Test("of a message is written down, acknowledged and tried again; its handler commits no more")
    func first() async throws {
        try await withBench { bench in
            let deaf = Deaf(1)
            deaf.register(on: bench)
            await bench.inbox.receive([try bench.message(Happened(subject: "a", number: 1))])
            _ = await deaf.begun.wait(until: .now + .seconds(60))
            bench.letDeadlinePass()
            try await eventually { bench.acknowledged.withLock { $0.count } == 1 }
            #expect(try await bench.lives().map(\.status) == ["scheduled"])
            #expect(try await bench.lives().map(\.attempts) == [1])
            #expect(try await bench.column("error_class", of: String.self) == ["handler.timed-out"])
            // While the first handler is still at work.
            try await bench.settle { $0.map(\.status) == ["processed"] }
            deaf.release.set()
            _ = await deaf.refused.wait(until: .now + .seconds(60))
            #expect(deaf.refused.isSet)
            #expect(try await bench.effects() == [1])
            #expect(bench.acknowledged.withLock { $0.count } == 1)
        }
    }

    @Test("lets those behind it in its subject go on, in their order")
    func neighbours() async throws {
        try await withBench { bench in
            let deaf = Deaf(1)
            deaf.register(on: bench)
            await bench.inbox.receive([
                try bench.message(Happened(subject: "a", number: 1), sequence: 1),
                try bench.message(Happened(subject: "a", number: 2), sequence: 2),
            ])
            _ = await deaf.begun.wait(until: .now + .seconds(60))
            bench.letDeadlinePass()
            try await eventually { bench.acknowledged.withLock { $0.count } == 2 }
            await bench.inbox.receive([try bench.message(Happened(subject: "a", number: 3), sequence: 3)])
            try await eventually { bench.acknowledged.withLock { $0.count } == 3 }
            #expect(try await bench.lives().map(\.status) == ["scheduled", "held", "held"])
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [1, 2, 3])
            deaf.release.set()
        }
    }

    @Test("of a row fails as well, and runs again beside the handler that does not hear")
    func row() async throws {
        try await withBench { bench in
            let deaf = Deaf(1)
            deaf.register(on: bench)
            await bench.receive(try bench.message(Happened(subject: "a", number: 1), redelivered: true))
            let scheduling = Task { await bench.scheduler.run() }
            _ = await deaf.begun.wait(until: .now + .seconds(60))
            bench.letDeadlinePass()
            try await eventually { try await bench.lives().map(\.status) == ["processed"] }
            #expect(try await bench.lives().map(\.attempts) == [2])
            deaf.release.set()
            _ = await deaf.refused.wait(until: .now + .seconds(60))
            #expect(deaf.refused.isSet)
            #expect(try await bench.effects() == [1])
            scheduling.cancel()
            await scheduling.value
        }
    }

    @Test("after its commit is processed, and holds nobody up")
    func committed() async throws {
        try await withBench { bench in
            let deaf = Deaf(1)
            deaf.register(on: bench, committing: true)
            await bench.inbox.receive([
                try bench.message(Happened(subject: "a", number: 1)),
                try bench.message(Happened(subject: "a", number: 2)),
            ])
            _ = await deaf.begun.wait(until: .now + .seconds(60))
            bench.letDeadlinePass()
            try await eventually { bench.acknowledged.withLock { Set($0).count } == 2 }
            try await bench.settle { $0.map(\.status) == ["processed", "processed"] }
            #expect(try await bench.effects() == [1, 2])
            deaf.release.set()
        }
    }

    @Test("is none before its time")
    func inTime() async throws {
        try await withBench { bench in
            let deaf = Deaf(1)
            deaf.register(on: bench)
            await bench.inbox.receive([try bench.message(Happened(subject: "a", number: 1))])
            _ = await deaf.begun.wait(until: .now + .seconds(60))
            for _ in 0..<AttemptClock.ticks { bench.clock.beat([bench.isolation.lanes]) }
            deaf.release.set()
            await bench.inbox.drained()
            #expect(try await bench.lives().map(\.status) == ["processed"])
        }
    }

    @Test("is no reason for the broker to lose its patience with those that wait: they go to the table")
    func waiting() async throws {
        try await withBench { bench in
            let deaf = Deaf(1)
            deaf.register(on: bench)
            await bench.inbox.receive([
                try bench.message(Happened(subject: "a", number: 1), sequence: 1),
                try bench.message(Happened(subject: "a", number: 2), sequence: 2),
                try bench.message(Happened(subject: "a", number: 3), sequence: 3),
            ])
            _ = await deaf.begun.wait(until: .now + .seconds(60))
            // Their time goes by, that of the attempt at work does not: it began later, for all that the clock knows.
            for _ in 0...AttemptClock.ticks { bench.clock.beat([]) }
            deaf.release.set()
            await bench.inbox.drained()
            #expect(bench.acknowledged.withLock { $0.count } == 3)
            #expect(try await bench.lives().map(\.status) == ["processed", "scheduled", "held"])
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [1, 2, 3])
        }
    }
}
