import AMQP
import Database
import Events
import Testing

@testable import Messaging

@Suite("A message that is no event", .timeLimit(.minutes(5)))
struct UnreadableTests {
    private func hello(_ bench: Bench, header: String? = nil, count: Int64? = nil) -> Message {
        var properties = MessageProperties()
        properties.contentType = "text/plain"
        if header != nil || count != nil {
            var headers = FieldTable()
            if let header { headers["x"] = .string(header) }
            if let count { headers["x-delivery-count"] = .int64(count) }
            properties.headers = headers
        }
        return Message(body: Array("hello".utf8), properties: properties)
    }

    private func incoming(_ message: Message, _ number: UInt64, connection: UInt64, again: Bool) -> IncomingMessage {
        IncomingMessage(
            tag: .init(connection: connection, number: number),
            redelivered: again,
            exchange: Topology.exchange,
            routingKey: "x",
            message: message
        )
    }

    private func receive(_ messages: [IncomingMessage], _ bench: Bench) async {
        await bench.inbox.receive(messages)
        await bench.inbox.drained()
    }

    @Test("is a dead letter of its own, whatever it looks like", arguments: [true, false])
    func distinct(isAlike: Bool) async throws {
        try await withBench { bench async throws in
            let messages = (1...5).map { number in
                incoming(
                    hello(bench, header: isAlike ? nil : "\(number)"),
                    UInt64(number),
                    connection: 1,
                    again: false
                )
            }
            await receive(messages, bench)
            #expect(try await bench.lives().map(\.status) == Array(repeating: "dead", count: 5))
            #expect(bench.acknowledged.withLock { $0.count } == 5)
        }
    }

    @Test("comes again as the copy of a row, each row having one copy by connection, however often")
    func copies() async throws {
        try await withBench { bench async throws in
            // Two of three alike are in the table when the connection ends, and none of the acknowledgements has arrived.
            let first = (1...2).map { incoming(hello(bench), UInt64($0), connection: 1, again: false) }
            await receive(first, bench)
            for connection: UInt64 in 2...4 {
                let again = (1...3).map { number in
                    incoming(
                        hello(bench, count: Int64(connection)),
                        UInt64(number),
                        connection: connection,
                        again: true
                    )
                }
                await receive(again, bench)
                #expect(try await bench.lives().count == 3)
            }
            #expect(bench.acknowledged.withLock { $0.count } == 11)
        }
    }

    @Test("is no copy of what has come by the same connection, or looks different")
    func noCopies() async throws {
        try await withBench { bench async throws in
            await receive([incoming(hello(bench), 1, connection: 1, again: false)], bench)
            await receive([incoming(hello(bench), 2, connection: 1, again: true)], bench)
            await receive([incoming(hello(bench, header: "other"), 1, connection: 2, again: true)], bench)
            #expect(try await bench.lives().count == 3)
        }
    }
}
