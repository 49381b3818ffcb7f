import AMQP
import Database
import Events
import JSON
import Telemetry
import Testing

@testable import Messaging

@Suite("A dead letter that is edited", .timeLimit(.minutes(5)))
struct DeadLetterEditTests {
    private func bury(_ bench: Bench, _ numbers: Int...) async throws -> [DeadLetter] {
        bench.subscriber.on(Happened.self) { event, delivery in
            guard event.number >= 0 else { throw HandlerError.permanent("test.negative", "negative") }
            try await delivery.commit { try $0.execute("INSERT INTO effects (number) VALUES ($1)", event.number) }
        }
        for (index, number) in numbers.enumerated() {
            await bench.receive(
                try bench.message(Happened(subject: "a", number: number), sequence: UInt64(index + 1))
            )
        }
        return try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
    }

    private static let corrected = Array(#"{"subject":"a","number":7}"#.utf8)

    @Test func `is replaced by an event of its own id that takes its place in the subject`() async throws {
        try await withBench { bench in
            let dead = try #require(try await bury(bench, -1, 8, 9).first)
            let letter = try await bench.deadLetters.edit(
                dead.id,
                to: .data(Self.corrected),
                actor: "ada",
                reason: "typo"
            )
            #expect(letter.eventID != dead.eventID)
            let stored = try await bench.deadLetters.show(letter.id)
            #expect(try Envelope(decoding: stored.body).causationID == dead.eventID)
            #expect(stored.properties.contains(dead.eventID))
            let original = try await bench.deadLetters.show(dead.id)
            #expect(original.state == .discarded)
            #expect(original.errorClass == "edited")
            #expect(original.errorMessage.contains(letter.eventID))
            try await bench.settle { $0.filter { $0.status == "processed" }.count == 3 }
            #expect(try await bench.effects() == [7, 8, 9])
            let audit = try await bench.deadLetters.audit(after: nil, limit: 10)
            #expect(audit.map(\.action) == ["edit", "edit"])
            #expect(audit.map(\.deliveryID) == [letter.id, dead.id])
        }
    }

    @Test func `cannot be edited twice, retried or restored`() async throws {
        try await withBench { bench in
            let id = try #require(try await bury(bench, -1).first).id
            let letters = bench.deadLetters
            _ = try await letters.edit(id, to: .data(Self.corrected), actor: "ada", reason: "typo")
            await #expect(throws: DeadLetterError.wrongState(id, .discarded)) {
                try await letters.edit(id, to: .data(Self.corrected), actor: "ada", reason: "typo")
            }
            await #expect(throws: DeadLetterError.self) { try await letters.restore(id, actor: "ada", reason: "") }
            await #expect(throws: DeadLetterError.self) { try await letters.retry(id, actor: "ada", reason: "") }
            #expect(try await bench.lives().map(\.status) == ["discarded", "scheduled"])
        }
    }

    @Test func `stays as it is when what replaces it is no event`() async throws {
        try await withBench { bench in
            let id = try #require(try await bury(bench, -1).first).id
            let moved =
                #"{"specversion":"1.0","id":"x","source":"/x","type":"t","subject":"b","time":"2026-01-01T00:00:00Z","data":1}"#
            for edit in [
                DeadLetterEdit.data(Array("{".utf8)), .envelope(Array("{}".utf8)), .envelope(Array(moved.utf8)),
            ] {
                await #expect(throws: DeadLetterError.self) {
                    try await bench.deadLetters.edit(id, to: edit, actor: "ada", reason: "typo")
                }
            }
            #expect(try await bench.lives().map(\.status) == ["dead"])
        }
    }

    @Test func `may have been no event at all`() async throws {
        try await withBench { bench in
            _ = try await bury(bench)
            await bench.receive(bench.message(Message(body: Array("{oops".utf8))))
            let dead = try #require(try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 1).first)
            let envelope = Envelope(
                id: "ignored",
                source: "/elsewhere",
                type: Happened.type,
                subject: "a",
                time: Timestamp.now().description,
                data: Self.corrected
            )
            let edit = DeadLetterEdit.envelope(envelope.encoded())
            _ = try await bench.deadLetters.edit(dead.id, to: edit, actor: "ada", reason: "repaired")
            try await bench.settle { $0.map(\.status) == ["discarded", "processed"] }
            #expect(try await bench.effects() == [7])
        }
    }
}
