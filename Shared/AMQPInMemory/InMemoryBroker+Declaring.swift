public import AMQP

extension InMemoryBroker {
    /// Declares exchanges, queues and bindings, or verifies them where the topology is passive.
    ///
    /// - Throws: `AMQPError` with code `.preconditionFailed` where something exists with other arguments, `.notFound` where
    ///   something that is needed does not exist; the connection is gone then.
    public mutating func declare(_ topology: BrokerTopology, on id: ConnectionID) throws(AMQPError) {
        try requireConnection(id)
        takeInAll(of: id)
        let verb = topology.passive ? "verifying" : "declaring"
        for exchange in topology.exchanges {
            try declare(exchange, passive: topology.passive, on: id, doing: "\(verb) exchange '\(exchange.name)'")
        }
        for queue in topology.queues {
            do throws(AMQPError) {
                try declare(queue, passive: topology.passive, on: id, doing: "\(verb) queue '\(queue.name)'")
            } catch {
                guard error.code == .preconditionFailed else { throw error }
                throw error.mended(by: topology.mendOfOtherArguments)
            }
        }
        guard !topology.passive else { return }
        for binding in topology.bindings {
            let what = "binding queue '\(binding.queue)' to exchange '\(binding.exchange)'"
            guard queues[binding.queue] != nil else {
                throw fail(id, 404, "NOT_FOUND - no queue '\(binding.queue)' in vhost '/'", doing: what)
            }
            guard exchanges[binding.exchange] != nil else {
                throw fail(id, 404, "NOT_FOUND - no exchange '\(binding.exchange)' in vhost '/'", doing: what)
            }
            if !bindings.contains(binding) { bindings.append(binding) }
        }
    }

    /// Deletes a queue with its messages; its consumers are told.
    ///
    /// - Returns: how many messages went with it; nil if there was no such queue.
    @discardableResult
    public mutating func deleteQueue(_ name: String) -> Int? {
        guard let queue = queues[name] else { return nil }
        forget(queue: name)
        for consumer in queue.consumers {
            connections[consumer]?.consumer = nil
            say(.consumerCancelled, to: consumer)
        }
        return queue.ready.count
    }

    /// Removes a binding.
    public mutating func unbind(_ binding: BrokerTopology.Binding) {
        bindings.removeAll { $0 == binding }
    }

    mutating func forget(queue name: String) {
        queues[name] = nil
        queueNames.removeAll { $0 == name }
        bindings.removeAll { $0.queue == name }
        for id in connections.keys.sorted() {
            guard let unacked = connections[id]?.unacked else { continue }
            connections[id]?.unacked = unacked.filter { $0.value.queue != name }
        }
    }

    private mutating func declare(
        _ exchange: BrokerTopology.Exchange,
        passive: Bool,
        on id: ConnectionID,
        doing what: String
    ) throws(AMQPError) {
        guard let existing = exchanges[exchange.name] else {
            if passive {
                throw fail(id, 404, "NOT_FOUND - no exchange '\(exchange.name)' in vhost '/'", doing: what)
            }
            guard ["direct", "fanout", "topic", "headers"].contains(exchange.type) else {
                throw fail(id, 503, "COMMAND_INVALID - unknown exchange type '\(exchange.type)'", doing: what)
            }
            exchanges[exchange.name] = Exchange(
                type: exchange.type,
                isDurable: exchange.durable,
                arguments: exchange.arguments
            )
            return
        }
        guard !passive else { return }
        let difference: (String, String, String)? =
            if existing.type != exchange.type {
                ("type", exchange.type, existing.type)
            } else if existing.isDurable != exchange.durable {
                ("durable", "\(exchange.durable)", "\(existing.isDurable)")
            } else {
                Self.difference(exchange.arguments, existing.arguments, of: ["alternate-exchange"])
            }
        if let difference { throw inequivalent(difference, "exchange", exchange.name, id, what) }
    }

    private mutating func declare(
        _ queue: BrokerTopology.Queue,
        passive: Bool,
        on id: ConnectionID,
        doing what: String
    ) throws(AMQPError) {
        guard let existing = queues[queue.name] else {
            if passive { throw fail(id, 404, "NOT_FOUND - no queue '\(queue.name)' in vhost '/'", doing: what) }
            if queue.arguments["x-queue-type"]?.text == "quorum", !queue.durable {
                throw fail(id, 406, "PRECONDITION_FAILED - invalid property 'non-durable' for queue", doing: what)
            }
            queues[queue.name] = Queue(
                name: queue.name,
                isDurable: queue.durable,
                arguments: queue.arguments,
                lastUsed: now
            )
            queueNames.append(queue.name)
            return
        }
        queues[queue.name]?.isUsed(at: now)
        guard !passive else { return }
        let difference: (String, String, String)? =
            if existing.isDurable != queue.durable {
                ("durable", "\(queue.durable)", "\(existing.isDurable)")
            } else {
                Self.difference(queue.arguments, existing.arguments, of: Self.checkedArguments)
            }
        if let difference { throw inequivalent(difference, "queue", queue.name, id, what) }
    }

    /// The arguments that RabbitMQ compares, in the order in which it does.
    private static let checkedArguments = [
        "x-expires", "x-message-ttl", "x-dead-letter-exchange", "x-dead-letter-routing-key", "x-dead-letter-strategy",
        "x-max-length", "x-max-length-bytes", "x-max-priority", "x-overflow", "x-single-active-consumer",
        "x-delivery-limit",
        "x-queue-type", "x-queue-mode",
    ]

    /// The first argument that differs: its name, what was asked for, what there is.
    private static func difference(
        _ wanted: FieldTable,
        _ existing: FieldTable,
        of names: [String]
    ) -> (String, String, String)? {
        for name in names {
            let (left, right) = (wanted[name], existing[name])
            if let left, let right, left.integer != nil, left.integer == right.integer { continue }
            // Classic is the type of a queue that names none.
            if name == "x-queue-type", (left?.text ?? "classic") == (right?.text ?? "classic") { continue }
            if left != right { return (name, text(left), text(right)) }
        }
        return nil
    }

    private static func text(_ value: FieldValue?) -> String {
        guard let value else { return "none" }
        if let integer = value.integer { return "the value '\(integer)' of type 'signedint'" }
        if let text = value.text { return "the value '\(text)' of type 'longstr'" }
        return "the value '\(value)'"
    }

    private mutating func inequivalent(
        _ difference: (name: String, wanted: String, existing: String),
        _ kind: String,
        _ name: String,
        _ id: ConnectionID,
        _ what: String
    ) -> AMQPError {
        fail(
            id,
            406,
            "PRECONDITION_FAILED - inequivalent arg '\(difference.name)' for \(kind) '\(name)' in vhost '/': "
                + "received \(difference.wanted) but current is \(difference.existing)",
            doing: what
        )
    }
}
