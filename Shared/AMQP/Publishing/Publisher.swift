public import Telemetry

/// Publishes with confirms over a connection of its own.
///
/// `publish` and `submit` may be called from any thread and at any time. Nothing of it blocks the caller or Swift's
/// cooperative pool: the connection lives on a thread of its own.
public final class Publisher: Sendable {
    private let link: Link<PublishingRole>
    private let counts: Counts

    /// Makes a publisher that does nothing before `run`.
    ///
    /// - Parameters:
    ///   - topology: declared at each connection before anything is published.
    ///   - window: how many messages may wait for their confirm at once.
    public init(
        _ configuration: ConnectionConfiguration,
        topology: BrokerTopology = BrokerTopology(),
        window: Int = 1000,
        logger: Logger
    ) {
        let counts = Counts()
        self.counts = counts
        link = Link(
            configuration,
            topology: topology,
            threadName: "amqp-publisher",
            counts: counts,
            logger: logger.with(LogField("messaging.connection", configuration.name))
        ) {
            PublishingRole(window: window, counts: counts)
        }
    }

    /// Connects, declares, reconnects for ever; returns after cancellation, when the connection is closed.
    ///
    /// It waits for the confirms of what has been sent, within `ConnectionConfiguration.closingTimeout`. To be called
    /// once.
    public func run() async {
        await link.run()
    }

    /// The state now.
    public var state: ConnectionState { link.board.current }

    /// The state now and each later one.
    ///
    /// Any number of observers; a slow one keeps the newest 256. Ends with `run`.
    public var states: AsyncStream<ConnectionState> { link.board.states }

    /// Why there is no connection, or was none last; nil once one is ready.
    ///
    /// It stays while the next attempt is under way.
    public var lastFailure: AMQPError? { link.board.lastFailure }

    /// What was counted since the publisher was made.
    public var statistics: Statistics {
        var statistics = counts.current
        statistics.hungCalls = link.callGuard.hungCalls
        return statistics
    }

    /// Declares the topology again, over a connection of its own: what is under way here goes on.
    ///
    /// For whoever sees by a returned message that something of it is gone.
    ///
    /// - Throws: `AMQPError`.
    public func declareTopology() async throws {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
            let isStarted = LinkThread.start(named: "amqp-declarer") { [link] in
                continuation.resume(with: Result { try link.declareApart() })
            }
            guard !isStarted else { return }
            continuation.resume(throwing: AMQPError(code: .connectionFailed, reason: "the system gives no thread"))
        }
    }

    /// Publishes one message and returns when the broker confirmed it.
    ///
    /// Waits while the window is full, or there is no connection, or it is blocked; cancelling the task stops the wait.
    ///
    /// - Throws: `AMQPError`, which says by `mayHaveArrived` whether the message may be in a queue nevertheless;
    ///   `CancellationError` if the task was cancelled before the message was sent, and `AMQPError` with code `.cancelled`
    ///   if it was cancelled after that.
    public func publish(_ publication: Publication) async throws {
        try publication.validate()
        let ticket = PublishTicket()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                guard ticket.wait(continuation) else { return }
                if !link.send(.single(publication, ticket)) {
                    ticket.finish(AMQPError(code: .closed, reason: "the publisher has ended"))
                }
            }
        } onCancel: {
            ticket.cancel()
            _ = link.commands.append(.forgetCancelled)
        }
    }

    /// Hands over a burst without waiting.
    ///
    /// The messages are sent in their order as the window allows. `outcome` is called once per message, from the client's own
    /// thread (for a message that is invalid it may be the thread of another caller of `publish`), in the order in which
    /// outcomes become known; it must not block. Messages that cannot be sent because there is
    /// no connection are reported as `.closed` (never sent), those in flight at its loss as `.connectionLost`. Before `run`
    /// the burst waits for it; after the end of `run`, `outcome` is called before `submit` returns.
    public func submit(
        _ burst: [Publication],
        outcome: @escaping @Sendable (_ index: Int, _ error: AMQPError?) -> Void
    ) {
        guard !link.commands.append(.burst(burst, outcome: outcome)) else { return }
        for index in burst.indices {
            outcome(index, AMQPError(code: .closed, reason: "the publisher has ended"))
        }
    }
}
