import AMQP

/// A consumer of a network.
struct ConsumerCore: Sendable {
    typealias Effects = [NetworkState.Effect]

    let queue: String
    let prefetch: Int
    let topology: BrokerTopology
    let arguments: FieldTable
    let mailbox: BurstMailbox
    var life: ClientLife
    var statistics = Statistics()
    private var isStopped = false
    /// The tags of this connection that were neither acked nor rejected.
    private var unsettled: Set<UInt64> = []

    init(
        queue: String,
        prefetch: Int,
        topology: BrokerTopology,
        arguments: FieldTable,
        board: StateBoard,
        mailbox: BurstMailbox
    ) {
        self.queue = queue
        self.prefetch = prefetch
        self.topology = topology
        self.arguments = arguments
        self.mailbox = mailbox
        life = ClientLife(board: board)
    }

    mutating func start(_ continuation: CheckedContinuation<Void, Never>, _ effects: inout Effects) {
        guard !life.isRunning, !life.isOver else {
            effects.append { continuation.resume() }
            return
        }
        life.isRunning = true
        life.end = continuation
        if life.isEnding { finish(&effects) }
    }

    /// What was delivered and acked reaches the broker; then it closes.
    mutating func end(_ broker: inout InMemoryBroker, _ effects: inout Effects) {
        guard !life.isEnding else { return }
        life.isEnding = true
        if let connection = life.connection { broker.disconnect(connection) }
        if life.isRunning { finish(&effects) }
    }

    private mutating func finish(_ effects: inout Effects) {
        life.finish(&effects)
        unsettled = []
        endBursts(&effects)
    }

    mutating func connect(_ broker: inout InMemoryBroker, _ effects: inout Effects) {
        let (queue, prefetch, arguments, isStopped) = (queue, prefetch, arguments, isStopped)
        let isConnected = life.connect(&broker, topology, &effects) { broker, id throws(AMQPError) in
            guard !isStopped else { return }
            try broker.consume(queue, prefetch: prefetch, arguments: arguments, on: id)
        }
        if isConnected { statistics.connections += 1 }
    }

    /// The broker sends no more; what it has sent is heard.
    mutating func stop(_ broker: inout InMemoryBroker, _ effects: inout Effects) {
        guard !isStopped else { return }
        isStopped = true
        if let connection = life.connection {
            broker.cancelConsumer(on: connection)
            hear(broker.takeFrames(of: connection), &broker, &effects)
        }
        endBursts(&effects)
    }

    private func endBursts(_ effects: inout Effects) {
        effects.append { [mailbox] in mailbox.finish() }
    }

    /// Acks or rejects; a tag of an earlier connection is dropped and counted.
    mutating func settle(
        _ tags: [IncomingMessage.Tag],
        _ broker: inout InMemoryBroker,
        _ request: (UInt64) -> InMemoryBroker.Request
    ) {
        for tag in tags {
            guard let connection = life.connection, tag.connection == life.connections,
                unsettled.remove(tag.number) != nil
            else {
                statistics.staleAcks += 1
                continue
            }
            statistics.settled += 1
            broker.send(request(tag.number), on: connection)
        }
    }

    mutating func hear(_ frames: [InMemoryBroker.Frame], _ broker: inout InMemoryBroker, _ effects: inout Effects) {
        var burst: [IncomingMessage] = []
        for frame in frames {
            switch frame {
            case .delivered(let tag, let redelivered, let exchange, let routingKey, let message):
                unsettled.insert(tag)
                burst.append(
                    IncomingMessage(
                        tag: IncomingMessage.Tag(connection: life.connections, number: tag),
                        redelivered: redelivered,
                        exchange: exchange,
                        routingKey: routingKey,
                        message: message
                    )
                )
            case .consumerCancelled:
                if let connection = life.connection { broker.disconnect(connection) }
                lost(
                    AMQPError(
                        code: .connectionLost,
                        reason:
                            "the broker cancelled the consumer of queue '\(queue)': the queue was deleted, its node is "
                            + "down, or a delivery waited for its ack for longer than the broker allows"
                    ),
                    &effects
                )
                burst = []
            case .closed(let error):
                lost(error, &effects)
                burst = []
            case .blocked(let reason):
                life.show(.blocked(reason: reason), &effects)
            case .unblocked:
                life.show(.ready, &effects)
            case .returned, .confirmed:
                break
            }
        }
        statistics.delivered += burst.count
        if let wake = mailbox.put(burst) { effects.append(wake) }
    }

    private mutating func lost(_ error: AMQPError, _ effects: inout Effects) {
        life.lost(error, &effects)
        unsettled = []
        // Not taken yet: the broker delivers them again, and their tags are dead.
        mailbox.dropAll()
        if isStopped { endBursts(&effects) }
    }
}
