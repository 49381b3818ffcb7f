import AMQP
import Database
import Events
import Synchronization
import Testing

@testable import Messaging

@Suite("A delivery that waits, or comes again", .timeLimit(.minutes(5)))
struct WaitingDeliveryTests {
    struct Broken: Error {}

    @Test("replayed as a dead letter goes through under its own row, past deduplication")
    func replay() async throws {
        try await withBench { bench in
            let isMended = Mutex(false)
            bench.subscriber.on(Happened.self) { event, delivery in
                guard isMended.withLock({ $0 }) else { throw HandlerError.permanent("test.broken", "no") }
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                }
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 5)))
            isMended.withLock { $0 = true }
            let retried = try await bench.deadLetters.retry(1, actor: "me", reason: "mended")
            #expect(retried.state == .scheduled)
            #expect(retried.generation == 1)
            try await bench.settle { $0.map(\.status) == ["processed"] }
            #expect(try await bench.effects() == [5])
            let audit = try await bench.deadLetters.audit(after: nil, limit: 10)
            #expect(audit.map(\.action) == ["retry"])
            #expect(audit.map(\.actor) == ["me"])
            await #expect(throws: DeadLetterError.notFound(1)) {
                try await bench.deadLetters.retry(1, actor: "me", reason: "again")
            }
        }
    }

    @Test("discarded as a dead letter stays out until it is restored")
    func discard() async throws {
        try await withBench { bench in
            bench.subscriber.on(Happened.self) { _, _ in throw HandlerError.permanent("test.broken", "no") }
            await bench.receive(try bench.message(Happened(subject: "a", number: 5)))
            _ = try await bench.deadLetters.discard(1, actor: "me", reason: "not needed")
            await #expect(throws: DeadLetterError.wrongState(1, .discarded)) {
                try await bench.deadLetters.retry(1, actor: "me", reason: "")
            }
            #expect(try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10).isEmpty)
            #expect(try await bench.deadLetters.restore(1, actor: "me", reason: "needed").state == .dead)
            #expect(try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10).map(\.id) == [1])
        }
    }

    @Test("behind a failed one of its subject is held, and others pass")
    func held() async throws {
        try await withBench { bench in
            let isMended = Mutex(false)
            bench.subscriber.on(Happened.self) { event, delivery in
                if event.number == 1, !isMended.withLock({ $0 }) {
                    throw HandlerError.permanent("test.broken", "no")
                }
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                }
            }
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1), sequence: 1),
                try bench.message(Happened(subject: "a", number: 2), sequence: 2),
                try bench.message(Happened(subject: "b", number: 10), sequence: 1)
            )
            await bench.receive(try bench.message(Happened(subject: "a", number: 3), sequence: 3))
            #expect(try await bench.effects() == [10])
            let states = try await bench.lives().filter { $0.subject == "a" }.map(\.status)
            #expect(states == ["dead", "held", "held"])
            isMended.withLock { $0 = true }
            _ = try await bench.deadLetters.retry(
                try #require(try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 1).first).id,
                actor: "me",
                reason: "mended"
            )
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
            #expect(try await bench.effects() == [10, 1, 2, 3])
        }
    }

    @Test("behind a discarded one goes on")
    func releasedByDiscard() async throws {
        try await withBench { bench in
            bench.recordEffects(refusing: 1)
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1), sequence: 1),
                try bench.message(Happened(subject: "a", number: 2), sequence: 2)
            )
            _ = try await bench.deadLetters.discard(1, actor: "me", reason: "never mind")
            try await bench.settle { $0.map(\.status) == ["discarded", "processed"] }
            #expect(try await bench.effects() == [2])
        }
    }

    @Test("passes a dead one where the service says so, but not a scheduled one")
    func proceed() async throws {
        try await withBench(afterDeadLetter: .proceed) { bench in
            bench.subscriber.on(Happened.self) { event, delivery in
                if event.number == 1 { throw Broken() }
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                }
            }
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1), sequence: 1),
                try bench.message(Happened(subject: "a", number: 2), sequence: 2)
            )
            #expect(try await bench.lives().map(\.status) == ["scheduled", "held"])
            try await bench.settle { $0.map(\.status) == ["dead", "processed"] }
            #expect(try await bench.effects() == [2])
        }
    }

    @Test("without ordering does not wait for a failed one of its subject")
    func unordered() async throws {
        try await withBench(ordering: .none) { bench in
            bench.recordEffects(refusing: 1)
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1)),
                try bench.message(Happened(subject: "a", number: 2))
            )
            #expect(try await bench.effects() == [2])
        }
    }

    @Test("for the second time without a receipt is written down before its handler runs, and not charged")
    func suspect() async throws {
        try await withBench { bench in
            let attemptsInTable = Mutex<[Int]>([])
            // Without the bench, which keeps the handler.
            bench.subscriber.on(Happened.self) { [database = bench.database] _, delivery in
                let attempts = try await database.read { transaction -> Int in
                    try transaction.first("SELECT attempts FROM warren_deliveries")?[0] ?? -1
                }
                attemptsInTable.withLock { $0.append(attempts) }
                try await delivery.commit { _ in }
            }
            await bench.receive(try bench.message(Happened(subject: "a", number: 1), redelivered: true))
            #expect(try await bench.lives().map(\.status) == ["scheduled"])
            #expect(bench.acknowledged.withLock { $0.count } == 1)
            try await bench.settle { $0.map(\.status) == ["processed"] }
            #expect(attemptsInTable.withLock { $0 } == [0])
        }
    }

    @Test("of this service's own, published again by a later process, is written down before its handler runs")
    func ownRepeat() async throws {
        try await withBench { bench in
            bench.recordEffects()
            await bench.receive(
                try bench.message(Happened(subject: "a", number: 1), source: "/tested", isRepeat: true),
                // Of no concern to others, whose process has not ended.
                try bench.message(Happened(subject: "b", number: 2), isRepeat: true),
                try bench.message(Happened(subject: "c", number: 3), source: "/tested")
            )
            let lives = try await bench.lives()
            #expect(lives.filter { $0.status == "scheduled" }.map(\.subject) == ["a"])
            #expect(Set(lives.filter { $0.status == "processed" }.map(\.subject)) == ["b", "c"])
            let suspects = try await bench.database.read { transaction in
                try transaction.query("SELECT subject FROM warren_deliveries WHERE suspect = 1").map { row -> String in
                    try row[0]
                }
            }
            #expect(suspects == ["a"])
            try await bench.settle { $0.allSatisfy { $0.status == "processed" } }
        }
    }

    @Test("that ends the process each time is buried after the last attempt, and its neighbour is not charged")
    func killer() async throws {
        try await withBench { bench in
            bench.recordEffects()
            // One after the other: of two that come together either may be the first row.
            await bench.receive(try bench.message(Happened(subject: "killer", number: 1), redelivered: true))
            await bench.receive(try bench.message(Happened(subject: "neighbour", number: 2), redelivered: true))
            // What three processes that died at work have left behind.
            try await bench.database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE warren_deliveries SET attempts = 3, suspect = 5, running_since = 1 WHERE subject = 'killer'"
                )
            }
            try await bench.settle { $0.map(\.status) == ["dead", "processed"] }
            #expect(try await bench.effects() == [2])
            let letter = try await bench.deadLetters.show(1)
            #expect(letter.errorClass == "process.ended")
            #expect(try await bench.lives().map(\.attempts).last == 1)
        }
    }
}
