import Synchronization
public import Telemetry

/// Consumes one queue over a connection of its own, with manual acks.
///
/// All of its methods may be called from any thread and at any time, and none of them blocks.
public final class Consumer: Sendable {
    private let link: Link<ConsumingRole>
    private let queue: String
    private let counts: Counts
    private let mailbox = BurstMailbox()

    /// Makes a consumer that does nothing before `run`.
    ///
    /// - Parameters:
    ///   - prefetch: how many deliveries may be unacknowledged, 1 to 65,535.
    ///   - topology: declared at each connection before anything is consumed.
    ///   - arguments: of the consumer, `x-priority` for example.
    public init(
        _ configuration: ConnectionConfiguration,
        queue: String,
        prefetch: Int = 256,
        topology: BrokerTopology = BrokerTopology(),
        arguments: FieldTable = [:],
        logger: Logger
    ) {
        let counts = Counts()
        self.counts = counts
        self.queue = queue
        link = Link(
            configuration,
            topology: topology,
            threadName: "amqp-consumer",
            counts: counts,
            logger: logger.with(
                LogField("messaging.connection", configuration.name),
                LogField("messaging.queue", queue)
            )
        ) { [mailbox] in
            ConsumingRole(
                queue: queue,
                prefetch: min(max(prefetch, 1), 65_535),
                arguments: arguments,
                mailbox: mailbox,
                counts: counts
            )
        }
    }

    /// Connects, declares, consumes, reconnects for ever; returns after cancellation: it stops consuming, lets acks
    /// that were given reach the broker, and closes, within `ConnectionConfiguration.closingTimeout`.
    ///
    /// To be called once.
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

    /// How many messages lay ready in the queue when the present connection declared it, before it consumed: those with a
    /// delivery tag up to this number, unless another consumer takes some of them.
    ///
    /// Known as soon as the state is `ready`; 0 where the topology does not contain the queue.
    public var readyMessages: Int { link.readyMessages.withLock { $0[queue] ?? 0 } }

    /// What was counted since the consumer was made.
    public var statistics: Statistics {
        var statistics = counts.current
        statistics.hungCalls = link.callGuard.hungCalls
        return statistics
    }

    /// Stops the broker from sending more, without closing: deliveries already here can still be acked.
    ///
    /// Ends `bursts` after what is here. For good: a later connection does not consume either.
    public func stopConsuming() {
        if !link.commands.append(.stopConsuming) { mailbox.finish() }
    }

    /// Deliveries in the order of arrival, handed over in bursts: each element is everything that was read from the
    /// socket since the last one was taken.
    ///
    /// One iterator only; at most `prefetch` messages are ever unacked. Ends when consuming was stopped or `run` ended. What
    /// was not taken when a connection is lost is dropped: the broker delivers it again.
    public var bursts: AsyncStream<[IncomingMessage]> { mailbox.bursts }

    /// Acknowledges.
    ///
    /// Coalesced with `multiple` where contiguous. A tag of an earlier connection is dropped and counted.
    public func ack(_ tag: IncomingMessage.Tag) {
        send(.ack(tag), count: 1)
    }

    /// Acknowledges a burst in one step.
    public func ack(_ tags: [IncomingMessage.Tag]) {
        guard !tags.isEmpty else { return }
        send(.acks(tags), count: tags.count)
    }

    /// Gives a message back to its queue, or to the queue's dead-letter exchange where `requeue` is false.
    public func reject(_ tag: IncomingMessage.Tag, requeue: Bool) {
        send(.reject(tag, requeue: requeue), count: 1)
    }

    private func send(_ command: ConsumeCommand, count: Int) {
        // After the end of `run` every tag is one of an earlier connection.
        if !link.send(command) { counts.update { $0.staleAcks += count } }
    }
}
