import Database
import Events
import Foundation
import Messaging
import TestSupport
import Testing

/// As large as the test needs it.
private struct Remarked: Event {
    static let type: EventType = "dev.warren.test.remarked"
    var subject: String
    var text: String
}

@Suite("What the broker refuses, never confirms or has lost", .timeLimit(.minutes(5)))
struct RefusalTests {
    private static let topology = Topology([
        .init("asker", to: [Answered.type]), .init("answerer", to: [Asked.type, Remarked.type]),
    ])

    private func answerer(_ folder: TemporaryFolder, _ url: String) async throws -> Part {
        try await Part("answerer", in: folder, broker: url, topology: Self.topology) { subscriber in
            subscriber.answer()
            subscriber.on(Remarked.self) { _, delivery in try await delivery.commit { _ in } }
        }
    }

    private func deadLetters(of part: Part) async throws -> [Int64] {
        try await part.messaging.deadLetters.page(DeadLetterFilter(), after: nil, limit: 100).items.map(\.id)
    }

    @Test("an event larger than the broker takes is a dead letter at once, and everything else flows")
    func tooLarge() async throws {
        try await PrivateBroker.with { broker in
            try await broker.control("eval", "application:set_env(rabbit, max_message_size, 1500).")
            let folder = try TemporaryFolder("messaging")
            let answerer = try await answerer(folder, broker.url)
            let asker = try await Part("asker", in: folder, broker: broker.url, topology: Self.topology) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await eventually("the service to be ready") { asker.messaging.problems().isEmpty }
            try await asker.messaging.events.write { transaction in
                for number in 0..<100 {
                    try transaction.append(Asked(subject: "s\(number)", number: number))
                    if number == 50 {
                        try transaction.append(Remarked(subject: "large", text: String(repeating: "x", count: 3_000)))
                        try transaction.append(Asked(subject: "large", number: 100))
                    }
                }
            }
            try await eventually("the answers") { Set(try await asker.effects()) == Set(0..<100) }
            try await eventually("the dead letter") { try await asker.messaging.backlog().dead == 1 }
            let letter = try await asker.messaging.deadLetters.show(try await deadLetters(of: asker)[0])
            #expect(letter.errorClass == "broker.too-large")
            #expect(letter.attempts.count == 1)
            #expect(letter.errorMessage.contains("larger than configured max size 1500"))
            try await eventually("the offset") { try await asker.messaging.backlog().unforwarded == 0 }
            #expect(try await asker.messaging.backlog().held == 1)
            // The operator raises the limit, which holds for new connections, and retries.
            try await broker.control("eval", "application:set_env(rabbit, max_message_size, 134217728).")
            try await broker.control("close_all_connections", "--vhost", "/", "the test reconnects everybody")
            try await eventually("the service to be ready") { asker.messaging.problems().isEmpty }
            try await eventually("the retry to go through") {
                for id in try await deadLetters(of: asker) {
                    _ = try await asker.messaging.deadLetters.retry(id, actor: "me", reason: "the limit is raised")
                }
                return try await asker.effects().count == 101
            }
            await asker.stop()
            await answerer.stop()
        }
    }

    @Test(
        "a type that the user may not publish is a dead letter at once, charges no neighbour, and goes out when it may"
    )
    func forbidden() async throws {
        try await withVirtualHost { url, virtualHost, folder in
            let management = try BrokerManagement.shared
            let user = TestEnvironment.uniqueName("narrow")
            try await management.makeUser(
                user,
                password: "secret",
                in: virtualHost,
                publishing: "^dev\\.warren\\.test\\.asked$"
            )
            let answerer = try await answerer(folder, url)
            try await eventually("the other service to be ready") { answerer.messaging.problems().isEmpty }
            let narrow = url.replacingOccurrences(of: "guest:guest", with: "\(user):secret")
            let asker = try await Part("asker", in: folder, broker: narrow, topology: Self.topology) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.messaging.events.write { transaction in
                for number in 0..<100 {
                    try transaction.append(Asked(subject: "s\(number)", number: number))
                    if number.isMultiple(of: 10) {
                        try transaction.append(Remarked(subject: "r\(number)", text: "forbidden"))
                    }
                }
            }
            try await eventually("the answers") { Set(try await asker.effects()) == Set(0..<100) }
            try await eventually("the dead letters") { try await asker.messaging.backlog().dead == 10 }
            try await eventually("the offset") { try await asker.messaging.backlog().unforwarded == 0 }
            let backlog = try await asker.messaging.backlog()
            #expect(backlog.scheduled == 0 && backlog.held == 0)
            for id in try await deadLetters(of: asker) {
                let letter = try await asker.messaging.deadLetters.show(id)
                #expect(letter.errorClass == "broker.forbidden")
                #expect(letter.type == Remarked.type.rawValue)
            }
            #expect(asker.messaging.problems().isEmpty)
            try await management.permit(".*", of: user, in: virtualHost)
            // A permission is looked up again after a while, or by a new channel; what was refused a moment ago is not tried at once.
            try await eventually("the retry to go through", within: .seconds(60)) {
                for id in try await deadLetters(of: asker) {
                    _ = try await asker.messaging.deadLetters.retry(id, actor: "me", reason: "permitted")
                }
                return answerer.messaging.counters.processed == 110
            }
            await asker.stop()
            await answerer.stop()
            try await management.removeUser(user)
        }
    }

    @Test("a binding that somebody removed is made again by the event that misses it")
    func unbound() async throws {
        try await withVirtualHost { url, virtualHost, folder in
            let answerer = try await answerer(folder, url)
            let asker = try await Part("asker", in: folder, broker: url, topology: Self.topology) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.append(Asked(subject: "a", number: 0))
            try await eventually("the first answer") { try await asker.effects() == [0] }
            try await BrokerManagement.shared.unbind("answerer", routingKey: Asked.type.rawValue, in: virtualHost)
            try await asker.messaging.events.write { transaction in
                for number in 1...50 { try transaction.append(Asked(subject: "s\(number % 9)", number: number)) }
            }
            try await eventually("the answers") { try await asker.effects().count == 51 }
            // Nothing went by way of the table.
            #expect(asker.messaging.counters.failedAttempts == 0)
            #expect(asker.messaging.counters.publishFailures == 0)
            await asker.stop()
            await answerer.stop()
        }
    }

    @Test("a queue that cannot confirm keeps up no other, says so, and gets everything when it can")
    func neverConfirmed() async throws {
        try await PrivateBroker.with { broker in
            let folder = try TemporaryFolder("messaging")
            let answerer = try await answerer(folder, broker.url)
            let asker = try await Part(
                "asker",
                in: folder,
                broker: broker.url,
                topology: Self.topology,
                confirmTimeout: .seconds(2)
            ) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.append(Asked(subject: "first", number: 0))
            try await eventually("the first answer") { try await asker.effects() == [0] }
            // The queue's leader does nothing more, as one that has lost its majority.
            try await broker.control("eval", "sys:suspend(whereis('%2F_answerer')).")
            try await asker.messaging.events.write { transaction in
                for number in 1...30 { try transaction.append(Asked(subject: "s\(number % 5)", number: number)) }
            }
            try await eventually("the problem") {
                asker.messaging.problems().contains { $0.check == "broker.confirms" }
            }
            // Its own queue confirms.
            try await answerer.append(Answered(subject: "other", number: 100))
            try await eventually("the other queue's event") { try await asker.effects() == [0, 100] }
            try await eventually("the table") { try await asker.messaging.backlog().unforwarded == 0 }
            #expect(try await asker.messaging.backlog().dead == 0)
            #expect(asker.messaging.counters.unconfirmed > 0)
            try await broker.control("eval", "sys:resume(whereis('%2F_answerer')).")
            try await eventually("the answers", within: .seconds(60)) {
                Set(try await asker.effects()) == Set(0...30).union([100])
            }
            try await eventually("all to be well") { asker.messaging.problems().isEmpty }
            let numbers = try await answerer.effects()
            for subject in 0..<5 {
                let line = numbers.filter { $0 > 0 && $0 % 5 == subject }
                #expect(line == line.sorted())
            }
            await asker.stop()
            await answerer.stop()
        }
    }
}
