import AMQP

extension InMemoryBroker {
    // MARK: Time

    /// The clock moves on: messages and queues whose time is over go.
    public mutating func advance(to moment: Int64) {
        while let next = nextDeadline, next <= moment {
            now = max(now, next)
            expire()
        }
        now = max(now, moment)
    }

    /// When the next message or queue expires; nil if none does.
    public var nextDeadline: Int64? {
        guard isUp else { return nil }
        return queueNames.compactMap { name -> Int64? in
            guard let queue = queues[name] else { return nil }
            let message = queue.ready.compactMap(\.expiresAt).min()
            let own = queue.consumers.isEmpty ? queue.expires.map { queue.lastUsed + $0 } : nil
            return [message, own].compactMap(\.self).min()
        }.min()
    }

    private mutating func expire() {
        for name in queueNames { expireMessages(of: name) }
        for name in queueNames {
            guard let queue = queues[name], let limit = queue.expires, queue.consumers.isEmpty else { continue }
            if queue.lastUsed + limit <= now { deleteQueue(name) }
        }
    }

    /// Messages of any place expire; RabbitMQ itself lets one wait until those before it are gone.
    mutating func expireMessages(of name: String) {
        let now = now
        func isOver(_ message: StoredMessage) -> Bool { message.expiresAt.map { $0 <= now } ?? false }
        guard let expired = queues[name]?.ready.filter(isOver), !expired.isEmpty else { return }
        queues[name]?.ready.removeAll(where: isOver)
        for message in expired { deadLetter(message, of: name, reason: "expired") }
    }

    // MARK: Dead letters

    /// Publishes a message to its queue's dead-letter exchange, with `x-death`; without one it is gone.
    mutating func deadLetter(_ stored: StoredMessage, of name: String, reason: String) {
        guard let queue = queues[name], let exchange = queue.deadLetterExchange else { return }
        let routingKey = queue.arguments["x-dead-letter-routing-key"]?.text ?? stored.routingKey
        var message = stored.message
        message.properties.headers = Self.deaths(
            of: stored,
            queue: name,
            reason: reason,
            seconds: UInt64(max(0, now / 1_000))
        )
        if reason == "expired" { message.properties.expiration = nil }
        // With this strategy the message leaves its queue when the next one has it for certain.
        let isSafe = queue.arguments["x-dead-letter-strategy"]?.text == "at-least-once"
        let reached = route(exchange: exchange, routingKey: routingKey, headers: message.properties.headers)
        for target in reached where !Self.isCycle(message.properties.headers, through: target) {
            enqueue(message, exchange: exchange, routingKey: routingKey, in: target, isOnDisk: isSafe)
        }
    }

    /// The headers with one death more: the latest comes first, and deaths of one kind in one queue are counted.
    private static func deaths(of stored: StoredMessage, queue: String, reason: String, seconds: UInt64) -> FieldTable {
        var headers = stored.message.properties.headers ?? [:]
        var deaths: [FieldValue] = []
        if case .array(let earlier)? = headers["x-death"] { deaths = earlier }
        var count: Int64 = 1
        let same = deaths.firstIndex { death in
            guard case .table(let table) = death else { return false }
            return table["queue"]?.text == queue && table["reason"]?.text == reason
        }
        if let same, case .table(let table) = deaths[same] {
            count += Int64(table["count"]?.integer ?? 0)
            deaths.remove(at: same)
        }
        var death: FieldTable = [
            "count": .int64(count), "reason": .string(reason), "queue": .string(queue), "time": .timestamp(seconds),
            "exchange": .string(stored.exchange), "routing-keys": .array([.string(stored.routingKey)]),
        ]
        if reason == "expired", let expiration = stored.message.properties.expiration {
            death["original-expiration"] = .string(expiration)
        }
        deaths.insert(.table(death), at: 0)
        headers["x-death"] = .array(deaths)
        if headers["x-first-death-queue"] == nil {
            headers["x-first-death-queue"] = .string(queue)
            headers["x-first-death-reason"] = .string(reason)
            headers["x-first-death-exchange"] = .string(stored.exchange)
        }
        return headers
    }

    /// A message that came through that queue before, and that no consumer rejected since, would go round for ever.
    private static func isCycle(_ headers: FieldTable?, through queue: String) -> Bool {
        guard case .array(let deaths)? = headers?["x-death"] else { return false }
        for case .table(let death) in deaths {
            if death["reason"]?.text == "rejected" { return false }
            if death["queue"]?.text == queue { return true }
        }
        return false
    }
}
