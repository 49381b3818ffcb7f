public import AMQP

/// A publisher of an in-memory network, with the interface and the promises of `Publisher`.
public final class InMemoryPublisher: Sendable {
    /// Names it in the network's steps and faults.
    public let id: InMemoryNetwork.ClientID
    private let network: InMemoryNetwork
    private let index: Int
    private let board: StateBoard

    init(_ network: InMemoryNetwork, _ index: Int, _ board: StateBoard) {
        self.network = network
        self.index = index
        self.board = board
        id = .publisher(index)
    }

    /// Connects, declares, reconnects for ever; returns after cancellation, when what was sent has its outcome.
    ///
    /// To be called once.
    public func run() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                network.change { [index] state in state.publishers[index].start(continuation, &state.effects) }
            }
        } onCancel: {
            network.change { [index] state in state.publishers[index].end(&state.broker, &state.effects) }
        }
    }

    /// The state now.
    public var state: ConnectionState { board.current }

    /// The state now and each later one; ends with `run`.
    public var states: AsyncStream<ConnectionState> { board.states }

    /// Why there is no connection, or was none last; nil once one is ready.
    public var lastFailure: AMQPError? { board.lastFailure }

    /// What was counted since the publisher was made.
    public var statistics: Statistics { network.look { [index] in $0.publishers[index].currentStatistics } }

    /// Declares the topology again, over a connection of its own.
    ///
    /// - Throws: as `Publisher.declareTopology`.
    public func declareTopology() async throws {
        let error: AMQPError? = network.change { [index] state in
            do throws(AMQPError) {
                let id = try state.broker.connect()
                try state.broker.declare(state.publishers[index].topology, on: id)
                state.broker.disconnect(id)
                return nil
            } catch {
                return error
            }
        }
        if let error { throw error }
    }

    /// Publishes one message and returns when the broker confirmed it.
    ///
    /// - Throws: as `Publisher.publish`.
    public func publish(_ publication: Publication) async throws {
        try publication.validate()
        let ticket = PublishTicket()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard ticket.wait(continuation) else { return }
                hand([PublisherCore.Outgoing(publication: publication, receiver: .ticket(ticket))])
            }
        } onCancel: {
            ticket.cancel()
            network.change { [index] state in state.publishers[index].forgetCancelled() }
        }
    }

    /// Hands over a burst without waiting.
    ///
    /// `outcome` is called once per message, in the order in which outcomes become known, on the thread of whoever made the
    /// network do what it did.
    public func submit(
        _ burst: [Publication],
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    ) {
        hand(
            burst.enumerated().map { index, publication in
                PublisherCore.Outgoing(publication: publication, receiver: .burst(index: index, outcome: outcome))
            }
        )
    }

    private func hand(_ burst: [PublisherCore.Outgoing]) {
        network.change { [index] state in
            for outgoing in burst { state.publishers[index].accept(outgoing, &state.effects) }
            state.publishers[index].send(&state.broker)
        }
    }
}
