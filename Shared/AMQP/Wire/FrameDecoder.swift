/// Turns the bytes of one connection into what they say: a pure value without I/O.
///
/// It reads what a broker sends once a channel is open; what a broker never sends by then breaks the protocol.
struct FrameDecoder {
    /// What a frame, or the last frame of a message, says.
    enum Output {
        case frame(IncomingFrame)
        /// The answer to a call.
        case answer(method: UInt32)
        /// The broker wants to know whether the channel's flow is on; RabbitMQ has not for years.
        case flow(active: Bool)
        case channelClosed(code: UInt16, text: String)
        case connectionClosed(code: UInt16, text: String)
    }

    /// The largest frame that both sides agreed on, in bytes.
    let frameSize: Int
    var assembler: MessageAssembler
    private let channel: UInt16
    private var texts = RepeatedTexts()

    init(channel: UInt16, frameSize: Int, maximumBodySize: Int) {
        self.channel = channel
        self.frameSize = frameSize
        assembler = MessageAssembler(maximumBodySize: maximumBodySize)
    }

    /// Reads frames from the front as long as there are whole ones.
    ///
    /// - Parameters:
    ///   - bytes: what has arrived and is not consumed yet; what has been consumed is taken off.
    ///   - limit: how many deliveries at most.
    ///   - handle: gets what they say, in order; true ends it.
    /// - Returns: whether `handle` or the limit ended it.
    /// - Throws: what `handle` throws, and `AMQPError` where the bytes are not what a broker may send.
    mutating func drain(
        _ bytes: inout UnsafeRawBufferPointer,
        limit: Int,
        _ handle: (consuming Output) throws(AMQPError) -> Bool
    ) throws(AMQPError) -> Bool {
        while true {
            let output = unsafe try next(&bytes, limit)
            let count = assembler.deliveries.count
            if count > 0, try handle(.frame(.delivered(assembler.takeDeliveries()))) || count >= limit { return true }
            guard let output else { return false }
            if try handle(output) { return true }
        }
    }

    /// Reads frames until one says something else than a delivery; nil when there is no whole frame left or there are
    /// deliveries enough.
    private mutating func next(_ bytes: inout UnsafeRawBufferPointer, _ limit: Int) throws(AMQPError) -> Output? {
        while assembler.deliveries.count < limit {
            var reader = unsafe ByteReader(bytes)
            guard reader.count >= WireProtocol.frameHeaderSize else { return nil }
            let kind: UInt8 = try reader.integer()
            let channel: UInt16 = try reader.integer()
            let size = Int(try reader.integer(UInt32.self))
            guard size <= frameSize - WireProtocol.frameOverhead else {
                throw Self.broken("a frame of \(size) bytes is larger than agreed")
            }
            guard reader.count > size else { return nil }
            let payload = unsafe try reader.bytes(size)
            guard try reader.integer(UInt8.self) == WireProtocol.frameEnd else {
                throw Self.broken("a frame does not end where it should")
            }
            unsafe bytes = UnsafeRawBufferPointer(rebasing: bytes[(size + WireProtocol.frameOverhead)...])
            guard channel == self.channel || channel == 0 else { throw Self.broken("a frame for an unknown channel") }
            if let output = unsafe try decode(kind, channel, payload) { return output }
        }
        return nil
    }

    @inline(__always)
    private mutating func decode(
        _ kind: UInt8,
        _ channel: UInt16,
        _ payload: UnsafeRawBufferPointer
    ) throws(AMQPError) -> Output? {
        switch kind {
        case WireProtocol.methodFrame:
            return unsafe try method(payload)
        case WireProtocol.headerFrame:
            var reader = unsafe ByteReader(payload)
            guard try reader.integer(UInt16.self) == WireProtocol.basicClass else {
                throw Self.broken("a header of another class")
            }
            // The weight, which is unused.
            _ = try reader.integer(UInt16.self)
            let size: UInt64 = try reader.integer()
            let properties = try MessageProperties.read(&reader, &texts)
            return try assembler.header(properties, bodySize: size).map(Output.frame)
        case WireProtocol.bodyFrame:
            return unsafe try assembler.body(payload).map(Output.frame)
        case WireProtocol.heartbeatFrame:
            return nil
        default:
            throw Self.broken("a frame of the unknown type \(kind)")
        }
    }

    private mutating func method(_ payload: UnsafeRawBufferPointer) throws(AMQPError) -> Output? {
        typealias Method = WireProtocol.Method
        var reader = unsafe ByteReader(payload)
        let method: UInt32 = try reader.integer()
        switch method {
        case Method.basicDeliver:
            unsafe _ = try reader.shortBytes()
            let tag: UInt64 = try reader.integer()
            let redelivered = try reader.integer(UInt8.self) & 1 != 0
            let exchange = unsafe texts.exchange.text(try reader.shortBytes())
            let routingKey = unsafe texts.routingKey.text(try reader.shortBytes())
            try assembler.announced(
                .delivery(tag: tag, redelivered: redelivered, exchange: exchange, routingKey: routingKey)
            )
            return nil
        case Method.basicAck, Method.basicNack:
            let number: UInt64 = try reader.integer()
            let multiple = try reader.integer(UInt8.self) & 1 != 0
            return .frame(.confirmed(number: number, multiple: multiple, positive: method == Method.basicAck))
        case Method.basicReturn:
            let code: UInt16 = try reader.integer()
            let text = try reader.shortText()
            let exchange = try reader.shortText()
            let routingKey = try reader.shortText()
            try assembler.announced(
                .returned(reason: "\(code) \(text)", exchange: exchange, routingKey: routingKey)
            )
            return nil
        case Method.basicCancel: return .frame(.consumerCancelled)
        case Method.connectionBlocked: return .frame(.blocked(reason: try reader.shortText()))
        case Method.connectionUnblocked: return .frame(.unblocked)
        case Method.channelFlow: return .flow(active: try reader.integer(UInt8.self) & 1 != 0)
        case Method.channelClose, Method.connectionClose:
            let code: UInt16 = try reader.integer()
            let text = try reader.shortText()
            return method == Method.channelClose
                ? .channelClosed(code: code, text: text) : .connectionClosed(code: code, text: text)
        case Method.basicQosOk, Method.basicConsumeOk, Method.basicCancelOk, Method.confirmSelectOk,
            Method.connectionCloseOk:
            return .answer(method: method)
        default:
            throw Self.broken("the unexpected method \(method >> 16).\(method & 0xFFFF)")
        }
    }

    private static func broken(_ what: String) -> AMQPError {
        AMQPError(code: .connectionLost, reason: "receiving: the broker broke the protocol: \(what)")
    }
}
