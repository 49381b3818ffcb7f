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
        case header
        case body
    }

    let maximumBodySize: Int
    /// The consumer's count of connections, which the deliveries' tags carry.
    var connection: UInt64 = 0
    /// The deliveries that are whole and have not been taken.
    private(set) var deliveries: [IncomingMessage] = []
    /// How many were taken together lately, for the room that the next ones get.
    private var usualCount = 0
    private var phase = Phase.idle
    // Beside the phase and not inside it: so nothing is copied when the phase changes.
    private var announcement: Announcement?
    private var properties = MessageProperties()
    private var collected: [UInt8] = []
    private var size: UInt64 = 0
    private var remaining: UInt64 = 0

    init(maximumBodySize: Int) {
        self.maximumBodySize = maximumBodySize
    }

    /// Whether a message is only partly here.
    var isInMessage: Bool { phase != .idle }

    /// A `basic.deliver` or `basic.return` came.
    mutating func announced(_ announcement: consuming Announcement) throws(AMQPError) {
        guard phase == .idle else { throw Self.unexpected("a new message began within another") }
        phase = .header
        self.announcement = announcement
    }

    /// A content header came.
    ///
    /// - Returns: the message, if its body is empty and it is a returned one; a delivery joins `deliveries`.
    mutating func header(
        _ properties: consuming MessageProperties,
        bodySize: UInt64
    ) throws(AMQPError) -> IncomingFrame? {
        guard phase == .header else { throw Self.unexpected("a header came without a message") }
        self.properties = properties
        size = bodySize
        remaining = bodySize
        guard bodySize == 0 else {
            phase = .body
            return nil
        }
        return finish([])
    }

    /// A piece of a body came.
    ///
    /// - Returns: the message, if this was its last piece and it is a returned one; a delivery joins `deliveries`.
    mutating func body(_ piece: UnsafeRawBufferPointer) throws(AMQPError) -> IncomingFrame? {
        guard phase == .body else { throw Self.unexpected("a body came without a message") }
        guard UInt64(piece.count) <= remaining else { throw Self.unexpected("a body is longer than announced") }
        if piece.count == size, piece.count <= maximumBodySize {
            // The usual case: all of it in one frame.
            return unsafe finish(Array(piece))
        }
        if remaining == size { collected.reserveCapacity(Int(min(size, UInt64(maximumBodySize)))) }
        let room = maximumBodySize - collected.count
        if room > 0 { unsafe collected.append(contentsOf: piece.prefix(room)) }
        remaining -= UInt64(piece.count)
        guard remaining == 0 else { return nil }
        return finish(exchange(&collected, with: []))
    }

    /// Hands the deliveries over.
    mutating func takeDeliveries() -> [IncomingMessage] {
        usualCount = (usualCount + deliveries.count + 1) / 2
        return exchange(&deliveries, with: [])
    }

    private mutating func finish(_ body: consuming [UInt8]) -> IncomingFrame? {
        phase = .idle
        let message = Message(body: body, properties: exchange(&properties, with: MessageProperties()))
        switch exchange(&announcement, with: nil) {
        case .delivery(let tag, let redelivered, let exchange, let routingKey):
            if deliveries.isEmpty { deliveries.reserveCapacity(usualCount) }
            deliveries.append(
                IncomingMessage(
                    tag: IncomingMessage.Tag(connection: connection, number: tag),
                    redelivered: redelivered,
                    exchange: exchange,
                    routingKey: routingKey,
                    message: message,
                    isOversized: size > UInt64(maximumBodySize)
                )
            )
            return nil
        case .returned(let reason, let exchange, let routingKey):
            return .returned(reason: reason, exchange: exchange, routingKey: routingKey, message: message)
        case nil:
            return nil
        }
    }

    private static func unexpected(_ what: String) -> AMQPError {
        AMQPError(code: .connectionLost, reason: "receiving: the broker broke the protocol: \(what)")
    }
}
