import AMQP
import Events
import Testing

@testable import Messaging

@Suite("Replacing a queue")
struct QueueMoveTests {
    @Test("goes on from whatever the broker has, and is done when nothing is set aside")
    func steps() {
        func next(_ queue: QueueMove.Place, moving: Bool, arriving: Bool) -> QueueMove.Step? {
            QueueMove(queue: queue, hasMoving: moving, hasArriving: arriving).next
        }
        for (moving, arriving) in [(false, false), (false, true), (true, true)] {
            #expect(next(.differs, moving: moving, arriving: arriving) == .setAside)
        }
        for queue in [QueueMove.Place.absent, .fits] {
            // What is older comes first.
            #expect(next(queue, moving: true, arriving: true) == .bringBack)
            #expect(next(queue, moving: true, arriving: false) == .bringBack)
            #expect(next(queue, moving: false, arriving: true) == .join)
            #expect(next(queue, moving: false, arriving: false) == nil)
        }
    }

    private func message(_ text: String, _ number: UInt64) -> IncomingMessage {
        IncomingMessage(
            tag: .init(connection: 1, number: number),
            redelivered: false,
            exchange: "",
            routingKey: "q",
            message: Message(body: Array(text.utf8))
        )
    }

    private func event(_ subject: String, _ number: UInt64, source: String = "/s") -> IncomingMessage {
        let envelope = Envelope(
            id: "\(number)",
            source: source,
            type: "dev.warren.test.happened",
            subject: subject,
            time: "2026-01-01T00:00:00.000Z",
            data: Array("{}".utf8)
        )
        return message(String(decoding: envelope.encoded(), as: UTF8.self), number)
    }

    private func runs(_ burst: [IncomingMessage]) throws -> [[UInt64]] {
        try MessageMover.runs(of: burst).map { $0.map(\.tag.number) }
    }

    @Test("never has two messages of a subject unconfirmed, and keeps their order")
    func runs() throws {
        let burst = [event("a", 1), event("b", 2), event("a", 3), event("c", 4), event("c", 5)]
        #expect(try runs(burst) == [[1, 2], [3, 4], [5]])
        // Of another source it is another subject.
        #expect(try runs([event("a", 1), event("a", 2, source: "/t")]) == [[1, 2]])
        #expect(try runs([]) == [])
    }

    @Test("moves what cannot be read by itself")
    func unreadable() throws {
        let burst = [event("a", 1), message("no event", 2), message("nor this", 3), event("a", 4), event("b", 5)]
        #expect(try runs(burst) == [[1], [2], [3], [4, 5]])
    }

    @Test("repeats neither a priority nor somebody else's name, and keeps all the rest")
    func again() throws {
        var sent = Message(body: [1, 2])
        sent.properties.contentType = "text/plain"
        sent.properties.messageID = "m"
        sent.properties.priority = 9
        sent.properties.userID = "somebody"
        sent.properties.headers = ["x-delivery-count": .int64(3), "x": .int32(1)]
        var expected = sent
        expected.properties.deliveryMode = 2
        expected.properties.priority = nil
        expected.properties.userID = nil
        expected.properties.headers = ["x": .int32(1), "warren-published-by": .string("somebody")]
        let once = MessageMover.again(sent)
        #expect(once == expected)
        // The second move takes it from the first one's user.
        var moved = once
        moved.properties.userID = "mover"
        #expect(MessageMover.again(moved) == expected)

        var plain = Message(body: [1])
        plain.properties.deliveryMode = 2
        #expect(MessageMover.again(plain) == plain)
    }

    @Test("does not move what was cut off")
    func oversized() {
        let cut = IncomingMessage(
            tag: .init(connection: 1, number: 1),
            redelivered: false,
            exchange: "",
            routingKey: "q",
            message: Message(body: [1]),
            isOversized: true
        )
        #expect(throws: AMQPError.self) { try MessageMover.runs(of: [cut]) }
    }
}
