import Testing

@testable import AMQP

/// A transport that says nothing.
private final class SilentTransport: Transport {
    let takesMore = true
    let hasUnsent = false
    let neverWaits = true

    func publish(_ publication: Publication) throws(AMQPError) {}
    func settle(_ settlement: AckCoalescer.Frame) throws(AMQPError) {}
    func flush() throws(AMQPError) {}
    func receive(
        limit: Int,
        _ handle: (consuming IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool { true }
    func keepAlive() throws(AMQPError) {}
    func selectConfirms() throws(AMQPError) {}
    func setPrefetch(_ prefetch: Int) throws(AMQPError) {}
    func consume(_ queue: String, tag: String, arguments: FieldTable) throws(AMQPError) {}
    func cancelConsumer(tag: String) throws(AMQPError) {}
    func close(within limit: Duration) {}
}

@Suite("What a consumer holds is bounded in bytes")
struct ByteBudgetTests {
    private func delivery(_ number: UInt64, size: Int) -> IncomingMessage {
        IncomingMessage(
            tag: .init(connection: 1, number: number),
            redelivered: false,
            exchange: "",
            routingKey: "",
            message: Message(body: [UInt8](repeating: 0, count: size), properties: MessageProperties())
        )
    }

    @Test("Nothing more is read while the budget is used up, and an ack makes room")
    func budget() throws {
        let role = ConsumingRole(
            queue: "q",
            prefetch: 256,
            arguments: [:],
            mailbox: BurstMailbox(),
            counts: Counts()
        )
        let transport = SilentTransport()
        try role.connected(transport, number: 1)
        #expect(role.readLimit > 0)
        var number: UInt64 = 0
        while role.readLimit > 0, number < 256 {
            number += 1
            try role.receive(.delivered([delivery(number, size: 1 << 20)]), transport)
        }
        #expect(number == 32)
        // Whoever acknowledges must wake the link, which does not look at the socket.
        role.take([.acks((1...number).map { .init(connection: 1, number: $0) })])
        #expect(!role.isUrgent)
        #expect(role.readLimit > 0)
        #expect(role.isUrgent)
    }

    @Test("A small room is filled by few frames, a large one by many")
    func limit() throws {
        let role = ConsumingRole(
            queue: "q",
            prefetch: 256,
            arguments: [:],
            mailbox: BurstMailbox(),
            counts: Counts()
        )
        let transport = SilentTransport()
        try role.connected(transport, number: 1)
        let all = role.readLimit
        try role.receive(.delivered([delivery(1, size: 31 << 20)]), transport)
        #expect(role.readLimit < all)
        #expect(role.readLimit <= 9)
    }
}
