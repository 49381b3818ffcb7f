import AMQP
import Database
import Events
import Foundation
import Synchronization
import Testing

@testable import Messaging

/// One process after the other over one database, each ended by the first handler that is given a poison.
private final class Shop: Sendable {
    private let path: String
    /// The message that a process has not acknowledged come again.
    private let queue: Mutex<[IncomingMessage]>
    private let deaths = Mutex(0)

    init(at path: String, _ queue: [IncomingMessage]) {
        self.path = path
        self.queue = Mutex(queue)
    }

    /// Runs processes until one lives to see every message in its place.
    ///
    /// - Returns: how many were ended.
    func run(poison: @escaping @Sendable (Int) -> Bool) async throws -> Int {
        while try await !lives(poison) {
            deaths.withLock { $0 += 1 }
            guard deaths.withLock({ $0 }) < 60 else { throw NeverHappened() }
        }
        return deaths.withLock { $0 }
    }

    /// Runs one process.
    /// - Returns: false when it is ended.
    private func lives(_ poison: @escaping @Sendable (Int) -> Bool) async throws -> Bool {
        let bench = try await Bench(at: path)
        let ended = Flag()
        let release = Flag()
        bench.subscriber.on(Happened.self) { event, delivery in
            // A process that has ended does nothing more.
            if poison(event.number) { ended.set() }
            while ended.isSet, !release.isSet { await Signal().wait(until: .now + .milliseconds(5)) }
            try await delivery.commit { transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
            }
        }
        let scheduling = Task { await bench.scheduler.run() }
        await bench.inbox.receive(queue.withLock { $0 })
        let database = bench.database
        try await eventually {
            if ended.isSet { return true }
            let waiting: Int? = try await database.read { transaction in
                try transaction.first(
                    "SELECT COUNT(*) FROM warren_deliveries WHERE status = 'scheduled' OR status = 'held'"
                )?[0]
            }
            return waiting == 0 && self.queue.withLock { $0.count } == bench.acknowledged.withLock { $0.count }
        }
        await bench.database.close()
        scheduling.cancel()
        release.set()
        await scheduling.value
        await bench.inbox.drained()
        await bench.scheduler.drained()
        let acknowledged = Set(bench.acknowledged.withLock { $0 })
        queue.withLock { queue in
            queue = queue.filter { !acknowledged.contains($0.tag.number) }.map { message in
                IncomingMessage(
                    tag: message.tag,
                    redelivered: true,
                    exchange: message.exchange,
                    routingKey: message.routingKey,
                    message: message.message
                )
            }
        }
        return !ended.isSet
    }
}

@Suite("Suspicion grows by evidence", .timeLimit(.minutes(5)))
struct SuspicionTests {
    /// Hands in messages that come again, so that they are in the table.
    private func store(_ count: Int, _ bench: Bench, level: Int) async throws {
        if bench.subscriber.types.isEmpty { bench.recordEffects() }
        for number in 1...count {
            await bench.receive(try bench.message(Happened(subject: "s\(number)", number: number), redelivered: true))
        }
        try await bench.suspect(level)
    }

    /// How many handlers are at work together when nothing more begins.
    private func together(_ bench: Bench, of count: Int) async throws -> Int {
        let course = Course()
        bench.subscriber.on(Happened.self) { try await course.handle($0, $1) }
        let scheduling = Task { await bench.scheduler.run() }
        try await eventually { !course.all.isEmpty }
        // A first delivery that comes later shows whether it has company.
        course.gate(1000).set()
        let message = try bench.message(Happened(subject: "first", number: 1000))
        let receiving = Task { await bench.receive(message) }
        try await eventually { course.all.contains("first ends") || bench.isolation.isAwaited }
        let began = { @Sendable in course.all.count { $0.hasSuffix("begins") && $0 != "first begins" } }
        if count > 1 { try await eventually { began() >= count } }
        let most = began()
        for number in 1...100 { course.gate(number).set() }
        await receiving.value
        try await eventually { try await bench.lives().allSatisfy { $0.status == "processed" } }
        scheduling.cancel()
        await scheduling.value
        await bench.scheduler.drained()
        return most
    }

    @Test("what was at work once runs beside everything", .timeLimit(.minutes(2)))
    func once() async throws {
        try await withBench { bench in
            try await store(30, bench, level: 1)
            #expect(try await together(bench, of: 30) == 30)
        }
    }

    @Test("what was at work twice runs beside seven of its like")
    func twice() async throws {
        try await withBench { bench in
            try await store(30, bench, level: 2)
            #expect(try await together(bench, of: 8) == 8)
        }
    }

    @Test("what was at work three times runs alone")
    func threeTimes() async throws {
        try await withBench { bench in
            try await store(3, bench, level: 3)
            #expect(try await together(bench, of: 1) == 1)
        }
    }

    @Test(
        "a message that ends the process is dead after three ends and its attempts, and nobody is charged for it",
        arguments: [1, 20]
    )
    func poison(neighbours: Int) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUIDv7.make())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withBench { maker in
            let messages = try (0...neighbours).map { number in
                try maker.message(Happened(subject: "s\(number)", number: number))
            }
            let path = folder.appendingPathComponent("shop.db").path
            let deaths = try await Shop(at: path, messages).run { $0 == 0 }
            #expect(deaths == 3 + 3)
            let bench = try await Bench(at: path)
            let effects = try await bench.effects()
            #expect(Set(effects) == Set(1...neighbours))
            let lives = try await bench.lives()
            #expect(lives.filter { $0.status == "dead" }.map(\.subject) == ["s0"])
            // The one attempt that each of them was handled at.
            #expect(lives.filter { $0.status == "processed" }.allSatisfy { $0.attempts == 1 })
            await bench.database.close()
        }
    }

    @Test("two messages that end the process are dead after twice as many ends at most, and nobody is charged for them")
    func poisons() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUIDv7.make())")
        defer { try? FileManager.default.removeItem(at: folder) }
        try await withBench { maker in
            let messages = try (0...9).map { number in
                try maker.message(Happened(subject: "s\(number)", number: number))
            }
            let path = folder.appendingPathComponent("shop.db").path
            let deaths = try await Shop(at: path, messages).run { $0 < 2 }
            #expect(deaths <= 2 * (3 + 3))
            let bench = try await Bench(at: path)
            let lives = try await bench.lives()
            #expect(Set(lives.filter { $0.status == "dead" }.map(\.subject)) == ["s0", "s1"])
            #expect(lives.filter { $0.status == "processed" }.count == 8)
            #expect(lives.filter { $0.status == "processed" }.allSatisfy { $0.attempts == 1 })
            await bench.database.close()
        }
    }

    @Test("an attempt that fails and does not end the process speaks for a delivery; one that is put off does not")
    func survival() async throws {
        try await withBench(policy: RetryPolicy(attempts: 9, base: .seconds(60), factor: 1, cap: .seconds(60))) {
            bench in
            bench.subscriber.on(Happened.self) { event, _ in
                if event.number == 1 { throw NeverHappened() }
                throw HandlerError.deferred(until: WallClock.milliseconds() + 60_000, "test.later", "later")
            }
            try await store(2, bench, level: 2)
            try await bench.settle { _ in
                try await bench.column("COALESCE(error_class, '')", of: String.self).allSatisfy { !$0.isEmpty }
            }
            #expect(try await bench.column("suspect", of: Int.self) == [1, 2])
        }
    }
}
