import CRabbitMQ
import Glibc

extension Session {
    /// Declares the topology, or verifies it where it is passive.
    func declare(_ topology: BrokerTopology) throws(AMQPError) {
        let passive: amqp_boolean_t = topology.passive ? 1 : 0
        let verb = topology.passive ? "verifying" : "declaring"
        for exchange in topology.exchanges {
            try call("\(verb) exchange '\(exchange.name)'") {
                arena.reset()
                unsafe _ = amqp_exchange_declare(
                    connection,
                    Self.channel,
                    arena.bytes(exchange.name),
                    arena.bytes(exchange.type),
                    passive,
                    exchange.durable ? 1 : 0,
                    0,
                    0,
                    exchange.arguments.makeC(in: arena)
                )
            }
        }
        for queue in topology.queues {
            try call("\(verb) queue '\(queue.name)'") {
                arena.reset()
                unsafe _ = amqp_queue_declare(
                    connection,
                    Self.channel,
                    arena.bytes(queue.name),
                    passive,
                    queue.durable ? 1 : 0,
                    0,
                    0,
                    queue.arguments.makeC(in: arena)
                )
            }
        }
        guard !topology.passive else { return }
        for binding in topology.bindings {
            try call("binding queue '\(binding.queue)' to exchange '\(binding.exchange)'") {
                arena.reset()
                unsafe _ = amqp_queue_bind(
                    connection,
                    Self.channel,
                    arena.bytes(binding.queue),
                    arena.bytes(binding.exchange),
                    arena.bytes(binding.routingKey),
                    binding.arguments.makeC(in: arena)
                )
            }
        }
    }

    /// Has the broker confirm every message published from now on; the first has the number 1.
    func selectConfirms() throws(AMQPError) {
        try call("selecting confirms") { unsafe _ = amqp_confirm_select(connection, Self.channel) }
    }

    /// Bounds how many deliveries may be unacknowledged.
    func setPrefetch(_ prefetch: Int) throws(AMQPError) {
        try call("setting the prefetch") {
            unsafe _ = amqp_basic_qos(connection, Self.channel, 0, UInt16(clamping: prefetch), 0)
        }
    }

    /// Starts a consumer with manual acks.
    func consume(_ queue: String, tag: String, arguments: FieldTable) throws(AMQPError) {
        try call("consuming queue '\(queue)'") {
            arena.reset()
            unsafe _ = amqp_basic_consume(
                connection,
                Self.channel,
                arena.bytes(queue),
                arena.bytes(tag),
                0,
                0,
                0,
                arguments.makeC(in: arena)
            )
        }
    }

    /// Ends a consumer.
    ///
    /// Deliveries that came before the answer are still to be received.
    func cancelConsumer(tag: String) throws(AMQPError) {
        try call("cancelling the consumer") {
            arena.reset()
            unsafe _ = amqp_basic_cancel(connection, Self.channel, arena.bytes(tag))
        }
    }

    /// Writes one ack or reject, inside a `burst`; the broker does not answer it.
    func settle(_ frame: AckCoalescer.Frame) throws(AMQPError) {
        switch frame {
        case .ack(let tag, let multiple):
            try check("acknowledging", unsafe amqp_basic_ack(connection, Self.channel, tag, multiple ? 1 : 0))
        case .reject(let tag, let requeue):
            try check("rejecting", unsafe amqp_basic_reject(connection, Self.channel, tag, requeue ? 1 : 0))
        }
    }

    /// Writes one message, inside a `burst`.
    ///
    /// - Throws: `AMQPError` with code `.invalidMessage` before anything was written, otherwise the session is lost.
    func publish(_ publication: Publication) throws(AMQPError) {
        try publication.validate(frameSize: frameSize)
        arena.reset()
        let exchange = unsafe arena.bytes(publication.exchange)
        let routingKey = unsafe arena.bytes(publication.routingKey)
        var properties = unsafe publication.message.properties.makeC(in: arena)
        let status = unsafe publication.message.body.withUnsafeBytes { body in
            // The library reads the body only.
            let bytes = unsafe amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress))
            return unsafe amqp_basic_publish(
                connection,
                Self.channel,
                exchange,
                routingKey,
                publication.mandatory ? 1 : 0,
                0,
                &properties,
                bytes
            )
        }
        try check("publishing", status)
    }

    /// Whether the socket takes a good deal of bytes at once: while the broker does not read, writing would wait.
    var isWritable: Bool {
        var descriptor = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&descriptor, 1, 0) == 1 && Int32(descriptor.revents) & (POLLERR | POLLHUP) == 0
    }

    /// Holds back partly filled packets while a burst is written (`TCP_CORK`), and sends them after it.
    func setCorked(_ corked: Bool) {
        var value: Int32 = corked ? 1 : 0
        unsafe _ = setsockopt(
            socket,
            Int32(IPPROTO_TCP),
            TCP_CORK,
            &value,
            socklen_t(MemoryLayout<Int32>.size)
        )
    }
}
