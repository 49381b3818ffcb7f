import AMQP

// What can go wrong, at the driver's word.
extension InMemoryBroker {
    /// The open connections, oldest first.
    public var openConnections: [ConnectionID] { connections.keys.sorted() }

    /// Cuts a connection: what was sent and not taken in is lost, acks among it, and so is what was said and not heard.
    public mutating func cut(_ id: ConnectionID, reason: String = "the connection was reset") {
        guard connections[id] != nil else { return }
        connections[id]?.sent = []
        remove(id)
        lost[id] = AMQPError(code: .connectionLost, reason: reason)
    }

    /// Takes no publishes until `unblock`, as RabbitMQ does under a memory or disk alarm.
    ///
    /// A connection that has published is not read from at all.
    public mutating func block(reason: String = "low on memory") {
        guard blockedReason == nil else { return }
        blockedReason = reason
        for id in connections.keys.sorted() { say(.blocked(reason: reason), to: id) }
    }

    /// Takes publishes again.
    public mutating func unblock() {
        guard blockedReason != nil else { return }
        blockedReason = nil
        for id in connections.keys.sorted() { say(.unblocked, to: id) }
    }

    /// All queues have a majority again, and confirm what they owe.
    public mutating func restoreMajorities() {
        options.queuesWithoutMajority = []
        awaitingSync += awaitingMajority
        awaitingMajority = []
    }

    /// Ends the broker in order: everything that was taken in reaches the disk, then all connections are closed.
    public mutating func stop() {
        guard isUp else { return }
        perform(.sync)
        end(reason: "320 CONNECTION_FORCED - broker forced connection closure with reason 'shutdown'")
    }

    /// Ends the broker without warning: what has not reached the disk (and so was not confirmed) is lost.
    public mutating func kill() {
        guard isUp else { return }
        end(reason: "the connection was reset")
    }

    /// Starts it again with what is on its disk: durable queues and exchanges, and the persistent messages in them.
    public mutating func start() {
        guard !isUp else { return }
        isUp = true
        for name in queueNames { queues[name]?.isUsed(at: now) }
    }

    private mutating func end(reason: String) {
        for id in connections.keys.sorted() { cut(id, reason: reason) }
        isUp = false
        blockedReason = nil
        awaitingSync = []
        awaitingMajority = []
        let synced = syncedUpTo
        for name in queueNames where queues[name]?.isDurable == false { forget(queue: name) }
        for name in queueNames {
            queues[name]?.restart { $0.arrival < synced }
        }
        syncedUpTo = nextPlace
        exchanges = exchanges.filter(\.value.isDurable)
        let kept = exchanges
        bindings.removeAll { kept[$0.exchange] == nil }
    }
}
