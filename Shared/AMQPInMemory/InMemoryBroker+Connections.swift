public import AMQP

/// One client's connection as the broker sees it.
struct Connection: Sendable {
    /// A delivery that waits for its ack.
    struct Unacked: Sendable {
        let queue: String
        var message: StoredMessage
    }

    var sent: ArraySlice<InMemoryBroker.Request> = []
    var said: [InMemoryBroker.Frame] = []
    var published: UInt64 = 0
    var lastTag: UInt64 = 0
    var unacked: [UInt64: Unacked] = [:]
    var consumer: InMemoryConsumerRecord?

    var hasPublished: Bool { published > 0 }
    var hasRoom: Bool { unacked.count < (consumer?.prefetch ?? 0) }
}

/// What the broker knows of a consumer.
struct InMemoryConsumerRecord: Sendable {
    let queue: String
    let prefetch: Int
    let priority: Int
}

extension InMemoryBroker {
    /// Opens a connection.
    ///
    /// - Throws: `AMQPError` with code `.connectionFailed` while the broker is down.
    public mutating func connect() throws(AMQPError) -> ConnectionID {
        guard isUp else { throw AMQPError(code: .connectionFailed, reason: "the broker is down") }
        lastConnection += 1
        let id = ConnectionID(number: lastConnection)
        connections[id] = Connection()
        return id
    }

    /// Sends a request; a step takes it in.
    ///
    /// On a connection that is gone it is lost.
    public mutating func send(_ request: Request, on id: ConnectionID) {
        connections[id]?.sent.append(request)
    }

    /// How many requests of this connection were sent and not taken in.
    public func pendingRequests(of id: ConnectionID) -> Int { connections[id]?.sent.count ?? 0 }

    /// Takes what the broker has said on this connection, at most so many frames, the oldest first.
    ///
    /// After `closed` there is nothing more.
    public mutating func takeFrames(of id: ConnectionID, atMost limit: Int = .max) -> [Frame] {
        if let reason = lost.removeValue(forKey: id) { return [.closed(reason)] }
        guard let said = connections[id]?.said, !said.isEmpty else { return [] }
        let taken = Array(said.prefix(limit))
        connections[id]?.said.removeFirst(taken.count)
        return taken
    }

    /// Whether something waits for this client to take it.
    public func hasFrames(_ id: ConnectionID) -> Bool {
        lost[id] != nil || connections[id].map { !$0.said.isEmpty } ?? false
    }

    /// Says good-bye: everything that was sent is taken in first, and what is not acked goes back to its queue.
    public mutating func disconnect(_ id: ConnectionID) {
        takeInAll(of: id)
        remove(id)
    }

    /// Consumes a queue with manual acks; one consumer per connection.
    ///
    /// - Parameters:
    ///   - prefetch: how many deliveries may wait for their ack.
    ///   - arguments: `x-priority` is honoured.
    /// - Throws: `AMQPError` with code `.notFound`, after which the connection is gone.
    public mutating func consume(
        _ queue: String,
        prefetch: Int,
        arguments: FieldTable = [:],
        on id: ConnectionID
    ) throws(AMQPError) {
        try requireConnection(id)
        takeInAll(of: id)
        guard queues[queue] != nil else {
            throw fail(id, 404, "NOT_FOUND - no queue '\(queue)' in vhost '/'", doing: "consuming queue '\(queue)'")
        }
        connections[id]?.consumer = InMemoryConsumerRecord(
            queue: queue,
            prefetch: prefetch,
            priority: arguments["x-priority"]?.integer ?? 0
        )
        queues[queue]?.consumers.append(id)
        queues[queue]?.isUsed(at: now)
    }

    /// Ends the consumer; what was delivered can still be acked.
    public mutating func cancelConsumer(on id: ConnectionID) {
        takeInAll(of: id)
        endConsumer(id)
    }

    func requireConnection(_ id: ConnectionID) throws(AMQPError) {
        guard isUp, connections[id] != nil else {
            throw AMQPError(code: .connectionLost, reason: "\(id) is gone")
        }
    }

    /// A call comes after everything that was sent before it on its channel.
    mutating func takeInAll(of id: ConnectionID) {
        guard isUp else { return }
        while connections[id]?.sent.isEmpty == false {
            let before = connections[id]?.sent.count
            perform(.receive(id))
            if connections[id]?.sent.count == before { return }
        }
    }

    private mutating func endConsumer(_ id: ConnectionID) {
        guard let queue = connections[id]?.consumer?.queue else { return }
        connections[id]?.consumer = nil
        queues[queue]?.consumers.removeAll { $0 == id }
        queues[queue]?.isUsed(at: now)
    }

    /// The connection is gone; what it had not acked goes back to where it was.
    mutating func remove(_ id: ConnectionID) {
        endConsumer(id)
        guard let connection = connections.removeValue(forKey: id) else { return }
        // The newest first: each goes before those that went back already.
        for tag in connection.unacked.keys.sorted(by: >) {
            guard let unacked = connection.unacked[tag] else { continue }
            giveBack(unacked.message, to: unacked.queue, byConsumer: false)
        }
        awaitingSync.removeAll { $0.connection == id }
        awaitingMajority.removeAll { $0.connection == id }
    }

    /// The broker closes the channel, and with it, as the client takes it, the connection.
    @discardableResult
    mutating func fail(_ id: ConnectionID, _ code: UInt16, _ text: String, doing what: String) -> AMQPError {
        let error = AMQPError(replyCode: code, text: text, doing: what, closesChannel: true)
        remove(id)
        lost[id] = error
        return error
    }
}
