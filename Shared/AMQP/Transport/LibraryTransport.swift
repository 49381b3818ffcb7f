import CRabbitMQ
import Glibc

/// A session's frames by way of the C library, which alone can read and write what TLS encrypts.
///
/// Its calls may wait for the peer; each is bounded by the link's `CallGuard`.
@safe final class LibraryTransport: Transport {
    private unowned let session: Session
    private let connection: amqp_connection_state_t
    private let callGuard: CallGuard
    private let timeout: Duration
    private let arena: CArena
    private var assembler: MessageAssembler
    private var isCorked = false
    /// Bytes of bodies since the socket was asked last.
    private var written = 0

    /// Uses the session's connection, which outlives it.
    ///
    /// - Parameter number: the consumer's count of connections.
    init(_ session: Session, maximumBodySize: Int, number: UInt64) {
        self.session = session
        unsafe connection = session.connection
        callGuard = session.callGuard
        timeout = session.timeout
        arena = session.arena
        assembler = MessageAssembler(maximumBodySize: maximumBodySize)
        assembler.connection = number
    }

    /// Whether the socket takes a good deal of bytes at once: while the broker does not read, writing would wait.
    var takesMore: Bool {
        if isCorked, written < 65_536 { return true }
        written = 0
        var descriptor = pollfd(fd: session.socket, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&descriptor, 1, 0) == 1 && Int32(descriptor.revents) & (POLLERR | POLLHUP) == 0
    }

    var hasUnsent: Bool { false }

    var neverWaits: Bool { false }

    func publish(_ publication: Publication) throws(AMQPError) {
        let user = publication.message.properties.userID == nil ? session.user : nil
        let addition = user.map { 1 + $0.utf8.count } ?? 0
        if let headers = publication.headerSize, headers + addition > session.frameSize {
            throw AMQPError(
                code: .invalidMessage,
                reason: "the headers have \(headers + addition) bytes; they must fit one frame of \(session.frameSize)"
            )
        }
        cork()
        written += publication.message.body.count
        arena.reset()
        let exchange = unsafe arena.bytes(publication.exchange)
        let routingKey = unsafe arena.bytes(publication.routingKey)
        var properties = unsafe publication.message.properties.makeC(in: arena, from: user)
        let status = try callGuard.bound(to: timeout) { () throws(AMQPError) in
            unsafe publication.message.body.withUnsafeBytes { body in
                // The library reads the body only.
                let bytes = unsafe amqp_bytes_t(
                    len: body.count,
                    bytes: UnsafeMutableRawPointer(mutating: body.baseAddress)
                )
                return unsafe amqp_basic_publish(
                    connection,
                    Session.channel,
                    exchange,
                    routingKey,
                    publication.mandatory ? 1 : 0,
                    0,
                    &properties,
                    bytes
                )
            }
        }
        try check("publishing", status)
    }

    func settle(_ settlement: AckCoalescer.Frame) throws(AMQPError) {
        cork()
        let status = try callGuard.bound(to: timeout) { () throws(AMQPError) -> Int32 in
            switch settlement {
            case .ack(let tag, let multiple):
                unsafe amqp_basic_ack(connection, Session.channel, tag, multiple ? 1 : 0)
            case .reject(let tag, let requeue):
                unsafe amqp_basic_reject(connection, Session.channel, tag, requeue ? 1 : 0)
            }
        }
        try check("settling", status)
    }

    func flush() throws(AMQPError) {
        setCorked(false)
    }

    func selectConfirms() throws(AMQPError) {
        try session.call("selecting confirms") { unsafe _ = amqp_confirm_select(connection, Session.channel) }
    }

    func setPrefetch(_ prefetch: Int) throws(AMQPError) {
        try session.call("setting the prefetch") {
            unsafe _ = amqp_basic_qos(connection, Session.channel, 0, UInt16(clamping: prefetch), 0)
        }
    }

    func consume(_ queue: String, tag: String, arguments: FieldTable) throws(AMQPError) {
        try session.call("consuming queue '\(queue)'") {
            arena.reset()
            unsafe _ = amqp_basic_consume(
                connection,
                Session.channel,
                arena.bytes(queue),
                arena.bytes(tag),
                0,
                0,
                0,
                arguments.makeC(in: arena)
            )
        }
    }

    func cancelConsumer(tag: String) throws(AMQPError) {
        try session.call("cancelling the consumer") {
            arena.reset()
            unsafe _ = amqp_basic_cancel(connection, Session.channel, arena.bytes(tag))
        }
    }

    func close(within limit: Duration) {
        var library = timeval(limit)
        unsafe amqp_set_rpc_timeout(connection, &library)
        // Whatever the answer is, the connection is over: there is nothing to do about an error.
        _ = try? callGuard.bound(to: limit) { () throws(AMQPError) in
            unsafe _ = amqp_connection_close(connection, 200)
        }
    }

    func receive(
        limit: Int,
        _ handle: (consuming IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        try receive(limit: limit, waiting: .zero, handle)
    }

    /// The same, waiting so long for the first frame.
    func receive(
        limit: Int,
        waiting: Duration,
        _ handle: (consuming IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        try callGuard.bound(to: timeout) { () throws(AMQPError) in try receiveFrames(limit, waiting, handle) }
    }

    func keepAlive() throws(AMQPError) {
        guard session.heartbeat > 0 else { return }
        // The library sends heartbeats only while it receives.
        var heartbeat = unsafe amqp_frame_t()
        unsafe heartbeat.frame_type = UInt8(AMQP_FRAME_HEARTBEAT)
        try check("sending a heartbeat", unsafe amqp_send_frame(connection, &heartbeat))
    }

    /// Reads the status of a call that only writes.
    private func check(_ what: String, _ status: Int32) throws(AMQPError) {
        guard status == 0 else {
            session.abandon()
            throw AMQPError(status: status, doing: what)
        }
    }

    private func cork() {
        if !isCorked { setCorked(true) }
    }

    /// Holds back partly filled packets while a burst is written (`TCP_CORK`), and sends them after it.
    private func setCorked(_ corked: Bool) {
        guard isCorked != corked else { return }
        isCorked = corked
        var value: Int32 = corked ? 1 : 0
        unsafe _ = setsockopt(
            session.socket,
            Int32(IPPROTO_TCP),
            TCP_CORK,
            &value,
            socklen_t(MemoryLayout<Int32>.size)
        )
    }

    private func receiveFrames(
        _ limit: Int,
        _ waiting: Duration,
        _ handle: (consuming IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        for _ in 0..<limit {
            var frame = unsafe amqp_frame_t()
            var patience = waiting > .zero ? timeval(waiting) : timeval(tv_sec: 0, tv_usec: 0)
            // With a timeout of zero this reads without waiting, in mid-frame too; only a due heartbeat is written.
            let status = unsafe amqp_simple_wait_frame_noblock(connection, &frame, &patience)
            if status == AMQP_STATUS_TIMEOUT.rawValue {
                unsafe amqp_maybe_release_buffers(connection)
                try handOver(handle)
                return true
            }
            guard status == 0 else {
                session.abandon()
                throw AMQPError(status: status, doing: "receiving")
            }
            let incoming = try unsafe decode(frame)
            // The frame's memory belongs to its channel and may be used again from here on.
            unsafe amqp_maybe_release_buffers_on_channel(connection, frame.channel)
            if let incoming {
                try handOver(handle)
                try handle(incoming)
            }
        }
        try handOver(handle)
        return false
    }

    private func handOver(_ handle: (consuming IncomingFrame) throws(AMQPError) -> Void) throws(AMQPError) {
        guard !assembler.deliveries.isEmpty else { return }
        try handle(.delivered(assembler.takeDeliveries()))
    }

    private func decode(_ frame: amqp_frame_t) throws(AMQPError) -> IncomingFrame? {
        switch unsafe Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD:
            return try unsafe decode(frame.payload.method)
        case AMQP_FRAME_HEADER:
            guard let decoded = unsafe frame.payload.properties.decoded else {
                throw AMQPError(code: .connectionLost, reason: "the broker sent a header without properties")
            }
            let properties = unsafe decoded.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee
            return try assembler.header(
                unsafe MessageProperties(properties),
                bodySize: unsafe frame.payload.properties.body_size
            )
        case AMQP_FRAME_BODY:
            let fragment = unsafe frame.payload.body_fragment
            return try unsafe assembler.body(UnsafeRawBufferPointer(start: fragment.bytes, count: fragment.len))
        default:
            return nil
        }
    }

    private func decode(_ method: amqp_method_t) throws(AMQPError) -> IncomingFrame? {
        guard let decoded = unsafe method.decoded else { return nil }
        switch unsafe method.id {
        case warren_method_basic_deliver:
            let delivery = unsafe decoded.assumingMemoryBound(to: amqp_basic_deliver_t.self).pointee
            try assembler.announced(
                unsafe .delivery(
                    tag: delivery.delivery_tag,
                    redelivered: delivery.redelivered != 0,
                    exchange: delivery.exchange.text,
                    routingKey: delivery.routing_key.text
                )
            )
            return nil
        case warren_method_basic_return:
            let returned = unsafe decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            try assembler.announced(
                unsafe .returned(
                    reason: "\(returned.reply_code) \(returned.reply_text.text)",
                    exchange: returned.exchange.text,
                    routingKey: returned.routing_key.text
                )
            )
            return nil
        case warren_method_basic_ack:
            let ack = unsafe decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return unsafe .confirmed(number: ack.delivery_tag, multiple: ack.multiple != 0, positive: true)
        case warren_method_basic_nack:
            let nack = unsafe decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return unsafe .confirmed(number: nack.delivery_tag, multiple: nack.multiple != 0, positive: false)
        case warren_method_basic_cancel:
            return .consumerCancelled
        case warren_method_connection_blocked:
            let blocked = unsafe decoded.assumingMemoryBound(to: amqp_connection_blocked_t.self).pointee
            return unsafe .blocked(reason: blocked.reason.text)
        case warren_method_connection_unblocked:
            return .unblocked
        case warren_method_channel_close:
            let close = unsafe decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            throw unsafe AMQPError(
                replyCode: close.reply_code,
                text: close.reply_text.text,
                doing: "the broker closed the channel",
                closesChannel: true
            )
        case warren_method_connection_close:
            let close = unsafe decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            let error = unsafe AMQPError(
                replyCode: close.reply_code,
                text: close.reply_text.text,
                doing: "the broker closed the connection"
            )
            confirmClose()
            throw error
        default:
            return nil
        }
    }

    /// Answers the broker's `connection.close`, which the library leaves to its user.
    private func confirmClose() {
        var method = amqp_connection_close_ok_t()
        // The connection is over whether or not this arrives.
        unsafe _ = amqp_send_method(connection, 0, warren_method_connection_close_ok, &method)
        session.abandon()
    }
}
