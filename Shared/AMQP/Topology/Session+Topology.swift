import CRabbitMQ

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
                let answer = unsafe amqp_queue_declare(
                    connection,
                    Self.channel,
                    arena.bytes(queue.name),
                    passive,
                    queue.durable ? 1 : 0,
                    0,
                    0,
                    queue.arguments.makeC(in: arena)
                )
                if let answer = unsafe answer { unsafe readyMessages[queue.name] = Int(answer.pointee.message_count) }
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
}
