public import AMQP

/// A consumer of an in-memory network, with the interface and the promises of `Consumer`.
public final class InMemoryConsumer: Sendable {
    /// Names it in the network's steps and faults.
    public let id: InMemoryNetwork.ClientID
    private let network: InMemoryNetwork
    private let index: Int
    private let board: StateBoard
    private let mailbox: BurstMailbox

    init(_ network: InMemoryNetwork, _ index: Int, _ board: StateBoard, _ mailbox: BurstMailbox) {
        self.network = network
        self.index = index
        self.board = board
        self.mailbox = mailbox
        id = .consumer(index)
    }

    /// Connects, declares, consumes, reconnects for ever; returns after cancellation, when acks that were given have reached
    /// the broker.
    ///
    /// To be called once.
    public func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                network.change { [index] state in state.consumers[index].start(continuation, &state.effects) }
            }
        } onCancel: {
            network.change { [index] state in state.consumers[index].end(&state.broker, &state.effects) }
        }
    }

    /// The state now.
    public var state: ConnectionState { board.current }

    /// The state now and each later one; ends with `run`.
    public var states: AsyncStream<ConnectionState> { board.states }

    /// Why there is no connection, or was none last; nil once one is ready.
    public var lastFailure: AMQPError? { board.lastFailure }

    /// What was counted since the consumer was made.
    public var statistics: Statistics { network.look { [index] in $0.consumers[index].statistics } }

    /// Stops the broker from sending more, without closing; ends `bursts` after what is here.
    public func stopConsuming() {
        network.change { [index] state in state.consumers[index].stop(&state.broker, &state.effects) }
    }

    /// Deliveries in the order of arrival, in bursts; for one iterator.
    ///
    /// What was not taken when a connection is lost is dropped: the broker delivers it again.
    public var bursts: AsyncStream<[IncomingMessage]> { mailbox.bursts }

    /// Acknowledges; a tag of an earlier connection is dropped and counted.
    public func ack(_ tag: IncomingMessage.Tag) {
        ack([tag])
    }

    /// Acknowledges a burst in one step.
    public func ack(_ tags: [IncomingMessage.Tag]) {
        network.change { [index] state in
            state.consumers[index].settle(tags, &state.broker) { .ack($0, multiple: false) }
        }
    }

    /// Gives a message back to its queue, or to the queue's dead-letter exchange where `requeue` is false.
    public func reject(_ tag: IncomingMessage.Tag, requeue: Bool) {
        network.change { [index] state in
            state.consumers[index].settle([tag], &state.broker) { .reject($0, requeue: requeue) }
        }
    }
}
