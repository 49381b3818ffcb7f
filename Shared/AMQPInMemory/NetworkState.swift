import AMQP

/// The broker and the clients of a network; changed under its lock.
struct NetworkState: Sendable {
    typealias Effect = @Sendable () -> Void

    var broker: InMemoryBroker
    var publishers: [PublisherCore] = []
    var consumers: [ConsumerCore] = []
    /// What is to be called once the lock is free, in its order.
    var effects: [Effect] = []

    private var clients: [InMemoryNetwork.ClientID] {
        publishers.indices.map { .publisher($0) } + consumers.indices.map { .consumer($0) }
    }

    var possibleSteps: [InMemoryNetwork.Step] {
        var steps: [InMemoryNetwork.Step] = []
        for client in clients {
            if broker.isUp, life(of: client).wantsConnection { steps.append(.connect(client)) }
            if let connection = life(of: client).connection, broker.hasFrames(connection) {
                steps.append(.hear(client))
            }
        }
        return steps + broker.possibleSteps.map { .broker($0) }
    }

    func life(of client: InMemoryNetwork.ClientID) -> ClientLife {
        switch client {
        case .publisher(let index): publishers[index].life
        case .consumer(let index): consumers[index].life
        }
    }

    func connection(of client: InMemoryNetwork.ClientID) -> InMemoryBroker.ConnectionID? { life(of: client).connection }

    mutating func perform(_ step: InMemoryNetwork.Step) {
        switch step {
        case .broker(let step): broker.perform(step)
        case .hear(let client): hear(client)
        case .connect(let client): if life(of: client).wantsConnection { connect(client) }
        }
    }

    mutating func connect(_ client: InMemoryNetwork.ClientID) {
        switch client {
        case .publisher(let index): publishers[index].connect(&broker, &effects)
        case .consumer(let index): consumers[index].connect(&broker, &effects)
        }
    }

    mutating func hear(_ client: InMemoryNetwork.ClientID) {
        guard let connection = life(of: client).connection else { return }
        let frames = broker.takeFrames(of: connection)
        guard !frames.isEmpty else { return }
        switch client {
        case .publisher(let index): publishers[index].hear(frames, &broker, &effects)
        case .consumer(let index): consumers[index].hear(frames, &broker, &effects)
        }
    }

    /// Something has changed: clients whose last attempt failed may try again.
    mutating func allowAttempts() {
        for index in publishers.indices { publishers[index].life.mayTry = true }
        for index in consumers.indices { consumers[index].life.mayTry = true }
    }

    /// Has everything happen that can; a client whose attempt to connect failed does not try again by itself.
    mutating func settle() {
        while true {
            var didSomething = false
            for client in clients {
                if let connection = life(of: client).connection, broker.hasFrames(connection) {
                    hear(client)
                    didSomething = true
                }
                if life(of: client).wantsConnection, life(of: client).mayTry {
                    connect(client)
                    didSomething = true
                }
            }
            if !broker.possibleSteps.isEmpty {
                broker.settle()
                didSomething = true
            }
            guard !didSomething else { continue }
            // Nothing more will be heard: whoever wants to end does so without it.
            for index in publishers.indices where publishers[index].abandonsRest(&broker) { didSomething = true }
            guard didSomething else { return }
        }
    }
}

/// What a publisher and a consumer have in common.
struct ClientLife: Sendable {
    let board: StateBoard
    var connection: InMemoryBroker.ConnectionID?
    /// Connections so far.
    var connections: UInt64 = 0
    var isRunning = false
    var isEnding = false
    var isOver = false
    /// An attempt to connect has been made since the start.
    var hasTried = false
    /// The last attempt did not fail, or something has changed since.
    var mayTry = true
    var end: CheckedContinuation<Void, Never>?

    var wantsConnection: Bool { isRunning && !isEnding && connection == nil }

    init(board: StateBoard) {
        self.board = board
    }

    /// Connects and declares.
    mutating func connect(
        _ broker: inout InMemoryBroker,
        _ topology: BrokerTopology,
        _ effects: inout [NetworkState.Effect],
        _ more: (inout InMemoryBroker, InMemoryBroker.ConnectionID) throws(AMQPError) -> Void
    ) -> Bool {
        show(.connecting, &effects)
        hasTried = true
        do throws(AMQPError) {
            let id = try broker.connect()
            do throws(AMQPError) {
                try broker.declare(topology, on: id)
                try more(&broker, id)
            } catch {
                // The broker has closed it; its last word is not needed any more.
                _ = broker.takeFrames(of: id)
                throw error
            }
            connection = id
            connections += 1
            show(broker.blockedReason.map { .blocked(reason: $0) } ?? .ready, &effects)
            return true
        } catch {
            mayTry = false
            show(.closed(cause: error.description), &effects, failure: error)
            return false
        }
    }

    mutating func lost(_ error: AMQPError, _ effects: inout [NetworkState.Effect]) {
        connection = nil
        if !isEnding { show(.closed(cause: error.description), &effects, failure: error) }
    }

    /// The state is there at once; its observers are told outside of the network's lock.
    func show(_ state: ConnectionState, _ effects: inout [NetworkState.Effect], failure: AMQPError? = nil) {
        board.record(state, failure: failure)
        effects.append { [board] in board.tell() }
    }

    /// The client has ended; `run` returns.
    mutating func finish(_ effects: inout [NetworkState.Effect]) {
        guard !isOver else { return }
        isOver = true
        isRunning = false
        connection = nil
        let (board, end) = (board, end)
        self.end = nil
        effects.append {
            board.finish(.closed(cause: "the connection was closed by this service"))
            end?.resume()
        }
    }
}
