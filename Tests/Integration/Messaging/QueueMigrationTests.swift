import AMQP
import Events
import Foundation
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Messaging

/// A broker with the queues of an older version, on which somebody publishes.
private struct OldBroker: Sendable {
    let url: String
    let queueType: MessagingConfiguration.QueueType

    init(_ url: String, _ queueType: MessagingConfiguration.QueueType = .quorum) async throws {
        self.url = url
        self.queueType = queueType
        var old = Part.topology.declarations(queueType: queueType, mode: .declare)
        for index in old.queues.indices {
            old.queues[index].arguments["x-single-active-consumer"] = nil
            old.queues[index].arguments["x-consumer-disconnected-timeout"] = nil
        }
        let administration = try self.administration
        let topology = old
        try await administration.declare(topology)
        // A quorum queue that has just been declared may refuse messages until it has elected its leader.
        try await eventually("every queue answers") {
            for queue in topology.queues where try await administration.counts(of: queue.name) == nil { return false }
            return true
        }
    }

    var administration: BrokerAdministration {
        get throws { BrokerAdministration(try ConnectionConfiguration(urls: [url], name: "test")) }
    }

    func migration(
        _ reached: @escaping @Sendable (QueueMigration.Milestone) async throws -> Void = { _ in }
    ) throws -> QueueMigration {
        var migration = try QueueMigration(
            brokerURLs: [url],
            topology: Part.topology,
            queueType: queueType,
            logger: .silent
        )
        migration.reached = reached
        return migration
    }

    /// Publishes questions with these numbers as any service would; the number of its ten gives the subject.
    func publish(_ numbers: some Sequence<Int> & Sendable) async throws {
        let publisher = Publisher(try ConnectionConfiguration(urls: [url], name: "test"), logger: .silent)
        let running = Task { await publisher.run() }
        for number in numbers {
            let envelope = Envelope(
                id: "id-\(number)",
                source: "/asker",
                type: Asked.type,
                subject: "s\(number % 10)",
                time: "2026-01-01T00:00:00.000Z",
                sequence: UInt64(number / 10 + 1),
                data: Array(#"{"subject":"s\#(number % 10)","number":\#(number)}"#.utf8)
            )
            // One after the other: each subject's order is that of its numbers.
            try await publisher.publish(Publication(envelope, body: envelope.encoded()))
        }
        running.cancel()
        await running.value
    }

    /// What the queue holds, each event where it comes first.
    func events(_ count: Int) async throws -> [String] {
        let consumer = Consumer(
            try ConnectionConfiguration(urls: [url], name: "test"),
            queue: "answerer",
            logger: .silent
        )
        let running = Task { await consumer.run() }
        var ids: [String] = []
        for await burst in consumer.bursts {
            for message in burst {
                let id = message.message.properties.messageID ?? ""
                if !ids.contains(id) { ids.append(id) }
            }
            consumer.ack(burst.map(\.tag))
            if ids.count >= count { break }
        }
        running.cancel()
        await running.value
        return ids
    }
}

private struct Ended: Error {}

/// Whether the numbers of each subject ascend.
private func isInOrder(_ numbers: [Int]) -> Bool {
    (0..<10).allSatisfy { subject in
        let line = numbers.filter { $0 % 10 == subject }
        return line == line.sorted()
    }
}

@Suite("Queues of an older version", .timeLimit(.minutes(10)))
struct QueueMigrationTests {
    @Test(
        "are refused by a service with the mend named, and replaced with 1,000 messages in order, which it then handles",
        arguments: [MessagingConfiguration.QueueType.quorum, .classic]
    )
    func upgrade(queueType: MessagingConfiguration.QueueType) async throws {
        try await withVirtualHost { url, _, folder in
            let broker = try await OldBroker(url, queueType)
            try await broker.publish(0..<1_000)

            let refused = try await Part("answerer", in: folder, broker: url, queueType: queueType) { $0.answer() }
            try await eventually("the problem is shown") {
                refused.messaging.problems().contains {
                    $0.problem.contains("'x-single-active-consumer'") && $0.problem.contains("`warren queues migrate`")
                }
            }
            #expect(try await refused.effects().isEmpty)
            await refused.stop()

            let migration = try broker.migration()
            #expect(try await migration.look(at: "answerer") == .waits)
            #expect(try await migration.migrate("answerer") == .moved(messages: 1_000))
            #expect(try await migration.look(at: "answerer") == .fits)
            #expect(try await migration.migrate("answerer.dead-letters") == .fits)
            #expect(try await migration.migrate("asker") == .moved(messages: 0))
            for left in ["answerer.moving", "answerer.arriving", "asker.moving", "asker.arriving"] {
                #expect(try await broker.administration.counts(of: left) == nil)
            }

            let part = try await Part("answerer", in: folder, broker: url, queueType: queueType) { $0.answer() }
            try await eventually("1,000 effects") { try await part.effects().count == 1_000 }
            #expect(part.messaging.problems().isEmpty)
            let effects = try await part.effects()
            #expect(Set(effects) == Set(0..<1_000))
            #expect(isInOrder(effects))
            // And it hears what is new.
            try await broker.publish(1_000..<1_001)
            try await eventually("the next effect") { try await part.effects().last == 1_000 }
            await part.stop()
        }
    }

    @Test(
        "lose nothing and keep their order wherever the move is ended, and whatever is published meanwhile",
        arguments: QueueMigration.Milestone.allCases
    )
    func ended(at milestone: QueueMigration.Milestone) async throws {
        try await withVirtualHost { url, _, _ in
            let broker = try await OldBroker(url)
            try await broker.publish(0..<300)
            let next = Mutex(300)
            let hasEnded = Mutex(false)
            let migration = try broker.migration { reached in
                // A subject of its own each time: nothing is promised about two events of one within the handover.
                let number = next.withLock { next in
                    defer { next += 1 }
                    return next
                }
                try await broker.publish(number..<(number + 1))
                let ends = hasEnded.withLock { hasEnded in
                    defer { if reached == milestone { hasEnded = true } }
                    return reached == milestone && !hasEnded
                }
                if ends { throw Ended() }
            }
            await #expect(throws: Ended.self) { _ = try await migration.migrate("answerer") }
            #expect(try await migration.look(at: "answerer") == .waits)
            _ = try await migration.migrate("answerer")
            #expect(try await migration.look(at: "answerer") == .fits)
            let published = next.withLock { $0 }
            let numbers = try await broker.events(published).compactMap { Int($0.dropFirst(3)) }
            #expect(Set(numbers) == Set(0..<published))
            #expect(isInOrder(numbers))
        }
    }

    @Test("give every message out in its own order, and say who published it, though another moves it")
    func publishedByOthers() async throws {
        try await withVirtualHost { url, virtualHost, _ in
            let management = try BrokerManagement.shared
            let user = TestEnvironment.uniqueName("stranger")
            try await management.makeUser(user, password: "secret", in: virtualHost, publishing: ".*")
            let broker = try await OldBroker(url)
            let theirs = url.replacingOccurrences(of: "guest:guest", with: "\(user):secret")
            let publisher = Publisher(try ConnectionConfiguration(urls: [theirs], name: "test"), logger: .silent)
            let running = Task { await publisher.run() }
            var message = Message(body: Array("no event".utf8))
            message.properties.priority = 9
            message.properties.headers = ["x": .string("y")]
            try await publisher.publish(Publication(exchange: "", routingKey: "answerer", message: message))
            running.cancel()
            await running.value
            #expect(try await broker.migration().migrate("answerer") == .moved(messages: 1))
            let consumer = Consumer(
                try ConnectionConfiguration(urls: [url], name: "test"),
                queue: "answerer",
                logger: .silent
            )
            let consuming = Task { await consumer.run() }
            let moved = try #require(await consumer.bursts.first { _ in true }?.first)
            consuming.cancel()
            await consuming.value
            let properties = moved.message.properties
            #expect(moved.message.body == message.body)
            #expect(properties.priority == nil)
            #expect(properties.userID == "guest")
            #expect(properties.headers?["warren-published-by"] == .string(user))
            #expect(properties.headers?["x"] == .string("y"))
            try await management.removeUser(user)
        }
    }

    @Test("are left alone while somebody consumes them")
    func inUse() async throws {
        try await withVirtualHost { url, _, _ in
            let broker = try await OldBroker(url)
            let consumer = Consumer(
                try ConnectionConfiguration(urls: [url], name: "test"),
                queue: "answerer",
                logger: .silent
            )
            let running = Task { await consumer.run() }
            for await state in consumer.states where state == .ready { break }
            do {
                _ = try await broker.migration().migrate("answerer")
                Issue.record("it was not refused")
            } catch let failure as QueueMigrationFailure {
                #expect(failure.kind == .inUse)
                #expect(failure.reason.contains("answerer has a consumer"))
            }
            #expect(try await broker.administration.counts(of: "answerer.moving") == nil)
            running.cancel()
            await running.value
        }
    }
}
