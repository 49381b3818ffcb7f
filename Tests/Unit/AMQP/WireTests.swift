import CRabbitMQ
import Testing

@testable import AMQP

@Suite("The client's own frames are those of the C library")
struct WireTests {
    private static let channel: UInt16 = 1

    private static let everything: MessageProperties = {
        var properties = MessageProperties()
        properties.contentType = "application/cloudevents+json"
        properties.contentEncoding = "identity"
        properties.headers = FieldTableTests.everything
        properties.deliveryMode = 2
        properties.priority = 9
        properties.correlationID = "correlation"
        properties.replyTo = "reply"
        properties.expiration = "60000"
        properties.messageID = "0190b3a2-grüße"
        properties.timestamp = 1_700_000_000
        properties.type = "dev.warren.order.placed"
        properties.userID = "guest"
        properties.appID = "order"
        properties.clusterID = ""
        return properties
    }()

    private static func encoder(frameSize: Int = 131_072) -> FrameEncoder {
        FrameEncoder(channel: channel, frameSize: frameSize)
    }

    private static func bytes(_ encoder: borrowing FrameEncoder) -> [UInt8] { Array(encoder.writer.waiting) }

    /// Frames, one after the other, without their type, channel, size and end.
    private static func payloads(_ bytes: [UInt8]) throws -> [(kind: UInt8, channel: UInt16, payload: [UInt8])] {
        var frames: [(kind: UInt8, channel: UInt16, payload: [UInt8])] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            try #require(rest.count >= 8)
            let start = rest.startIndex
            let size = rest[(start + 3)..<(start + 7)].reduce(0) { $0 << 8 | Int($1) }
            try #require(rest.count >= size + 8 && rest[start + 7 + size] == 0xCE)
            frames.append(
                (
                    rest[start], UInt16(rest[start + 1]) << 8 | UInt16(rest[start + 2]),
                    Array(rest[(start + 7)..<(start + 7 + size)])
                )
            )
            rest = rest[(start + 8 + size)...]
        }
        return frames
    }

    private static func frame(_ kind: UInt8, _ payload: [UInt8], channel: UInt16 = WireTests.channel) -> [UInt8] {
        let size = UInt32(payload.count)
        return [kind, UInt8(channel >> 8), UInt8(channel & 0xFF)]
            + (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - 8 * UInt32($0))) } + payload + [0xCE]
    }

    /// A method as the C library writes it.
    private static func method(_ number: UInt32, _ decoded: UnsafeMutableRawPointer) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let size = buffer.withUnsafeMutableBytes {
            amqp_encode_method(number, decoded, amqp_bytes_t(len: $0.count, bytes: $0.baseAddress))
        }
        return (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) } + buffer.prefix(Int(size))
    }

    /// A content header as the C library writes it.
    private static func header(_ properties: MessageProperties, bodySize: UInt64) -> [UInt8] {
        let arena = CArena()
        var source = properties.makeC(in: arena)
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let size = buffer.withUnsafeMutableBytes {
            amqp_encode_properties(60, &source, amqp_bytes_t(len: $0.count, bytes: $0.baseAddress))
        }
        return [0, 60, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: bodySize >> (56 - 8 * UInt64($0))) }
            + buffer.prefix(Int(size))
    }

    private static func delivery(
        _ tag: UInt64,
        body: [UInt8],
        properties: MessageProperties = MessageProperties(),
        frameSize: Int = 131_072
    ) -> [UInt8] {
        let arena = CArena()
        var deliver = amqp_basic_deliver_t(
            consumer_tag: arena.bytes("warren"),
            delivery_tag: tag,
            redelivered: 1,
            exchange: arena.bytes("events"),
            routing_key: arena.bytes("dev.warren.order.placed")
        )
        var bytes = frame(1, method(WireProtocol.Method.basicDeliver, &deliver))
        bytes += frame(2, header(properties, bodySize: UInt64(body.count)))
        var rest = body[...]
        while !rest.isEmpty {
            bytes += frame(3, Array(rest.prefix(frameSize - 8)))
            rest = rest.dropFirst(frameSize - 8)
        }
        return bytes
    }

    /// What a decoder makes of bytes that come in pieces of that size.
    private static func decode(
        _ bytes: [UInt8],
        pieces: Int,
        frameSize: Int = 131_072,
        maximumBodySize: Int = 1 << 20
    ) throws -> (outputs: [String], deliveries: [IncomingMessage]) {
        var decoder = FrameDecoder(channel: channel, frameSize: frameSize, maximumBodySize: maximumBodySize)
        var outputs: [String] = []
        var deliveries: [IncomingMessage] = []
        var waiting: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: pieces) {
            waiting += bytes[start..<min(start + pieces, bytes.count)]
            let left = try waiting.withUnsafeBytes { buffer -> Int in
                var buffer = buffer
                _ = try decoder.drain(&buffer, limit: .max) { output throws(AMQPError) in
                    if case .frame(.delivered(let messages)) = output {
                        deliveries += messages
                    } else {
                        outputs.append("\(output)")
                    }
                    return false
                }
                return buffer.count
            }
            waiting.removeFirst(waiting.count - left)
        }
        #expect(waiting.isEmpty)
        return (outputs, deliveries)
    }

    @Test("A message is written as the C library writes it", arguments: [0, 1, 512, 4_088, 4_089, 20_000])
    func publish(size: Int) throws {
        var encoder = Self.encoder(frameSize: 4_096)
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        let message = Message(body: body, properties: Self.everything)
        try encoder.publish(Publication(exchange: "events", routingKey: "key", mandatory: true, message: message))
        #expect(encoder.body(body, from: 0, atMost: .max) == size)
        let frames = try Self.payloads(Self.bytes(encoder))

        let arena = CArena()
        var publish = amqp_basic_publish_t(
            ticket: 0,
            exchange: arena.bytes("events"),
            routing_key: arena.bytes("key"),
            mandatory: 1,
            immediate: 0
        )
        #expect(frames[0].payload == Self.method(WireProtocol.Method.basicPublish, &publish))
        #expect(frames[1].payload == Self.header(Self.everything, bodySize: UInt64(size)))
        #expect(frames.dropFirst(2).flatMap(\.payload) == body)
        #expect(frames.allSatisfy { $0.channel == 1 && $0.payload.count <= 4_088 })
        #expect(frames.map(\.kind) == [1, 2] + [UInt8](repeating: 3, count: (size + 4_087) / 4_088))
    }

    @Test("A message that names no user is written with the connection's, and one that names one keeps it")
    func user() throws {
        var unnamed = Self.everything
        unnamed.userID = nil
        var named = unnamed
        named.userID = "alice"
        var encoder = FrameEncoder(channel: Self.channel, frameSize: 131_072, user: "alice")
        for properties in [unnamed, Self.everything, MessageProperties()] {
            let message = Message(body: [], properties: properties)
            try encoder.publish(Publication(exchange: "", routingKey: "", message: message))
        }
        let headers = try Self.payloads(Self.bytes(encoder)).filter { $0.kind == 2 }.map(\.payload)
        var only = MessageProperties()
        only.userID = "alice"
        #expect(headers == [named, Self.everything, only].map { Self.header($0, bodySize: 0) })
        let arena = CArena()
        #expect(MessageProperties(unnamed.makeC(in: arena, from: "alice")) == named)
        #expect(MessageProperties(Self.everything.makeC(in: arena, from: "alice")) == Self.everything)
    }

    @Test("A message that fits a frame without the connection's user, and not with it, is refused whole")
    func userTooLarge() throws {
        var properties = MessageProperties()
        properties.headers = ["h": .bytes([UInt8](repeating: 1, count: 4_061))]
        let publication = Publication(exchange: "", routingKey: "", message: Message(body: [], properties: properties))
        var alone = Self.encoder(frameSize: 4_096)
        try alone.publish(publication)
        var encoder = FrameEncoder(channel: Self.channel, frameSize: 4_096, user: "alice")
        do throws(AMQPError) {
            try encoder.publish(publication)
            Issue.record("it was written")
        } catch {
            #expect(error.code == .invalidMessage)
        }
        #expect(Self.bytes(encoder).isEmpty)
    }

    @Test("What the broker says of a user that is another names the way out")
    func otherUser() {
        let error = AMQPError(
            replyCode: 406,
            text: "PRECONDITION_FAILED - user_id property set to 'a' but authenticated user was 'b'",
            doing: "publishing",
            closesChannel: true
        )
        #expect(error.reason.contains("?user_id=none"))
    }

    @Test("Calls and acks are written as the C library writes them")
    func calls() throws {
        var encoder = Self.encoder()
        let arena = CArena()
        var expected: [[UInt8]] = []
        encoder.settle(.ack(7, multiple: true))
        var ack = amqp_basic_ack_t(delivery_tag: 7, multiple: 1)
        expected.append(Self.method(WireProtocol.Method.basicAck, &ack))
        encoder.settle(.reject(.max, requeue: true))
        var reject = amqp_basic_reject_t(delivery_tag: .max, requeue: 1)
        expected.append(Self.method(WireProtocol.Method.basicReject, &reject))
        encoder.qos(prefetch: 250)
        var qos = amqp_basic_qos_t(prefetch_size: 0, prefetch_count: 250, global: 0)
        expected.append(Self.method(WireProtocol.Method.basicQos, &qos))
        encoder.selectConfirms()
        var select = amqp_confirm_select_t(nowait: 0)
        expected.append(Self.method(WireProtocol.Method.confirmSelect, &select))
        encoder.consume(queue: "queue", tag: "tag", arguments: FieldTableTests.everything)
        var consume = amqp_basic_consume_t(
            ticket: 0,
            queue: arena.bytes("queue"),
            consumer_tag: arena.bytes("tag"),
            no_local: 0,
            no_ack: 0,
            exclusive: 0,
            nowait: 0,
            arguments: FieldTableTests.everything.makeC(in: arena)
        )
        expected.append(Self.method(WireProtocol.Method.basicConsume, &consume))
        encoder.cancel(tag: "tag")
        var cancel = amqp_basic_cancel_t(consumer_tag: arena.bytes("tag"), nowait: 0)
        expected.append(Self.method(WireProtocol.Method.basicCancel, &cancel))
        encoder.connectionClose()
        var close = amqp_connection_close_t(reply_code: 200, reply_text: arena.bytes(""), class_id: 0, method_id: 0)
        expected.append(Self.method(WireProtocol.Method.connectionClose, &close))
        encoder.connectionCloseOk()
        expected.append([0, 10, 0, 51])
        encoder.heartbeat()
        expected.append([])
        let frames = try Self.payloads(Self.bytes(encoder))
        #expect(frames.map(\.payload) == expected)
        #expect(frames.map(\.channel) == [1, 1, 1, 1, 1, 1, 0, 0, 0])
        #expect(frames.map(\.kind) == [1, 1, 1, 1, 1, 1, 1, 1, 8])
    }

    @Test("Headers that do not fit a frame are refused, and nothing of the message is written")
    func tooLarge() throws {
        var encoder = Self.encoder(frameSize: 4_096)
        encoder.heartbeat()
        var properties = MessageProperties()
        properties.headers = ["large": .bytes([UInt8](repeating: 1, count: 4_096))]
        let publication = Publication(
            exchange: "",
            routingKey: "",
            message: Message(body: [], properties: properties)
        )
        do throws(AMQPError) {
            try encoder.publish(publication)
            Issue.record("it was written")
        } catch {
            #expect(error.code == .invalidMessage)
        }
        #expect(Self.bytes(encoder).count == 8)
    }

    @Test(
        "Deliveries that the C library wrote are read, however they are cut",
        arguments: [1, 2, 7, 8, 100, 1 << 20]
    )
    func deliveries(pieces: Int) throws {
        let large = [UInt8](repeating: 7, count: 10_000)
        let bytes =
            Self.delivery(1, body: [], properties: Self.everything)
            + Self.delivery(2, body: [1, 2, 3])
            + Self.frame(8, [], channel: 0)
            + Self.delivery(3, body: large, properties: Self.everything, frameSize: 4_096)
        let (outputs, deliveries) = try Self.decode(bytes, pieces: pieces, frameSize: 4_096)
        #expect(outputs.isEmpty)
        #expect(deliveries.map(\.tag.number) == [1, 2, 3])
        #expect(deliveries.map(\.message.body) == [[], [1, 2, 3], large])
        #expect(deliveries.map(\.message.properties) == [Self.everything, MessageProperties(), Self.everything])
        #expect(deliveries.allSatisfy { $0.exchange == "events" && $0.routingKey == "dev.warren.order.placed" })
        #expect(deliveries.allSatisfy { $0.redelivered && !$0.isOversized })
    }

    @Test("What lies between deliveries is told in its place")
    func order() throws {
        var decoder = FrameDecoder(channel: Self.channel, frameSize: 4_096, maximumBodySize: 100)
        let bytes =
            Self.delivery(1, body: [1]) + Self.delivery(2, body: [2]) + Self.frame(1, [0, 60, 0, 30, 1, 0x78, 1])
            + Self.delivery(3, body: [3])
        var told: [String] = []
        try bytes.withUnsafeBytes { buffer in
            var buffer = buffer
            _ = try decoder.drain(&buffer, limit: 1) { output throws(AMQPError) in
                if case .frame(.delivered(let messages)) = output { told.append("\(messages.map(\.tag.number))") }
                return false
            }
            _ = try decoder.drain(&buffer, limit: .max) { output throws(AMQPError) in
                switch output {
                case .frame(.delivered(let messages)): told.append("\(messages.map(\.tag.number))")
                case .frame(.consumerCancelled): told.append("cancelled")
                default: told.append("?")
                }
                return false
            }
        }
        #expect(told == ["[1]", "[2]", "cancelled", "[3]"])
    }

    @Test("Confirms, returns, alarms and the broker's good-byes are understood")
    func others() throws {
        let arena = CArena()
        var nack = amqp_basic_nack_t(delivery_tag: 9, multiple: 1, requeue: 0)
        var back = amqp_basic_return_t(
            reply_code: 312,
            reply_text: arena.bytes("NO_ROUTE"),
            exchange: arena.bytes("e"),
            routing_key: arena.bytes("k")
        )
        var blocked = amqp_connection_blocked_t(reason: arena.bytes("low on disk"))
        var close = amqp_channel_close_t(
            reply_code: 406,
            reply_text: arena.bytes("PRECONDITION_FAILED"),
            class_id: 0,
            method_id: 0
        )
        let bytes =
            Self.frame(1, Self.method(WireProtocol.Method.basicNack, &nack))
            + Self.frame(1, Self.method(WireProtocol.Method.basicReturn, &back))
            + Self.frame(2, Self.header(MessageProperties(), bodySize: 1)) + Self.frame(3, [5])
            + Self.frame(1, Self.method(WireProtocol.Method.connectionBlocked, &blocked), channel: 0)
            + Self.frame(1, [0, 10, 0, 61], channel: 0) + Self.frame(1, [0, 60, 0, 11])
            + Self.frame(1, Self.method(WireProtocol.Method.channelClose, &close))
        let (outputs, deliveries) = try Self.decode(bytes, pieces: 3)
        #expect(deliveries.isEmpty)
        try #require(outputs.count == 6)
        #expect(outputs[0].contains("number: 9, multiple: true, positive: false"))
        #expect(outputs[1].contains("312 NO_ROUTE") && outputs[1].contains("[5]"))
        #expect(outputs[2].contains("low on disk"))
        #expect(outputs[3].contains("unblocked"))
        #expect(outputs[4] == "answer(method: \(WireProtocol.Method.basicQosOk))")
        #expect(outputs[5].contains("406"))
    }

    @Test(
        "Forged frames end the connection",
        arguments: [
            [1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0],  // larger than agreed
            [9, 0, 1, 0, 0, 0, 0, 0xCE],  // unknown type
            [8, 0, 0, 0, 0, 0, 0, 0],  // no end
            [8, 0, 2, 0, 0, 0, 0, 0xCE],  // another channel
            [1, 0, 1, 0, 0, 0, 2, 0, 60, 0xCE],  // half a method number
            [1, 0, 1, 0, 0, 0, 4, 0, 50, 0, 10, 0xCE],  // what no broker sends
            [1, 0, 1, 0, 0, 0, 5, 0, 60, 0, 60, 9, 0xCE],  // a tag longer than the frame
            [2, 0, 1, 0, 0, 0, 2, 0, 60, 0xCE],  // half a header
            [3, 0, 1, 0, 0, 0, 1, 0, 0xCE],  // a body without a message
        ] as [[UInt8]]
    )
    func forged(bytes: [UInt8]) {
        #expect(throws: AMQPError.self) { _ = try Self.decode(bytes, pieces: 100) }
    }

    @Test("A writer keeps what waits, whatever goes out in between")
    func writer() {
        var writer = ByteWriter()
        var expected: [UInt8] = []
        var number: UInt64 = 88_172_645_463_325_252
        for round in 0..<2_000 {
            number ^= number << 13
            number ^= number >> 7
            number ^= number << 17
            let piece = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: Int(number % 700))
            writer.append(piece)
            expected += piece
            let out = Int((number >> 20) % 650) % (expected.count + 1)
            writer.removeFirst(out)
            expected.removeFirst(out)
            #expect(writer.count == expected.count)
        }
        #expect(Array(writer.waiting) == expected)
        #expect(expected.count > 10_000)
    }

    @Test("Heartbeats go out in silence, and a peer that is silent for two pauses is gone")
    func heartbeats() {
        let start = ContinuousClock.now
        var heartbeats = Heartbeats(seconds: 10, at: start)
        #expect(heartbeats.due(at: start + .seconds(4)) == .nothing)
        #expect(heartbeats.due(at: start + .seconds(5)) == .send)
        heartbeats.sent(at: start + .seconds(5))
        #expect(heartbeats.due(at: start + .seconds(9)) == .nothing)
        heartbeats.received(at: start + .seconds(9))
        heartbeats.sent(at: start + .seconds(28))
        #expect(heartbeats.due(at: start + .seconds(29)) == .nothing)
        #expect(heartbeats.due(at: start + .milliseconds(29_001)) == .dead)
        #expect(Heartbeats(seconds: 0, at: start).due(at: start + .seconds(1_000)) == .nothing)
    }
}
