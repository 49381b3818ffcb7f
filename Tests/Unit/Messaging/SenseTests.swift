import AMQP
import Database
import Events
import Testing

@testable import Messaging

/// An event whose number may be anything that an integer can be, and makes sense from 1 on.
private struct Counted: Event, Equatable {
    static let type: EventType = "dev.warren.test.counted"
    var subject: String
    var number: Int

    func validate() throws(EventFault) {
        guard number > 0 else { throw EventFault(.invalidData, "data.number must be from 1") }
    }
}

@Suite("An event that makes no sense", .timeLimit(.minutes(5)))
struct SenseTests {
    private static let fault = EventFault(.invalidData, "data.number must be from 1")

    @Test("is neither written nor read, and one that makes sense is both")
    func codec() throws {
        #expect(throws: Self.fault) { try Counted(subject: "a", number: 0).encodedData() }
        #expect(throws: Self.fault) { try Counted(decodingData: Array(#"{"subject":"a","number":-1}"#.utf8)) }
        let event = Counted(subject: "a", number: 1)
        #expect(try Counted(decodingData: event.encodedData()) == event)
    }

    @Test("fails the transaction that appends it, and nothing of that is kept")
    func appended() async throws {
        try await withBench { bench in
            await #expect(throws: Self.fault) {
                try await bench.events.write { transaction in
                    try transaction.append(Counted(subject: "a", number: 1))
                    try transaction.append(Counted(subject: "a", number: 0))
                }
            }
            let stored = try await bench.database.read { transaction in
                try transaction.query("SELECT position FROM warren_events").count
            }
            #expect(stored == 0)
        }
    }

    @Test("is a dead letter at once when it arrives, with the field and the rule, and its handler never sees it")
    func received() async throws {
        try await withBench { bench in
            bench.subscriber.on(Counted.self) { event, delivery in
                try await delivery.commit { transaction in
                    try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
                }
            }
            func message(_ number: Int) throws -> IncomingMessage {
                var message = try bench.message(Happened(subject: "s\(number)", number: number)).message
                let text = String(decoding: message.body, as: UTF8.self)
                message.body = Array(text.replacing("test.happened", with: "test.counted").utf8)
                return bench.message(message)
            }
            let nonsense = try message(-1)
            await bench.receive(nonsense, try message(2))
            let letters = try await bench.deadLetters.list(DeadLetterFilter(), after: nil, limit: 10)
            let letter = try await bench.deadLetters.show(try #require(letters.first).id)
            #expect(letters.count == 1)
            #expect(letter.errorClass == "event.invalid-data")
            #expect(letter.errorMessage.contains("data.number must be from 1"))
            #expect(letter.attemptCount == 1)
            #expect(letter.body == nonsense.message.body)
            #expect(try await bench.effects() == [2])
        }
    }
}
