import Database
import Events
import Foundation
import JSON
import Messaging
import Synchronization
import Telemetry
import TestSupport
import Testing

@Suite("Two services and a real broker", .timeLimit(.minutes(5)))
struct ConversationTests {
    @Test("hold a conversation: each event once, in the order of its subject, with cause and correlation")
    func conversation() async throws {
        try await withVirtualHost { url, _, folder in
            let answerer = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            let causes = Mutex<Set<String>>([])
            let asker = try await Part("asker", in: folder, broker: url) { subscriber in
                subscriber.on(Answered.self) { event, delivery in
                    causes.withLock { _ = $0.insert(delivery.envelope.correlationID ?? "none") }
                    try await delivery.commit { transaction in
                        try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                    }
                }
            }
            for number in 0..<200 { try await asker.append(Asked(subject: "s\(number % 7)", number: number)) }
            try await eventually("200 answers") { try await asker.effects().count == 200 }
            let effects = try await asker.effects()
            for subject in 0..<7 {
                let line = effects.filter { $0 % 7 == subject }
                #expect(line == line.sorted())
            }
            #expect(Set(effects) == Set(0..<200))
            #expect(causes.withLock { $0 } == Set((0..<7).map { "s\($0)" }))
            #expect(asker.messaging.problems().isEmpty)
            let backlog = try await answerer.messaging.backlog()
            #expect(backlog.dead == 0 && backlog.held == 0 && backlog.scheduled == 0)
            await asker.stop()
            await answerer.stop()
        }
    }

    @Test("lose nothing when the subscriber has not started yet")
    func lateSubscriber() async throws {
        try await withVirtualHost { url, _, folder in
            let asker = try await Part("asker", in: folder, broker: url) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.append(Asked(subject: "a", number: 1))
            try await eventually("the event to be forwarded") { try await asker.messaging.backlog().unforwarded == 0 }
            let answerer = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            try await eventually("the answer") { try await asker.effects() == [1] }
            await answerer.stop()
            await asker.stop()
        }
    }

    @Test("stay up while the broker is away, say so, and go on when it is back with nothing lost or done twice")
    func brokerRestart() async throws {
        try await PrivateBroker.with { broker in
            let folder = try TemporaryFolder("messaging")
            let answerer = try await Part("answerer", in: folder, broker: broker.url) { subscriber in
                subscriber.answer()
            }
            let asker = try await Part("asker", in: folder, broker: broker.url) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.append(Asked(subject: "a", number: 0))
            try await eventually("the first answer") { try await asker.effects() == [0] }
            try await broker.settle()
            let appending = Task {
                for number in 1...300 { try await asker.append(Asked(subject: "s\(number % 5)", number: number)) }
            }
            try await broker.kill()
            try await eventually("the loss to be noticed") { !asker.messaging.problems().isEmpty }
            try await appending.value
            try await broker.start()
            try await eventually("all answers", within: .seconds(120)) { try await asker.effects().count == 301 }
            #expect(Set(try await asker.effects()) == Set(0...300))
            #expect(Set(try await answerer.effects()) == Set(0...300))
            #expect(try await answerer.effects().count == 301)
            try await eventually("all to be well") { asker.messaging.problems().isEmpty }
            await asker.stop()
            await answerer.stop()
        }
    }
}

@Suite("Messages that a service does not want", .timeLimit(.minutes(5)))
struct UnwantedTests {
    @Test("a message of 2 MiB is in the dead letters, whole, and the queue goes on")
    func large() async throws {
        try await withVirtualHost { url, virtualHost, folder in
            let answerer = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            try await eventually("the service to be ready") { answerer.messaging.problems().isEmpty }
            let management = try BrokerManagement.shared
            let body = [UInt8](repeating: UInt8(ascii: "["), count: 2 << 20)
            #expect(
                try await management.publish(
                    body,
                    routingKey: Asked.type.rawValue,
                    properties: [
                        "message_id": "big", "content_type": "application/cloudevents+json",
                        "headers": ["x-kind": "large", "x-count": 7],
                    ],
                    in: virtualHost
                )
            )
            try await eventually("the dead letter") { try await answerer.messaging.backlog().dead == 1 }
            let letter = try await answerer.messaging.deadLetters.show(1)
            #expect(letter.errorClass == "event.too-large")
            #expect(letter.body == body)
            #expect(letter.properties.contains(#""headers":{"x-count":7,"x-kind":"large"}"#))
            #expect(letter.properties.contains(#""messageId":"big""#))
            #expect(letter.properties.contains(#""routingKey":"dev.warren.test.asked""#))
            let event = Envelope(
                id: UUIDv7.make(),
                source: "/test",
                type: Asked.type,
                subject: "a",
                time: Timestamp.now().description,
                data: try Asked(subject: "a", number: 5).encodedData()
            )
            try await management.publish(
                event.encoded(),
                routingKey: Asked.type.rawValue,
                properties: ["message_id": .string(event.id), "content_type": "application/cloudevents+json"],
                in: virtualHost
            )
            try await eventually("the next message") { try await answerer.effects() == [5] }
            await answerer.stop()
        }
    }

    @Test("what the broker gave up on is drained into the dead letters with the broker's reason")
    func net() async throws {
        try await withVirtualHost { url, virtualHost, folder in
            let answerer = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            try await eventually("the service to be ready") { answerer.messaging.problems().isEmpty }
            try await BrokerManagement.shared.publish(
                Array("given up".utf8),
                exchange: "warren.dead-letters",
                routingKey: "answerer",
                properties: ["message_id": "net", "headers": ["x-death": [["reason": "delivery_limit", "count": 1]]]],
                in: virtualHost
            )
            try await eventually("the dead letter") { try await answerer.messaging.backlog().dead == 1 }
            let letter = try await answerer.messaging.deadLetters.show(1)
            #expect(letter.errorClass == "broker.delivery_limit")
            #expect(String(decoding: letter.body, as: UTF8.self) == "given up")
            await answerer.stop()
        }
    }

    @Test("what the broker gave up on while the service was away holds the later events of its subject")
    func netFirst() async throws {
        try await withVirtualHost { url, virtualHost, folder in
            let before = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            try await eventually("the service to be ready") { before.messaging.problems().isEmpty }
            await before.stop()
            func publish(_ number: Int, sequence: UInt64, to exchange: String, _ routingKey: String) async throws {
                let event = Envelope(
                    id: UUIDv7.make(),
                    source: "/test",
                    type: Asked.type,
                    subject: "s\(number)",
                    time: Timestamp.now().description,
                    sequence: sequence,
                    data: try Asked(subject: "s\(number)", number: number).encodedData()
                )
                try await BrokerManagement.shared.publish(
                    event.encoded(),
                    exchange: exchange,
                    routingKey: routingKey,
                    properties: ["message_id": .string(event.id), "content_type": "application/cloudevents+json"],
                    in: virtualHost
                )
            }
            for number in 0..<20 {
                try await publish(number, sequence: 1, to: "warren.dead-letters", "answerer")
                try await publish(number, sequence: 2, to: "warren.events", Asked.type.rawValue)
            }
            let answerer = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            try await eventually("all to be in the table") {
                let backlog = try await answerer.messaging.backlog()
                return backlog.dead == 20 && backlog.held == 20
            }
            #expect(try await answerer.effects().isEmpty)
            await answerer.stop()
        }
    }
}

@Suite("A service that stops", .timeLimit(.minutes(5)))
struct StoppingTests {
    @Test("finishes what is in flight, acknowledges it and forwards what it caused")
    func orderly() async throws {
        try await withVirtualHost { url, virtualHost, folder in
            let (began, begun) = AsyncStream.makeStream(of: Void.self)
            let (mayEnd, end) = AsyncStream.makeStream(of: Void.self)
            let answerer = try await Part("answerer", in: folder, broker: url) { subscriber in
                subscriber.on(Asked.self) { event, delivery in
                    begun.yield()
                    for await _ in mayEnd { break }
                    try await delivery.commit { try $0.append(Answered(subject: event.subject, number: event.number)) }
                }
            }
            let asker = try await Part("asker", in: folder, broker: url) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.append(Asked(subject: "a", number: 1))
            for await _ in began { break }
            let stopping = Task { await answerer.stop() }
            end.yield()
            await stopping.value
            try await eventually("the answer") { try await asker.effects() == [1] }
            // The broker's statistics lag; an ack that was lost would leave the message there for good.
            try await eventually("the queue to be empty") {
                try await BrokerManagement.shared.depth(of: "answerer", in: virtualHost) == 0
            }
            await asker.stop()
        }
    }

    @Test("ends within its grace even when a handler does not, and the delivery is repeated after the next start")
    func grace() async throws {
        try await withVirtualHost { url, _, folder in
            let (began, begun) = AsyncStream.makeStream(of: Void.self)
            let stuck = try await Part("answerer", in: folder, broker: url, grace: .milliseconds(300)) {
                subscriber in
                subscriber.on(Asked.self) { _, _ in
                    begun.yield()
                    try await Task.sleep(for: .seconds(600))
                }
            }
            let asker = try await Part("asker", in: folder, broker: url) { subscriber in
                subscriber.record(Answered.self) { $0.number }
            }
            try await asker.append(Asked(subject: "a", number: 1))
            for await _ in began { break }
            // Long before the handler would, and long after what a busy machine may take.
            let start = ContinuousClock.now
            await stuck.stop()
            #expect(ContinuousClock.now - start < .seconds(200))
            let mended = try await Part("answerer", in: folder, broker: url) { subscriber in subscriber.answer() }
            try await eventually("the answer") { try await asker.effects() == [1] }
            await mended.stop()
            await asker.stop()
        }
    }

    @Test("comes up without a broker, says what is missing, and stops")
    func withoutBroker() async throws {
        let folder = try TemporaryFolder("messaging")
        let port = try FreePort.next()
        let part = try await Part("answerer", in: folder, broker: "amqp://guest:guest@127.0.0.1:\(port)/")
        try await part.append(Answered(subject: "a", number: 1))
        try await eventually("the checks to fail") {
            part.messaging.problems().map(\.check) == ["broker.publisher", "broker.consumer", "broker.dead-letters"]
                && part.messaging.problems().allSatisfy { !$0.problem.contains("guest") }
        }
        #expect(try await part.messaging.backlog().unforwarded == 1)
        let start = ContinuousClock.now
        await part.stop()
        #expect(ContinuousClock.now - start < .seconds(200))
    }
}
