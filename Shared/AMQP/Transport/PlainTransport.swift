import CRabbitMQ
import Glibc

/// A session's frames on an unencrypted socket, written and read by the client itself.
///
/// The C library makes three system calls for each message it publishes and copies each frame that it reads through pools
/// of its own; here a burst is one `send`, and everything that has arrived is one `recv`. Neither ever waits: what the
/// socket does not take stays here until it is writable again.
@safe final class PlainTransport: Transport {
    /// So many bytes wait at most before more is taken, give or take a message.
    private static let highWater = 65_536

    /// The link's threads block all signals, a broken pipe's too; this is for whoever else may send.
    private static let sendFlags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)

    private let socket: Int32
    private let timeout: Duration
    private var encoder: FrameEncoder
    private var decoder: FrameDecoder
    private var heartbeats: Heartbeats
    /// Since when the socket takes nothing and nothing comes; nil while it takes what is written.
    private var stuckSince: ContinuousClock.Instant?
    /// The body of the last message, as far as it is not with the writer yet.
    private var rest: (body: [UInt8], place: Int)?

    private let input: UnsafeMutableRawBufferPointer
    private var inputStart = 0
    private var inputEnd = 0
    /// The last read filled its room, or there has been none since the socket was looked at.
    private var mayHaveMore = true
    /// The broker has an alarm.
    private var isBlocked = false
    /// What came before the answer to a call.
    private var setAside: [IncomingFrame]

    /// Takes over an open channel.
    ///
    /// - Parameters:
    ///   - arrived: what the broker has said of its own accord already.
    ///   - socket: non-blocking; nothing that arrived on it may be unread elsewhere. It stays its owner's.
    ///   - user: whose messages they are that do not say so themselves; nil for nobody's.
    ///   - heartbeat: the agreed pause in seconds; 0 for none.
    ///   - timeout: how long an answer may take.
    init(
        arrived: [IncomingFrame],
        socket: Int32,
        channel: UInt16,
        frameSize: Int,
        user: String?,
        heartbeat: Int,
        maximumBodySize: Int,
        connection: UInt64,
        timeout: Duration
    ) {
        setAside = arrived
        for case .blocked in arrived { isBlocked = true }
        self.socket = socket
        self.timeout = timeout
        encoder = FrameEncoder(channel: channel, frameSize: frameSize, user: user)
        decoder = FrameDecoder(channel: channel, frameSize: frameSize, maximumBodySize: maximumBodySize)
        decoder.assembler.connection = connection
        heartbeats = Heartbeats(seconds: heartbeat)
        // Room for the largest frame and for many small ones; pages that nothing touches take no memory.
        unsafe input = .allocate(byteCount: max(frameSize, 131_072) + 8, alignment: 16)
    }

    deinit {
        unsafe input.deallocate()
    }

    var takesMore: Bool { rest == nil && encoder.writer.count < Self.highWater }

    var neverWaits: Bool { true }

    var hasUnsent: Bool { encoder.writer.count > 0 || rest != nil }

    func publish(_ publication: Publication) throws(AMQPError) {
        try encoder.publish(publication)
        let body = publication.message.body
        let place = encoder.body(body, from: 0, atMost: Self.highWater)
        if place < body.count { rest = (body, place) }
    }

    func settle(_ settlement: AckCoalescer.Frame) throws(AMQPError) {
        encoder.settle(settlement)
    }

    func flush() throws(AMQPError) {
        while hasUnsent {
            if encoder.writer.count < Self.highWater, let (body, place) = rest {
                let next = encoder.body(body, from: place, atMost: Self.highWater)
                rest = next < body.count ? (body, next) : nil
            }
            let waiting = unsafe encoder.writer.waiting
            let count = unsafe send(socket, waiting.baseAddress, waiting.count, Self.sendFlags)
            if count >= 0 {
                encoder.writer.removeFirst(count)
                heartbeats.sent()
                stuckSince = nil
            } else if errno == EAGAIN {
                if stuckSince == nil { stuckSince = .now }
                return
            } else if errno != EINTR {
                throw lost("sending")
            }
        }
    }

    func receive(
        limit: Int,
        _ handle: (consuming IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        if !setAside.isEmpty {
            let frames = exchange(&setAside, with: [])
            for frame in frames { try handle(frame) }
        }
        var left = limit
        mayHaveMore = true
        while true {
            let isEnough = try drain(limit: limit) { output throws(AMQPError) in
                switch consume output {
                case .frame(let frame):
                    note(frame)
                    try handle(frame)
                case .answer(let method): throw unexpected(method)
                case .flow(let active): encoder.flowOk(active: active)
                case .channelClosed(let code, let text):
                    throw AMQPError(
                        replyCode: code,
                        text: text,
                        doing: "the broker closed the channel",
                        closesChannel: true
                    )
                case .connectionClosed(let code, let text): throw closed(code, text, "the broker closed the connection")
                }
                left -= 1
                return left == 0
            }
            if isEnough { return false }
            guard try read() else {
                try tendHeartbeats()
                return true
            }
        }
    }

    func keepAlive() throws(AMQPError) {
        heartbeats.received()
        try tendHeartbeats()
    }

    func selectConfirms() throws(AMQPError) {
        encoder.selectConfirms()
        try call("selecting confirms", answer: WireProtocol.Method.confirmSelectOk)
    }

    func setPrefetch(_ prefetch: Int) throws(AMQPError) {
        encoder.qos(prefetch: prefetch)
        try call("setting the prefetch", answer: WireProtocol.Method.basicQosOk)
    }

    func consume(_ queue: String, tag: String, arguments: FieldTable) throws(AMQPError) {
        encoder.consume(queue: queue, tag: tag, arguments: arguments)
        try call("consuming queue '\(queue)'", answer: WireProtocol.Method.basicConsumeOk)
    }

    func cancelConsumer(tag: String) throws(AMQPError) {
        encoder.cancel(tag: tag)
        try call("cancelling the consumer", answer: WireProtocol.Method.basicCancelOk)
    }

    func close(within limit: Duration) {
        encoder.connectionClose()
        // Whatever the answer is, the connection is over: there is nothing to do about an error.
        try? call("closing", answer: WireProtocol.Method.connectionCloseOk, within: limit)
    }

    /// Sends what is written and reads until the answer comes; what else comes is set aside for `receive`.
    private func call(_ what: String, answer: UInt32, within limit: Duration? = nil) throws(AMQPError) {
        let deadline = ContinuousClock.now + (limit ?? timeout)
        while true {
            try flush()
            let isAnswered = try drain(limit: .max) { output throws(AMQPError) in
                switch consume output {
                case .frame(let frame):
                    note(frame)
                    setAside.append(frame)
                case .answer(answer): return true
                case .answer(let method): throw unexpected(method)
                case .flow(let active): encoder.flowOk(active: active)
                case .channelClosed(let code, let text):
                    throw AMQPError(replyCode: code, text: text, doing: what, closesChannel: true)
                case .connectionClosed(let code, let text): throw closed(code, text, what)
                }
                return false
            }
            if isAnswered { return }
            mayHaveMore = true
            if try read() { continue }
            try tendHeartbeats()
            let left = ContinuousClock.now.duration(to: deadline)
            guard left > .zero else {
                throw AMQPError(code: .connectionLost, reason: "\(what): the broker did not answer in time")
            }
            var descriptor = pollfd(
                fd: socket,
                events: Int16(POLLIN) | (hasUnsent ? Int16(POLLOUT) : 0),
                revents: 0
            )
            unsafe _ = poll(&descriptor, 1, min(left, heartbeats.pause).pollMilliseconds)
        }
    }

    /// Decodes the whole frames that are here, until `handle` returns true.
    private func drain(
        limit: Int,
        _ handle: (consuming FrameDecoder.Output) throws(AMQPError) -> Bool
    ) throws(AMQPError) -> Bool {
        var bytes = unsafe UnsafeRawBufferPointer(rebasing: input[inputStart..<inputEnd])
        let isEnded = unsafe try decoder.drain(&bytes, limit: limit, handle)
        inputStart = inputEnd - bytes.count
        return isEnded
    }

    /// Reads what the socket has, if there is room and it may have more than was read last.
    ///
    /// - Returns: whether anything came.
    private func read() throws(AMQPError) -> Bool {
        guard mayHaveMore else { return false }
        if inputStart > 0 {
            let count = inputEnd - inputStart
            if count > 0 {
                unsafe UnsafeMutableRawBufferPointer(rebasing: input[0..<count])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: input[inputStart..<inputEnd]))
            }
            inputStart = 0
            inputEnd = count
        }
        while true {
            let room = unsafe input.count - inputEnd
            let count = unsafe recv(socket, input.baseAddress.map { unsafe $0 + inputEnd }, room, Int32(MSG_DONTWAIT))
            if count > 0 {
                inputEnd += count
                mayHaveMore = count == room
                if stuckSince != nil { stuckSince = .now }
                heartbeats.received()
                return true
            }
            if count == 0 {
                throw AMQPError(code: .connectionLost, reason: "receiving: the broker closed the socket")
            }
            if errno == EAGAIN { return false }
            if errno != EINTR { throw lost("receiving") }
        }
    }

    private func note(_ frame: borrowing IncomingFrame) {
        switch frame {
        case .blocked: isBlocked = true
        case .unblocked: isBlocked = false
        default: break
        }
    }

    private func tendHeartbeats() throws(AMQPError) {
        // Without heartbeats this is all that tells. A broker under alarm reads nothing for hours, but says so first.
        if heartbeats.seconds == 0, let stuckSince, !isBlocked, stuckSince.duration(to: .now) > timeout {
            throw AMQPError(code: .connectionLost, reason: "sending: the broker neither reads nor writes")
        }
        switch heartbeats.due() {
        case .nothing: return
        case .send:
            // What waits for the socket says as much as a heartbeat would, once it goes out.
            if !hasUnsent { encoder.heartbeat() }
            try flush()
        case .dead:
            throw AMQPError(
                code: .connectionLost,
                reason: "the broker has been silent for two heartbeats (\(heartbeats.seconds) s each)"
            )
        }
    }

    /// Answers the broker's `connection.close`; the connection is over whether or not this arrives.
    private func closed(_ code: UInt16, _ text: String, _ what: String) -> AMQPError {
        encoder.connectionCloseOk()
        try? flush()
        return AMQPError(replyCode: code, text: text, doing: what)
    }

    private func unexpected(_ method: UInt32) -> AMQPError {
        AMQPError(
            code: .connectionLost,
            reason: "receiving: the broker broke the protocol: \(method >> 16).\(method & 0xFFFF) answers nothing"
        )
    }

    private func lost(_ what: String) -> AMQPError {
        let text = unsafe String(cString: strerror(errno))
        return AMQPError(code: .connectionLost, reason: "\(what): \(text)")
    }
}
