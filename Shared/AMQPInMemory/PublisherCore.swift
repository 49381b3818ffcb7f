import AMQP

/// A publisher of a network: the queue of what is to be sent and the window of what waits for its confirm, as the real one has
/// them.
struct PublisherCore: Sendable {
    enum Receiver: Sendable {
        case burst(index: Int, outcome: @Sendable (Int, AMQPError?) -> Void)
        case ticket(PublishTicket)

        func tell(_ error: AMQPError?) {
            switch self {
            case .burst(let index, let outcome): outcome(index, error)
            case .ticket(let ticket): ticket.finish(error)
            }
        }
    }

    struct Outgoing: Sendable {
        let publication: Publication
        let receiver: Receiver

        var isTicket: Bool { if case .ticket = receiver { true } else { false } }
    }

    typealias Effects = [NetworkState.Effect]

    let topology: BrokerTopology
    let window: Int
    var life: ClientLife
    var statistics = Statistics()
    private var queue: ArraySlice<Outgoing> = []
    private var tracker = ConfirmTracker<Outgoing>()
    private var isBlocked = false

    init(topology: BrokerTopology, window: Int, board: StateBoard) {
        self.topology = topology
        self.window = window
        life = ClientLife(board: board)
    }

    /// What was counted, with what waits now.
    var currentStatistics: Statistics {
        var current = statistics
        current.waiting = queue.count
        current.inFlight = tracker.count
        return current
    }

    mutating func start(_ continuation: CheckedContinuation<Void, Never>, _ effects: inout Effects) {
        guard !life.isRunning, !life.isOver else {
            effects.append { continuation.resume() }
            return
        }
        life.isRunning = true
        life.end = continuation
        if life.isEnding { life.finish(&effects) }
    }

    /// Nothing more is sent; `run` ends when what is on its way has its outcome.
    mutating func end(_ broker: inout InMemoryBroker, _ effects: inout Effects) {
        guard !life.isEnding else { return }
        life.isEnding = true
        closeQueue(all: true, &effects)
        endIfNothingWaits(&broker, &effects)
    }

    private mutating func endIfNothingWaits(_ broker: inout InMemoryBroker, _ effects: inout Effects) {
        guard life.isEnding, life.isRunning, tracker.count == 0 else { return }
        if let connection = life.connection { broker.disconnect(connection) }
        life.finish(&effects)
    }

    /// Whether what is on its way was given up, because nothing more can happen.
    mutating func abandonsRest(_ broker: inout InMemoryBroker) -> Bool {
        guard life.isEnding, let connection = life.connection, !broker.hasFrames(connection) else { return false }
        broker.cut(connection, reason: "the connection was closed by this service")
        return true
    }

    mutating func connect(_ broker: inout InMemoryBroker, _ effects: inout Effects) {
        guard life.connect(&broker, topology, &effects, { _, _ throws(AMQPError) in }) else {
            closeQueue(all: false, &effects)
            return
        }
        statistics.connections += 1
        isBlocked = broker.blockedReason != nil
        send(&broker)
    }

    mutating func accept(_ outgoing: Outgoing, _ effects: inout Effects) {
        do throws(AMQPError) {
            try outgoing.publication.validate()
        } catch {
            effects.append { outgoing.receiver.tell(error) }
            return
        }
        let isClosed = life.isEnding || life.isOver || (!outgoing.isTicket && life.hasTried && life.connection == nil)
        guard !isClosed else {
            let reason = life.isEnding || life.isOver ? "the publisher has ended" : "there is no connection"
            effects.append { outgoing.receiver.tell(AMQPError(code: .closed, reason: reason)) }
            return
        }
        queue.append(outgoing)
    }

    /// Sends what the window has room for.
    mutating func send(_ broker: inout InMemoryBroker) {
        guard let connection = life.connection, !isBlocked else { return }
        while tracker.count < window, let next = queue.popFirst() {
            if case .ticket(let ticket) = next.receiver, !ticket.beginSending() { continue }
            tracker.sent(next)
            var publication = next.publication
            // As the real one does on the wire.
            if publication.message.properties.userID == nil {
                publication.message.properties.userID = broker.options.login
            }
            broker.send(.publish(publication), on: connection)
        }
    }

    mutating func forgetCancelled() {
        queue.removeAll { outgoing in
            if case .ticket(let ticket) = outgoing.receiver { ticket.isOver } else { false }
        }
    }

    mutating func hear(_ frames: [InMemoryBroker.Frame], _ broker: inout InMemoryBroker, _ effects: inout Effects) {
        for frame in frames {
            switch frame {
            case .confirmed(let number, let multiple, let positive):
                for (entry, outcome) in tracker.settled(upTo: number, multiple: multiple, positive: positive) {
                    let error = count(outcome)
                    effects.append { entry.receiver.tell(error) }
                }
            case .returned(let reason, let exchange, let routingKey, let message):
                tracker.returned(reason: "\(reason) (exchange '\(exchange)', routing key '\(routingKey)')") {
                    outgoing in
                    let publication = outgoing.publication
                    return publication.mandatory && publication.exchange == exchange
                        && publication.routingKey == routingKey
                        && publication.message.properties.messageID == message.properties.messageID
                } preferring: { outgoing in
                    outgoing.publication.message.body == message.body
                }
            case .blocked(let reason):
                isBlocked = true
                life.show(.blocked(reason: reason), &effects)
            case .unblocked:
                isBlocked = false
                life.show(.ready, &effects)
            case .closed(let error):
                lost(error, &effects)
            case .delivered, .consumerCancelled:
                break
            }
        }
        send(&broker)
        endIfNothingWaits(&broker, &effects)
    }

    private mutating func count(_ outcome: ConfirmTracker<Outgoing>.Outcome) -> AMQPError? {
        switch outcome {
        case .confirmed:
            statistics.confirmed += 1
            return nil
        case .nacked:
            statistics.nacked += 1
            return AMQPError(code: .nacked, reason: "the broker refused the message")
        case .returned(let reason):
            statistics.returned += 1
            return AMQPError(code: .returned, reason: reason)
        }
    }

    private mutating func lost(_ error: AMQPError, _ effects: inout Effects) {
        life.lost(error, &effects)
        for (entry, returned) in tracker.connectionLost() {
            if returned == nil { statistics.unknown += 1 }
            let outcome =
                returned.map { AMQPError(code: .returned, reason: $0) }
                ?? AMQPError(code: .connectionLost, reason: error.reason, channelClose: error.channelClose)
            effects.append { entry.receiver.tell(outcome) }
        }
        closeQueue(all: life.isEnding, &effects)
    }

    /// Reports what has not been sent: the messages of bursts, and where `all` is set those of waiting callers too.
    private mutating func closeQueue(all: Bool, _ effects: inout Effects) {
        let unsent = queue.filter { all || !$0.isTicket }
        queue.removeAll { all || !$0.isTicket }
        for outgoing in unsent {
            effects.append {
                outgoing.receiver.tell(AMQPError(code: .closed, reason: "there is no connection; it was not sent"))
            }
        }
    }
}
