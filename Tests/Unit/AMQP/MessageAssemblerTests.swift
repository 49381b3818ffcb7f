import Testing

@testable import AMQP

@Suite("Frames become messages")
struct MessageAssemblerTests {
    private static let delivery = MessageAssembler.Announcement.delivery(
        tag: 7,
        redelivered: true,
        exchange: "e",
        routingKey: "k"
    )

    private func feed(_ assembler: inout MessageAssembler, _ bytes: [UInt8]) throws -> IncomingFrame? {
        try bytes.withUnsafeBytes { buffer throws(AMQPError) in try assembler.body(buffer) }
    }

    @Test("A body comes in pieces and is whole at its announced size")
    func pieces() throws {
        var assembler = MessageAssembler(maximumBodySize: 100)
        try assembler.announced(Self.delivery)
        #expect(try assembler.header(MessageProperties(), bodySize: 5) == nil)
        #expect(try feed(&assembler, [1, 2, 3]) == nil)
        #expect(assembler.deliveries.isEmpty)
        #expect(try feed(&assembler, [4, 5]) == nil)
        let delivery = try #require(assembler.takeDeliveries().first)
        #expect(delivery.message.body == [1, 2, 3, 4, 5])
        #expect(delivery.tag.number == 7 && delivery.redelivered && !delivery.isOversized)
        #expect(!assembler.isInMessage)
    }

    @Test("An empty body needs no body frame")
    func empty() throws {
        var assembler = MessageAssembler(maximumBodySize: 100)
        try assembler.announced(.returned(reason: "312", exchange: "e", routingKey: "k"))
        guard case .returned(let reason, _, _, let message)? = try assembler.header(MessageProperties(), bodySize: 0)
        else {
            Issue.record("no return")
            return
        }
        #expect(reason == "312" && message.body.isEmpty)
    }

    @Test("Of a body above the maximum only the first bytes are kept", arguments: [4, 5, 6, 40])
    func oversized(size: Int) throws {
        var assembler = MessageAssembler(maximumBodySize: 5)
        try assembler.announced(Self.delivery)
        _ = try assembler.header(MessageProperties(), bodySize: UInt64(size))
        for byte in 0..<size { #expect(try feed(&assembler, [UInt8(byte)]) == nil) }
        let delivery = try #require(assembler.takeDeliveries().first)
        #expect(delivery.isOversized == (size > 5))
        #expect(delivery.message.body == Array(0..<UInt8(min(size, 5))))
    }

    @Test("Frames out of order break the protocol")
    func disorder() throws {
        var assembler = MessageAssembler(maximumBodySize: 5)
        #expect(throws: AMQPError.self) { _ = try assembler.header(MessageProperties(), bodySize: 1) }
        #expect(throws: AMQPError.self) { _ = try feed(&assembler, [1]) }
        try assembler.announced(Self.delivery)
        #expect(throws: AMQPError.self) { try assembler.announced(Self.delivery) }
        _ = try assembler.header(MessageProperties(), bodySize: 1)
        #expect(throws: AMQPError.self) { _ = try feed(&assembler, [1, 2]) }
    }

    @Test("A forged size reserves no more than the maximum")
    func forgedSize() throws {
        var assembler = MessageAssembler(maximumBodySize: 1_024)
        try assembler.announced(Self.delivery)
        #expect(try assembler.header(MessageProperties(), bodySize: .max) == nil)
        #expect(try feed(&assembler, [1]) == nil)
    }
}
