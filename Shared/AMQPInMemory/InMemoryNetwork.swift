public import AMQP
import Synchronization

/// An in-memory broker with the clients that use it; its publishers and consumers stand in for `Publisher` and `Consumer`.
///
/// It has no thread and no clock. Driven `automatic`ally, whatever can happen happens inside the call that caused it, on the
/// caller's thread. Driven `stepwise`, nothing happens but what `perform` is told: connecting, each hop of each request and frame,
/// the disk. All methods may be called from any thread.
public final class InMemoryNetwork: Sendable {
    /// Who decides what happens next.
    public enum Driving: Sendable {
        /// Everything that can happen does so at once, in a fixed order.
        case automatic
        /// `perform` is called for each step.
        case stepwise
    }

    /// A publisher or a consumer of this network.
    public enum ClientID: Hashable, Sendable {
        /// The publisher that was made as that one, from 0.
        case publisher(Int)
        /// The consumer that was made as that one, from 0.
        case consumer(Int)
    }

    /// One thing that can happen next.
    public enum Step: Hashable, Sendable {
        /// The client connects, declares its topology and, where it is a consumer, consumes.
        case connect(ClientID)
        /// The broker does something.
        case broker(InMemoryBroker.Step)
        /// The client hears all that the broker has said to it.
        case hear(ClientID)
    }

    let driving: Driving
    private let state: Mutex<NetworkState>
    private let callbacks = Callbacks()

    /// Makes a network of one broker, which is up.
    public init(_ driving: Driving = .automatic, _ options: InMemoryBroker.Options = .init(), now: Int64 = 0) {
        self.driving = driving
        state = Mutex(NetworkState(broker: InMemoryBroker(options, now: now)))
    }

    /// Makes a publisher that does nothing before `run`.
    ///
    /// - Parameters:
    ///   - topology: declared at each connection before anything is published.
    ///   - window: how many messages may wait for their confirm at once.
    public func makePublisher(topology: BrokerTopology = .init(), window: Int = 1_000) -> InMemoryPublisher {
        let board = StateBoard()
        let index = state.withLock { state in
            state.publishers.append(PublisherCore(topology: topology, window: max(1, window), board: board))
            return state.publishers.count - 1
        }
        return InMemoryPublisher(self, index, board)
    }

    /// Makes a consumer that does nothing before `run`.
    ///
    /// - Parameters:
    ///   - prefetch: how many deliveries may be unacknowledged.
    ///   - topology: declared at each connection before anything is consumed.
    ///   - arguments: of the consumer, `x-priority` for example.
    public func makeConsumer(
        queue: String,
        prefetch: Int = 256,
        topology: BrokerTopology = .init(),
        arguments: FieldTable = [:]
    ) -> InMemoryConsumer {
        let board = StateBoard()
        let mailbox = BurstMailbox()
        let index = state.withLock { state in
            state.consumers.append(
                ConsumerCore(
                    queue: queue,
                    prefetch: min(max(prefetch, 1), 65_535),
                    topology: topology,
                    arguments: arguments,
                    board: board,
                    mailbox: mailbox
                )
            )
            return state.consumers.count - 1
        }
        return InMemoryConsumer(self, index, board, mailbox)
    }

    /// What can happen next, in a fixed order; empty when nothing happens before somebody does something.
    public var possibleSteps: [Step] { state.withLock { $0.possibleSteps } }

    /// Has it happen; nothing happens if it is not possible.
    public func perform(_ step: Step) {
        change { $0.perform(step) }
    }

    /// Has everything happen that can, whatever the driving.
    public func settle() {
        change { $0.settle() }
    }

    /// Looks at the broker or does something to it: cuts, kills, blocks, moves its clock, deletes a queue.
    public func withBroker<Result: Sendable>(_ body: (inout InMemoryBroker) throws -> Result) rethrows -> Result {
        try change { state in
            state.allowAttempts()
            return try body(&state.broker)
        }
    }

    /// Cuts the connection of a client.
    ///
    /// - Parameter unheard: whether what the broker has said and the client not heard is lost too, as it usually is.
    public func cut(_ client: ClientID, unheard: Bool = true) {
        change { state in
            if !unheard { state.hear(client) }
            state.allowAttempts()
            if let connection = state.connection(of: client) { state.broker.cut(connection) }
        }
    }

    /// Changes the state, has happen what follows from it, and then tells outcomes, outside of the lock and in their order.
    func change<Result: Sendable>(_ body: (inout NetworkState) throws -> Result) rethrows -> Result {
        defer { callbacks.call() }
        return try state.withLock { state in
            defer {
                if driving == .automatic { state.settle() }
                for effect in state.effects { callbacks.add(effect) }
                state.effects = []
            }
            return try body(&state)
        }
    }

    func look<Result: Sendable>(_ body: (NetworkState) -> Result) -> Result {
        state.withLock { body($0) }
    }
}
