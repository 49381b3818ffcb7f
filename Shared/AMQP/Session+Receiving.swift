import CRabbitMQ
import Glibc

extension Session {
    /// Takes what has arrived, without waiting, and serves the heartbeats.
    ///
    /// - Parameters:
    ///   - limit: how many frames at most.
    ///   - handle: gets what the broker says, in order; its values are copies.
    /// - Returns: whether everything that had arrived was taken.
    /// - Throws: what `handle` throws, and `AMQPError` for a lost connection, a closed channel or broken protocol.
    func receive(
        limit: Int,
        _ handle: (IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        try callGuard.bound(to: timeout) { () throws(AMQPError) in try receiveFrames(limit, handle) }
    }

    private func receiveFrames(
        _ limit: Int,
        _ handle: (IncomingFrame) throws(AMQPError) -> Void
    ) throws(AMQPError) -> Bool {
        for _ in 0..<limit {
            var frame = unsafe amqp_frame_t()
            var zero = timeval(tv_sec: 0, tv_usec: 0)
            // With a timeout of zero this reads without waiting, in mid-frame too; only a due heartbeat is written.
            let status = unsafe amqp_simple_wait_frame_noblock(connection, &frame, &zero)
            if status == AMQP_STATUS_TIMEOUT.rawValue {
                unsafe amqp_maybe_release_buffers(connection)
                return true
            }
            guard status == 0 else {
                abandon()
                throw AMQPError(status: status, doing: "receiving")
            }
            let incoming = try unsafe decode(frame)
            // The frame's memory belongs to its channel and may be used again from here on.
            unsafe amqp_maybe_release_buffers_on_channel(connection, frame.channel)
            if let incoming { try handle(incoming) }
        }
        return false
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
                doing: "the broker closed the channel"
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
        abandon()
    }
}
