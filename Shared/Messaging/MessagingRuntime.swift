internal import AMQP
public import Database
public import Events
public import Telemetry

/// The messaging of one service: event store, forwarder, inbox, retries, dead letters.
///
/// Register the handlers with `subscriber`, then call `run` once.
public final class MessagingRuntime: Sendable {
    /// The kit's tables; goes to `Database.open` before the domain's sets.
    public static let migrations = MigrationSet.messaging

    /// The names of all checks that `problems` can report, feeds' own aside.
    public var checks: [String] { connections.map(\.check) + (role.publishes ? ["broker.confirms"] : []) }

    /// The service's own events.
    public let events: EventStore
    /// The service's handlers.
    public let subscriber: Subscriber
    /// The service's dead letters.
    public let deadLetters: DeadLetters
    /// Operations on many of them.
    public let operations: DeadLetterOperations
    /// The service's own events, for reading.
    public let eventLog: EventLog

    let database: Database
    let onScheduled: Signal
    private let role: MessagingRole
    private let logger: Logger
    private let publisher: PublishingDesk
    private let consumer: any ConsumingConnection
    private let brokerDeadLetterConsumer: any ConsumingConnection
    private let brokerDeadLetters: BrokerDeadLetters
    private let forwarder: Forwarder
    private let inbox: Inbox
    private let scheduler: RetryScheduler
    private let operationRunner: OperationRunner
    private let counterBox: CounterBox
    private let attemptClock: AttemptClock
    private let isolation: SuspectIsolation
    private let feeds = FeedRoster()
    private let backlogReader: BacklogReader
    private let resettlement: Resettlement
    private let clockKeeper: ClockKeeper
    let retention: Retention

    /// Makes the messaging of a service; nothing connects before `run`.
    ///
    /// - Throws: `AMQPError` with code `.invalidURL`, credentials redacted.
    public convenience init(_ configuration: MessagingConfiguration, database: Database, logger: Logger) throws {
        let topology = configuration.topology.declarations(
            queueType: configuration.queueType,
            mode: configuration.topologyMode
        )
        func connection(_ role: String) throws -> ConnectionConfiguration {
            let name = "\(configuration.service) \(role)"
            var connection =
                if let source = configuration.brokerURLSource {
                    try ConnectionConfiguration(name: name, urls: source)
                } else {
                    try ConnectionConfiguration(urls: configuration.brokerURLs, name: name)
                }
            // Larger than an event may be, so that what is too large can be kept whole in the dead letters.
            connection.maximumBodySize = 16 << 20
            return connection
        }
        let none = NoConnection()
        let (publishes, consumes) = (configuration.role.publishes, configuration.role.consumes)
        self.init(
            configuration,
            database: database,
            publisher: publishes
                ? Publisher(
                    try connection("publisher"),
                    topology: topology,
                    // The forwarder and the scheduler bound what is under way. What the broker never confirms must not use
                    // it up.
                    window: .max,
                    logger: logger.labelled("messaging.publisher")
                ) : none,
            consumer: consumes
                ? Consumer(
                    try connection("consumer"),
                    queue: configuration.service,
                    prefetch: configuration.prefetch,
                    topology: topology,
                    logger: logger.labelled("messaging.consumer")
                ) : none,
            brokerDeadLetterConsumer: consumes
                ? Consumer(
                    try connection("dead-letters"),
                    queue: Topology.deadLetterQueue(of: configuration.service),
                    prefetch: 16,
                    topology: topology,
                    logger: logger.labelled("messaging.dead-letters")
                ) : none,
            logger: logger
        )
    }

    /// Makes the messaging of a service over these connections to a broker.
    package init(
        _ configuration: MessagingConfiguration,
        database: Database,
        publisher: any PublishingConnection,
        consumer: any ConsumingConnection,
        brokerDeadLetterConsumer: any ConsumingConnection,
        logger: Logger
    ) {
        let counters = CounterBox()
        let onScheduled = Signal()
        let isolation = SuspectIsolation()
        let clock = SteadyClock()
        let subscribedTypes = configuration.topology.subscribedTypes
        let table = DeliveryTable(
            subscriber: configuration.service,
            ordering: configuration.ordering,
            afterDeadLetter: configuration.afterDeadLetter,
            timeoutSource: TimeoutDesk.source(of: configuration.source),
            clock: clock
        )
        let forwarderTable = DeliveryTable(
            subscriber: DeliveryTable.forwarder,
            ordering: .perSubject,
            afterDeadLetter: .hold,
            clock: clock
        )
        let stalled = StalledTypes(
            timeout: configuration.confirmTimeout,
            counters: counters,
            logger: logger.labelled("messaging.publisher")
        )
        let desk = PublishingDesk(
            publisher,
            subscribedTypes: subscribedTypes,
            declares: configuration.topologyMode == .declare,
            stalled: stalled,
            logger: logger.labelled("messaging.publisher")
        )
        let forwarder = Forwarder(
            database: database,
            desk: desk,
            table: forwarderTable,
            policy: configuration.publishRetryPolicy,
            window: configuration.forwarderWindow,
            subscribedTypes: subscribedTypes,
            counters: counters,
            logger: logger.labelled("messaging.forwarder"),
            onScheduled: onScheduled
        )
        let events = EventStore(
            database: database,
            source: configuration.source,
            limits: configuration.eventLimits,
            timeouts: TimeoutDesk(table: table, onScheduled: onScheduled),
            isPublished: configuration.role.publishes,
            logger: logger.labelled("messaging.local"),
            onCommit: { forwarder.committed($0) }
        )
        let subscriber = Subscriber()
        let attemptClock = AttemptClock(
            limit: configuration.attemptTimeout,
            logger: logger.labelled("messaging.attempts")
        )
        func failures(_ label: String, _ policy: RetryPolicy, _ deferralLimit: Duration?) -> FailureRecord {
            FailureRecord(
                policy: policy,
                deferralLimit: deferralLimit,
                counters: counters,
                logger: logger.labelled("messaging.\(label)")
            )
        }
        func retryAttempt(_ policy: RetryPolicy, deferralLimit: Duration?) -> RetryAttempt {
            RetryAttempt(
                database: database,
                events: events,
                failures: failures("retries", policy, deferralLimit),
                limits: configuration.eventLimits,
                clock: attemptClock
            )
        }
        let deadLetters = DeadLetters(
            database: database,
            tables: [table, forwarderTable],
            onScheduled: onScheduled
        )
        let operations = DeadLetterOperations(database: database)
        let operationRunner = OperationRunner(
            database: database,
            transitions: deadLetters.transitions,
            wake: operations.wake,
            onScheduled: onScheduled,
            logger: logger.labelled("messaging.operations")
        )
        let handling = retryAttempt(configuration.retryPolicy, deferralLimit: configuration.deferralLimit)
        // An event waits for its broker as long as it takes.
        let publishing = retryAttempt(configuration.publishRetryPolicy, deferralLimit: nil)
        self.scheduler = RetryScheduler(
            tables: [table, forwarderTable],
            database: database,
            logger: logger.labelled("messaging.retries"),
            wake: onScheduled,
            operations: operationRunner,
            isolation: isolation
        ) { due, dueTable, place in
            if dueTable.subscriber == DeliveryTable.forwarder {
                let publish = RetryAttempt.Work.publish { envelope, body in
                    try await desk.publishOrDefer(envelope, body)
                }
                return await publishing.run(due, of: dueTable, publish, in: place)
            } else {
                return await handling.run(due, of: dueTable, .handle(subscriber), in: place)
            }
        }
        self.inbox = Inbox(
            table: table,
            database: database,
            events: events,
            subscriber: subscriber,
            failures: failures("inbox", configuration.retryPolicy, configuration.deferralLimit),
            limits: configuration.eventLimits,
            clock: attemptClock,
            onScheduled: onScheduled,
            isolation: isolation,
            acknowledge: { consumer.ack($0) }
        )
        self.brokerDeadLetters = BrokerDeadLetters(
            table: table,
            database: database,
            limits: configuration.eventLimits,
            failures: failures("dead-letters", configuration.retryPolicy, configuration.deferralLimit)
        )
        self.attemptClock = attemptClock
        self.isolation = isolation
        self.deadLetters = deadLetters
        self.operations = operations
        self.operationRunner = operationRunner
        self.eventLog = EventLog(database: database, bell: events.bell)
        self.retention = Retention(
            database: database,
            events: configuration.eventRetention,
            deliveries: configuration.deliveryRetention,
            logger: logger.labelled("messaging.retention"),
            clock: clock
        )
        self.clockKeeper = ClockKeeper(
            clock: clock,
            database: database,
            memory: retention.memory,
            logger: logger.labelled("messaging.clock")
        )
        self.events = events
        self.subscriber = subscriber
        self.forwarder = forwarder
        self.publisher = desk
        self.consumer = consumer
        self.brokerDeadLetterConsumer = brokerDeadLetterConsumer
        self.counterBox = counters
        self.backlogReader = BacklogReader(database: database)
        self.resettlement = Resettlement(
            database: database,
            table: table,
            logger: logger.labelled("messaging.settings"),
            onScheduled: onScheduled
        )
        self.database = database
        self.onScheduled = onScheduled
        self.role = configuration.role
        self.logger = logger
    }

    /// Forwards, consumes and retries until cancelled; then stops consuming, finishes what is in flight, acks, flushes
    /// the forwarder and returns, all within `grace`.
    ///
    /// The broker being away is no error: it keeps trying.
    public func run(grace: Duration) async {
        // Unstructured, because cancellation must not reach them before the orderly end does.
        let connections = [
            Task { await publisher.run() },
            Task { await consumer.run() },
            Task { await brokerDeadLetterConsumer.run() },
        ]
        let resuming = Task { await clockKeeper.begin() }
        // What the broker refuses becomes a row, which is due by the clock.
        let forwarding = Task { if await resuming.value, role.publishes { await forwarder.run() } }
        // Nothing is handled before the rows of a former name are this subscriber's.
        let settling = Task {
            guard await resuming.value else { return false }
            return await resettlement.takeOver()
        }
        let timing = Task { if await settling.value { await clockKeeper.run() } }
        let releasing = Task { if await settling.value { await resettlement.release() } }
        let scheduling = Task { if await settling.value { await scheduler.run() } }
        let ticking = Task { [attemptClock, isolation] in await attemptClock.run(over: [isolation.lanes]) }
        let handover = Task {
            guard await settling.value else { return false }
            guard await feeds.handOver(after: { await consumer.untilReady() }), role.consumes else { return false }
            await consumer.untilReady()
            await brokerDeadLetters.untilDrained()
            return !Task.isCancelled
        }
        let following = Task { if await settling.value { await feeds.run() } }
        let retaining = Task { if await settling.value { await retention.run() } }
        let operating = Task { await operationRunner.run() }
        let receiving = Task {
            guard await handover.value else { return }
            for await burst in consumer.bursts {
                await inbox.receive(burst)
            }
        }
        let draining = Task { if await settling.value { await brokerDeadLetters.drain(brokerDeadLetterConsumer) } }
        let cancelled = Signal()
        while !Task.isCancelled { await cancelled.wait() }

        let isOrderly = await finishes(within: grace) { [self] in
            consumer.stopConsuming()
            brokerDeadLetterConsumer.stopConsuming()
            resuming.cancel()
            settling.cancel()
            for background in [following, retaining, operating, releasing, timing] { background.cancel() }
            handover.cancel()
            await following.value
            await retaining.value
            await operating.value
            await releasing.value
            await timing.value
            scheduling.cancel()
            await scheduling.value
            await receiving.value
            await draining.value
            await inbox.drained()
            await scheduler.drained()
            forwarder.finish()
            await forwarding.value
            await events.local.drained()
        }
        if !isOrderly {
            logger.warning("work was still in flight at the end of the grace; it is repeated after the next start")
            // One short write; a database that does not take it leaves suspects.
            _ = await finishes(within: .seconds(2)) { [scheduler] in await scheduler.cancel() }
            inbox.cancel()
            forwarding.cancel()
            receiving.cancel()
            draining.cancel()
        }
        ticking.cancel()
        for connection in connections { connection.cancel() }
        for connection in connections { await connection.value }
        await forwarding.value
    }

    /// Makes a feed of another service's events for this service's handlers; it does nothing until it is followed or
    /// caught up with.
    ///
    /// - Parameters:
    ///   - name: unique in this service; the feed's offset is kept under it.
    ///   - transport: carries its requests.
    ///   - startAfter: where a feed without an offset begins: 0, or the position that a snapshot was taken at.
    ///   - types: what the source is asked for; all that have handlers here when nil.
    public func feed(
        _ name: String,
        over transport: any FeedTransport,
        startAfter: Int64 = 0,
        types: Set<EventType>? = nil
    ) -> EventFeed {
        EventFeed(
            name,
            over: transport,
            startAfter: startAfter,
            types: types,
            database: database,
            inbox: inbox,
            subscriber: subscriber,
            logger: logger.labelled("messaging.feed")
        )
    }

    /// Follows a feed while the runtime runs, in place of a queue that is bound to its types.
    ///
    /// Beside such a queue each event would still be done once, but not in the order of its subject: the two do not wait
    /// for one another. A feed for the types that the queue is not bound to names them (`feed(_:over:startAfter:types:)`).
    ///
    /// Call it before `run`.
    public func follow(_ feed: EventFeed) {
        feeds.follow(feed)
    }

    /// Catches up with a feed once, before the first message of the queue is handled; see `EventFeed`.
    ///
    /// Call it before `run`.
    public func catchUp(with feed: EventFeed) {
        feeds.catchUp(feed)
    }

    /// The feeds that are followed or caught up with, by name.
    public var eventFeeds: [EventFeed] { feeds.feeds }

    /// What is wrong now, one entry per connection and feed; empty when all is well.
    public func problems() -> [(check: String, problem: String)] {
        let publishing = [
            publisher.problem.map { (check: "broker.publisher", problem: $0) },
            publisher.stalled.problem.map { (check: "broker.confirms", problem: $0) },
        ]
        return feeds.problems + (role.publishes ? publishing.compactMap(\.self) : [])
            + connections.compactMap { connection in
                let check = connection.check
                return switch connection.state() {
                case .ready: nil
                case .connecting: (check, "connecting to the broker")
                case .blocked(let reason): (check, "the broker takes no publishes: \(reason)")
                case .closed(let cause): (check, cause)
                }
            }
    }

    /// Those of the checks whose problem is no reason to send this service's clients away: one subscriber's queue confirms nothing,
    /// or the source of a feed that is followed is away.
    public var advisoryChecks: Set<String> { feeds.away.union(["broker.confirms"]) }

    /// How messaging stands now.
    public var state: MessagingState { MessagingState(connections.map { $0.state() }) }

    /// How messaging stands now, and each later state.
    ///
    /// Any number of observers; a slow one keeps the newest 256. Ends with `run`.
    public var states: AsyncStream<MessagingState> { MessagingState.watch(connections) }

    /// The connections that the service has, under the names of their checks.
    private var connections: [MessagingState.Watched] {
        let (publisher, consumer, net) = (publisher, consumer, brokerDeadLetterConsumer)
        let publishing: [MessagingState.Watched] = [
            .init(check: "broker.publisher", state: { publisher.state }, states: { publisher.states })
        ]
        let consuming: [MessagingState.Watched] = [
            .init(check: "broker.consumer", state: { consumer.state }, states: { consumer.states }),
            .init(check: "broker.dead-letters", state: { net.state }, states: { net.states }),
        ]
        return (role.publishes ? publishing : []) + (role.consumes ? consuming : [])
    }

    /// What waits.
    ///
    /// - Throws: `DatabaseError`.
    public func backlog() async throws -> Backlog {
        try await backlogReader.read(now: WallClock.milliseconds())
    }

    /// What happened since start, for metrics.
    public var counters: MessagingCounters { counterBox.value }
}
