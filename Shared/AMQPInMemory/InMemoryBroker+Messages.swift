public import AMQP

extension InMemoryBroker {
    enum Settlement {
        case acked
        case requeued
        case rejected
    }

    // MARK: Publishing

    mutating func publish(_ publication: Publication, from id: ConnectionID) {
        guard exchanges[publication.exchange] != nil else {
            fail(
                id,
                404,
                "NOT_FOUND - no exchange '\(publication.exchange)' in vhost '/'",
                doing: "the broker closed the channel"
            )
            return
        }
        guard !options.forbidsExchanges else {
            fail(
                id,
                403,
                "ACCESS_REFUSED - access to exchange '\(publication.exchange)' in vhost '/' refused for user '\(options.user)'",
                doing: "the broker closed the channel"
            )
            return
        }
        guard !options.forbiddenRoutingKeys.contains(publication.routingKey) else {
            fail(
                id,
                403,
                "ACCESS_REFUSED - access to topic '\(publication.routingKey)' in exchange '\(publication.exchange)' in vhost "
                    + "'/' refused for user '\(options.user)'",
                doing: "the broker closed the channel"
            )
            return
        }
        if let user = publication.message.properties.userID, user != options.user {
            fail(
                id,
                406,
                "PRECONDITION_FAILED - user_id property set to '\(user)' but authenticated user was '\(options.user)'",
                doing: "the broker closed the channel"
            )
            return
        }
        guard publication.message.body.count <= options.maximumMessageSize else {
            fail(
                id,
                406,
                "PRECONDITION_FAILED - message size \(publication.message.body.count) is larger than configured max size "
                    + "\(options.maximumMessageSize)",
                doing: "the broker closed the channel"
            )
            return
        }
        connections[id]?.published += 1
        let number = connections[id]?.published ?? 0
        let reached = route(
            exchange: publication.exchange,
            routingKey: publication.routingKey,
            headers: publication.message.properties.headers
        )
        guard !reached.isEmpty else {
            if publication.mandatory {
                say(
                    .returned(
                        reason: "312 NO_ROUTE",
                        exchange: publication.exchange,
                        routingKey: publication.routingKey,
                        message: publication.message
                    ),
                    to: id
                )
            }
            say(.confirmed(number: number, multiple: false, positive: true), to: id)
            return
        }
        var isRefused = false
        for name in reached {
            let isTaken = enqueue(
                publication.message,
                exchange: publication.exchange,
                routingKey: publication.routingKey,
                in: name
            )
            if !isTaken { isRefused = true }
        }
        if isRefused {
            say(.confirmed(number: number, multiple: false, positive: false), to: id)
        } else if options.queuesWithoutMajority.isDisjoint(with: reached) {
            awaitingSync.append((id, number))
        } else {
            awaitingMajority.append((id, number))
        }
    }

    /// Puts a message at the end of a queue.
    ///
    /// - Parameter isOnDisk: whether it survives a kill of the broker from now on.
    /// - Returns: false if the queue is full and refuses.
    @discardableResult
    mutating func enqueue(
        _ message: Message,
        exchange: String,
        routingKey: String,
        in name: String,
        isOnDisk: Bool = false
    ) -> Bool {
        guard let queue = queues[name] else { return true }
        let place = takePlace()
        var stored = StoredMessage(
            place: place,
            arrival: isOnDisk ? 0 : place,
            message: message,
            exchange: exchange,
            routingKey: routingKey
        )
        let limits = [message.properties.expiration.flatMap { Int64($0) }, queue.messageTTL].compactMap(\.self)
        if let limit = limits.min() { stored.expiresAt = now + limit }
        if queue.overflow.hasPrefix("reject-publish"), queue.isFull(for: message.body.count) {
            if queue.overflow == "reject-publish-dlx" { deadLetter(stored, of: name, reason: "maxlen") }
            return false
        }
        queues[name]?.insert(stored)
        while queues[name]?.isOverfull == true, let oldest = queues[name]?.ready.popFirst() {
            deadLetter(oldest, of: name, reason: "maxlen")
        }
        if stored.expiresAt == now { expireMessages(of: name) }
        return true
    }

    // MARK: Delivering

    func canDeliver(_ name: String) -> Bool {
        guard let queue = queues[name], let next = queue.ready.first else { return false }
        // A durable queue shows what is on disk.
        if queue.isDurable, next.arrival >= syncedUpTo { return false }
        return nextConsumer(of: queue) != nil
    }

    /// Of the consumers with room those of the highest priority, in turn; a single active consumer alone.
    private func nextConsumer(of queue: Queue) -> ConnectionID? {
        if queue.hasSingleActiveConsumer {
            guard let active = queue.consumers.first, connections[active]?.hasRoom == true else { return nil }
            return active
        }
        let free = queue.consumers.filter { connections[$0]?.hasRoom == true }
        guard let highest = free.compactMap({ connections[$0]?.consumer?.priority }).max() else { return nil }
        let candidates = free.filter { connections[$0]?.consumer?.priority == highest }
        guard let last = queue.lastServed, let index = queue.consumers.firstIndex(of: last) else {
            return candidates.first
        }
        let later = candidates.first { candidate in
            (queue.consumers.firstIndex(of: candidate) ?? 0) > index
        }
        return later ?? candidates.first
    }

    mutating func deliver(from name: String) {
        guard let queue = queues[name], let id = nextConsumer(of: queue), let next = queue.ready.first else { return }
        queues[name]?.ready.removeFirst()
        queues[name]?.lastServed = id
        connections[id]?.lastTag += 1
        let tag = connections[id]?.lastTag ?? 0
        connections[id]?.unacked[tag] = Connection.Unacked(queue: name, message: next)
        var message = next.message
        if queue.isQuorum, next.returns > 0 {
            var headers = message.properties.headers ?? [:]
            headers["x-delivery-count"] = .int64(Int64(next.returns))
            message.properties.headers = headers
        }
        say(
            .delivered(
                tag: tag,
                redelivered: next.returns > 0,
                exchange: next.exchange,
                routingKey: next.routingKey,
                message: message
            ),
            to: id
        )
    }

    // MARK: Settling

    mutating func settle(_ tag: UInt64, multiple: Bool, of id: ConnectionID, outcome: Settlement) {
        let unacked = connections[id]?.unacked ?? [:]
        let tags = multiple ? unacked.keys.filter { $0 <= tag }.sorted() : unacked[tag].map { _ in [tag] } ?? []
        guard !tags.isEmpty else {
            fail(
                id,
                406,
                "PRECONDITION_FAILED - unknown delivery tag \(tag)",
                doing: "the broker closed the channel"
            )
            return
        }
        for tag in tags {
            guard let settled = connections[id]?.unacked.removeValue(forKey: tag) else { continue }
            switch outcome {
            case .acked: break
            case .requeued: giveBack(settled.message, to: settled.queue, byConsumer: true)
            case .rejected: deadLetter(settled.message, of: settled.queue, reason: "rejected")
            }
        }
    }

    /// A delivery that was not acked goes back to its place, or away when it has come back too often.
    ///
    /// A quorum queue without `x-delivery-limit` puts what a consumer requeued at its end.
    mutating func giveBack(_ message: StoredMessage, to name: String, byConsumer: Bool) {
        guard let queue = queues[name] else { return }
        var message = message
        message.returns += 1
        if queue.isQuorum {
            let limit = queue.arguments["x-delivery-limit"]?.integer
            if let effective = limit ?? options.defaultDeliveryLimit, message.returns > effective {
                deadLetter(message, of: name, reason: "delivery_limit")
                return
            }
            if byConsumer, limit == nil, options.defaultDeliveryLimit == nil { message.place = takePlace() }
        }
        if let expiresAt = message.expiresAt, expiresAt <= now {
            deadLetter(message, of: name, reason: "expired")
            return
        }
        queues[name]?.insert(message)
    }

    // MARK: Looking in

    /// The names of the queues, in the order of their declaration.
    public var queueList: [String] { queueNames }

    /// How many messages of a queue wait to be delivered; nil if there is no such queue.
    public func readyCount(of name: String) -> Int? { queues[name]?.ready.count }

    /// How many messages of a queue wait for their ack.
    public func unackedCount(of name: String) -> Int {
        connections.values.reduce(0) { $0 + $1.unacked.values.count { $0.queue == name } }
    }

    /// The messages of a queue that wait to be delivered, the next one first.
    public func readyMessages(of name: String) -> [Message] { queues[name]?.ready.map(\.message) ?? [] }
}
