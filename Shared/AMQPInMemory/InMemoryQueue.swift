import AMQP

/// A message in a queue.
struct StoredMessage: Sendable {
    /// Its place in the line: the smallest is delivered first.
    var place: UInt64
    /// When it came, in the broker's order: what came before the last sync is on disk.
    let arrival: UInt64
    var message: Message
    let exchange: String
    let routingKey: String
    /// When it expires, on the broker's clock.
    var expiresAt: Int64?
    /// How often it has come back.
    var returns = 0

    var isPersistent: Bool { message.properties.deliveryMode == 2 }
}

/// An exchange.
struct Exchange: Sendable {
    let type: String
    let isDurable: Bool
    let arguments: FieldTable
}

/// A queue with its messages in order.
struct Queue: Sendable {
    let name: String
    let isDurable: Bool
    let arguments: FieldTable
    /// In order of priority, then place.
    var ready: ArraySlice<StoredMessage> = []
    /// In the order of their coming.
    var consumers: [InMemoryBroker.ConnectionID] = []
    /// When it was last declared or had a consumer.
    var lastUsed: Int64 = 0
    /// The consumer that was served last.
    var lastServed: InMemoryBroker.ConnectionID?

    var isQuorum: Bool { arguments["x-queue-type"]?.text == "quorum" }
    var messageTTL: Int64? { arguments["x-message-ttl"]?.integer.map(Int64.init) }
    var expires: Int64? { arguments["x-expires"]?.integer.map(Int64.init) }
    var maximumLength: Int? { arguments["x-max-length"]?.integer }
    var maximumBytes: Int? { arguments["x-max-length-bytes"]?.integer }
    var overflow: String { arguments["x-overflow"]?.text ?? "drop-head" }
    var deadLetterExchange: String? { arguments["x-dead-letter-exchange"]?.text }
    var hasSingleActiveConsumer: Bool { arguments["x-single-active-consumer"] == .boolean(true) }
    var maximumPriority: Int? { arguments["x-max-priority"]?.integer }

    /// Bytes that wait.
    var readyBytes: Int { ready.reduce(0) { $0 + $1.message.body.count } }

    mutating func isUsed(at now: Int64) { lastUsed = now }

    /// Whether one more message of so many bytes would be one too many.
    func isFull(for size: Int) -> Bool {
        if let maximumLength, ready.count >= maximumLength { return true }
        if let maximumBytes, readyBytes + size > maximumBytes { return true }
        return false
    }

    /// Whether there is more than there may be.
    var isOverfull: Bool {
        if let maximumLength, ready.count > maximumLength { return true }
        if let maximumBytes, readyBytes > maximumBytes { return true }
        return false
    }

    private func priority(of message: StoredMessage) -> Int {
        guard let maximumPriority else { return 0 }
        return min(Int(message.message.properties.priority ?? 0), maximumPriority)
    }

    /// Puts a message where its priority and its place want it.
    mutating func insert(_ message: StoredMessage) {
        let priority = priority(of: message)
        func isBefore(_ other: StoredMessage) -> Bool {
            let others = self.priority(of: other)
            return others > priority || (others == priority && other.place < message.place)
        }
        if let last = ready.last, !isBefore(last) {
            let index = ready.firstIndex { !isBefore($0) } ?? ready.endIndex
            ready.insert(message, at: index)
        } else {
            ready.append(message)
        }
    }

    /// What is left after a restart of the broker, given what is on disk.
    mutating func restart(keeping isOnDisk: (StoredMessage) -> Bool) {
        consumers = []
        lastServed = nil
        let isQuorum = isQuorum
        ready = ArraySlice(ready.filter { isOnDisk($0) && (isQuorum || $0.isPersistent) })
    }
}
