/// Puts the frames of one message together: its method, its header, its body in pieces.
///
/// A pure value without I/O.
///
/// At most `maximumBodySize` bytes of a body are kept; the rest is let pass.
struct MessageAssembler {
    /// The method that announced the message.
    enum Announcement {
        case delivery(tag: UInt64, redelivered: Bool, exchange: String, routingKey: String)
        case returned(reason: String, exchange: String, routingKey: String)
    }

    private enum Phase {
        case idle
        case header(Announcement)
        case body(Announcement, MessageProperties, collected: [UInt8], size: UInt64, remaining: UInt64)
    }

    let maximumBodySize: Int
    private var phase = Phase.idle

    init(maximumBodySize: Int) {
        self.maximumBodySize = maximumBodySize
    }

    /// Whether a message is only partly here.
    var isInMessage: Bool {
        if case .idle = phase { false } else { true }
    }

    /// A `basic.deliver` or `basic.return` came.
    mutating func announced(_ announcement: Announcement) throws(AMQPError) {
        guard case .idle = phase else { throw Self.unexpected("a new message began within another") }
        phase = .header(announcement)
    }

    /// A content header came.
    ///
    /// - Returns: the message, if its body is empty.
    mutating func header(_ properties: MessageProperties, bodySize: UInt64) throws(AMQPError) -> IncomingFrame? {
        guard case .header(let announcement) = phase else { throw Self.unexpected("a header came without a message") }
        var collected: [UInt8] = []
        if bodySize > 0 {
            collected.reserveCapacity(Int(min(bodySize, UInt64(maximumBodySize))))
            phase = .body(announcement, properties, collected: collected, size: bodySize, remaining: bodySize)
            return nil
        }
        phase = .idle
        return finish(announcement, properties, collected, size: 0)
    }

    /// A piece of a body came.
    ///
    /// - Returns: the message, if this was its last piece.
    mutating func body(_ piece: UnsafeRawBufferPointer) throws(AMQPError) -> IncomingFrame? {
        guard case .body(let announcement, let properties, var collected, let size, let remaining) = phase else {
            throw Self.unexpected("a body came without a message")
        }
        phase = .idle
        guard UInt64(piece.count) <= remaining else { throw Self.unexpected("a body is longer than announced") }
        let room = maximumBodySize - collected.count
        if room > 0 { unsafe collected.append(contentsOf: piece.prefix(room)) }
        let left = remaining - UInt64(piece.count)
        guard left == 0 else {
            phase = .body(announcement, properties, collected: collected, size: size, remaining: left)
            return nil
        }
        return finish(announcement, properties, collected, size: size)
    }

    private func finish(
        _ announcement: Announcement,
        _ properties: MessageProperties,
        _ body: [UInt8],
        size: UInt64
    ) -> IncomingFrame {
        let message = Message(body: body, properties: properties)
        switch announcement {
        case .delivery(let tag, let redelivered, let exchange, let routingKey):
            return .delivered(
                IncomingDelivery(
                    tag: tag,
                    redelivered: redelivered,
                    exchange: exchange,
                    routingKey: routingKey,
                    message: message,
                    isOversized: size > UInt64(maximumBodySize)
                )
            )
        case .returned(let reason, let exchange, let routingKey):
            return .returned(reason: reason, exchange: exchange, routingKey: routingKey, message: message)
        }
    }

    private static func unexpected(_ what: String) -> AMQPError {
        AMQPError(code: .connectionLost, reason: "the broker broke the protocol: \(what)")
    }
}
