import AMQP
import Events
import Telemetry
import Testing

@testable import Messaging

/// What `Happened` was once.
private struct HappenedBefore: Event {
    static let type: EventType = "dev.warren.test.happened.v0"
    var subject: String
    var count: String
}

@Suite("Old versions reach the handler of the new one", .timeLimit(.minutes(5)))
struct UpcastTests {
    private func message(_ bench: Bench, _ event: some Event, type: EventType) throws -> Envelope {
        Envelope(
            id: UUIDv7.make(),
            source: "/elsewhere",
            type: type,
            subject: event.subject,
            time: Timestamp.now().description,
            data: try event.encodedData()
        )
    }

    private func receive(_ bench: Bench, _ event: some Event, as type: EventType) async throws {
        let envelope = try message(bench, event, type: type)
        await bench.receive(bench.message(Publication(envelope, body: envelope.encoded()).message))
    }

    @Test func `through one version and through several`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            bench.subscriber.upcast(from: HappenedBefore.self, to: Happened.self) { old in
                Happened(subject: old.subject, number: Int(old.count) ?? -1)
            }
            bench.subscriber.upcast(from: "dev.warren.test.began", to: HappenedBefore.self) { _ in
                HappenedBefore(subject: "a", count: "41")
            }
            try await receive(bench, HappenedBefore(subject: "a", count: "40"), as: HappenedBefore.type)
            try await receive(bench, Unheard(subject: "a"), as: "dev.warren.test.began")
            #expect(try await bench.effects() == [40, 41])
            #expect(bench.subscriber.types.contains("dev.warren.test.began"))
        }
    }

    @Test func `the envelope stays as it came in`() async throws {
        try await withBench { bench async throws in
            bench.subscriber.upcast(from: HappenedBefore.self, to: Happened.self) { old in
                Happened(subject: old.subject, number: 1)
            }
            bench.subscriber.on(Happened.self) { _, delivery in
                if delivery.envelope.type != HappenedBefore.type { throw NeverHappened() }
            }
            try await receive(bench, HappenedBefore(subject: "a", count: "1"), as: HappenedBefore.type)
            #expect(try await bench.lives().map(\.status) == ["processed"])
        }
    }

    @Test func `an unknown version, one that leads nowhere and data that is none are dead letters`() async throws {
        try await withBench { bench async throws in
            bench.recordEffects()
            bench.subscriber.upcast(from: HappenedBefore.self, to: Happened.self) { _ in throw NeverHappened() }
            bench.subscriber.upcast(from: "dev.warren.test.circle", to: Circle.self) { _ in Circle(subject: "a") }
            try await receive(bench, Happened(subject: "a", number: 1), as: "dev.warren.test.happened.v9")
            try await receive(bench, Unheard(subject: "b"), as: HappenedBefore.type)
            try await receive(bench, Unheard(subject: "c"), as: Circle.type)
            let letters = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
            #expect(
                letters.map(\.errorClass) == ["event.unknown-type", "event.invalid-data", "event.unknown-type"]
            )
            #expect(try await bench.effects().isEmpty)
        }
    }
}

/// A version that becomes itself.
private struct Circle: Event {
    static let type: EventType = "dev.warren.test.circle"
    var subject: String
}
