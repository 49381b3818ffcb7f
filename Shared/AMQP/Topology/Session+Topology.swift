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
            do throws(AMQPError) {
                try declare(queue, passive: topology.passive)
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                throw error.mended(by: topology.mendOfOtherArguments)
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

    private func declare(_ queue: BrokerTopology.Queue, passive: Bool) throws(AMQPError) {
        try call("\(passive ? "verifying" : "declaring") queue '\(queue.name)'") {
            arena.reset()
            let answer = unsafe amqp_queue_declare(
                connection,
                Self.channel,
                arena.bytes(queue.name),
                passive ? 1 : 0,
                queue.durable ? 1 : 0,
                0,
                0,
                queue.arguments.makeC(in: arena)
            )
            if let answer = unsafe answer { unsafe readyMessages[queue.name] = Int(answer.pointee.message_count) }
        }
    }

    /// What a queue holds ready, and how many consume it.
    ///
    /// - Throws: `AMQPError` with code `.notFound` where there is none.
    func counts(of queue: String) throws(AMQPError) -> BrokerAdministration.QueueCounts {
        var counts = BrokerAdministration.QueueCounts(ready: 0, consumers: 0)
        try call("looking at queue '\(queue)'") {
            arena.reset()
            let answer = unsafe amqp_queue_declare(
                connection,
                Self.channel,
                arena.bytes(queue),
                1,
                1,
                0,
                0,
                amqp_empty_table
            )
            guard let answer = unsafe answer else { return }
            counts.ready = unsafe Int(answer.pointee.message_count)
            counts.consumers = unsafe Int(answer.pointee.consumer_count)
        }
        return counts
    }

    /// Undoes a binding; one that is not there is no error.
    func unbind(_ binding: BrokerTopology.Binding) throws(AMQPError) {
        try call("unbinding queue '\(binding.queue)' from exchange '\(binding.exchange)'") {
            arena.reset()
            unsafe _ = amqp_queue_unbind(
                connection,
                Self.channel,
                arena.bytes(binding.queue),
                arena.bytes(binding.exchange),
                arena.bytes(binding.routingKey),
                binding.arguments.makeC(in: arena)
            )
        }
    }

    /// Deletes a queue with what it holds.
    ///
    /// - Returns: how many messages went with it.
    func delete(queue: String) throws(AMQPError) -> Int {
        var count = 0
        try call("deleting queue '\(queue)'") {
            arena.reset()
            let answer = unsafe amqp_queue_delete(connection, Self.channel, arena.bytes(queue), 0, 0)
            if let answer = unsafe answer { count = unsafe Int(answer.pointee.message_count) }
        }
        return count
    }

    /// Removes what a queue has ready.
    ///
    /// - Returns: how many messages were removed.
    func purge(queue: String) throws(AMQPError) -> Int {
        var count = 0
        try call("purging queue '\(queue)'") {
            arena.reset()
            let answer = unsafe amqp_queue_purge(connection, Self.channel, arena.bytes(queue))
            if let answer = unsafe answer { count = unsafe Int(answer.pointee.message_count) }
        }
        return count
    }
}
