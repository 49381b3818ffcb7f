internal import AMQP
public import Database
internal import Events
public import Telemetry

/// The messaging of one service: event store, forwarder, inbox, retries, dead letters.
///
/// Register the handlers with `subscriber`, then call `run` once.
public final class MessagingRuntime: Sendable {
    /// The kit's tables; goes to `Database.open` before the domain's sets.
    public static let migrations = MigrationSet.messaging

    /// The names of all checks that `problems` can report.
    public static let checks = ["broker.publisher", "broker.consumer", "broker.dead-letters", "broker.confirms"]

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

    private let database: Database
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
    private let feeds = FeedRoster()
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
        self.init(
            configuration,
            database: database,
            publisher: Publisher(
                try connection("publisher"),
                topology: topology,
                // The forwarder and the scheduler bound what is under way. What the broker never confirms must not use it up.
                window: .max,
                logger: logger.labelled("messaging.publisher")
            ),
            consumer: Consumer(
                try connection("consumer"),
                queue: configuration.service,
                prefetch: configuration.prefetch,
                topology: topology,
                logger: logger.labelled("messaging.consumer")
            ),
            brokerDeadLetterConsumer: Consumer(
                try connection("dead-letters"),
                queue: Topology.deadLetterQueue(of: configuration.service),
                prefetch: 16,
                topology: topology,
                logger: logger.labelled("messaging.dead-letters")
            ),
            logger: logger
        )
    }

    /// Makes the messaging of a service over these connections to a broker.
    init(
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
        let subscribedTypes = configuration.topology.subscribedTypes
        let table = DeliveryTable(
            subscriber: configuration.service,
            ordering: configuration.ordering,
            afterDeadLetter: configuration.afterDeadLetter
        )
        let forwarderTable = DeliveryTable(
            subscriber: DeliveryTable.forwarder,
            ordering: .perSubject,
            afterDeadLetter: .hold
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
            logger: logger.labelled("messaging.local"),
            onCommit: { forwarder.committed($0) }
        )
        let subscriber = Subscriber()
        func retryAttempt(_ policy: RetryPolicy, deferralLimit: Duration?) -> RetryAttempt {
            RetryAttempt(
                database: database,
                events: events,
                policy: policy,
                deferralLimit: deferralLimit,
                limits: configuration.eventLimits,
                counters: counters,
                logger: logger.labelled("messaging.retries")
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
        ) { due, dueTable in
            if dueTable.subscriber == DeliveryTable.forwarder {
                let publish = RetryAttempt.Work.publish { envelope, body in
                    try await desk.publishOrDefer(envelope, body)
                }
                await publishing.run(due, of: dueTable, publish)
            } else {
                await handling.run(due, of: dueTable, .handle(subscriber))
            }
        }
        self.inbox = Inbox(
            table: table,
            database: database,
            events: events,
            subscriber: subscriber,
            policy: configuration.retryPolicy,
            deferralLimit: configuration.deferralLimit,
            limits: configuration.eventLimits,
            counters: counters,
            logger: logger.labelled("messaging.inbox"),
            onScheduled: onScheduled,
            isolation: isolation,
            acknowledge: { consumer.ack($0) }
        )
        self.brokerDeadLetters = BrokerDeadLetters(
            table: table,
            database: database,
            limits: configuration.eventLimits,
            counters: counters,
            logger: logger.labelled("messaging.dead-letters")
        )
        self.deadLetters = deadLetters
        self.operations = operations
        self.operationRunner = operationRunner
        self.eventLog = EventLog(database: database, bell: events.bell)
        self.retention = Retention(
            database: database,
            events: configuration.eventRetention,
            deliveries: configuration.deliveryRetention,
            logger: logger.labelled("messaging.retention")
        )
        self.events = events
        self.subscriber = subscriber
        self.forwarder = forwarder
        self.publisher = desk
        self.consumer = consumer
        self.brokerDeadLetterConsumer = brokerDeadLetterConsumer
        self.counterBox = counters
        self.database = database
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
        let forwarding = Task { await forwarder.run() }
        let scheduling = Task { await scheduler.run() }
        let handover = Task {
            guard await feeds.handOver(after: { await consumer.untilReady() }) else { return false }
            await consumer.untilReady()
            await brokerDeadLetters.untilDrained()
            return !Task.isCancelled
        }
        let following = Task { await feeds.run() }
        let retaining = Task { await retention.run() }
        let operating = Task { await operationRunner.run() }
        let receiving = Task {
            guard await handover.value else { return }
            for await burst in consumer.bursts {
                await inbox.receive(burst)
            }
        }
        let draining = Task { await brokerDeadLetters.drain(brokerDeadLetterConsumer) }
        let cancelled = Signal()
        while !Task.isCancelled { await cancelled.wait() }

        let isOrderly = await finishes(within: grace) { [self] in
            consumer.stopConsuming()
            brokerDeadLetterConsumer.stopConsuming()
            for background in [following, retaining, operating] { background.cancel() }
            handover.cancel()
            await following.value
            await retaining.value
            await operating.value
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
            inbox.cancel()
            scheduler.cancel()
            forwarding.cancel()
            receiving.cancel()
            draining.cancel()
        }
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
    public func feed(_ name: String, over transport: any FeedTransport, startAfter: Int64 = 0) -> EventFeed {
        EventFeed(
            name,
            over: transport,
            startAfter: startAfter,
            database: database,
            inbox: inbox,
            subscriber: subscriber,
            logger: logger.labelled("messaging.feed")
        )
    }

    /// Follows a feed while the runtime runs, in place of a queue that is bound to its types.
    ///
    /// Beside such a queue each event would still be done once, but not in the order of its subject: the two do not wait
    /// for one another.
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

    /// What is wrong now, one entry per connection and feed; empty when all is well.
    public func problems() -> [(check: String, problem: String)] {
        let states = [publisher.state, consumer.state, brokerDeadLetterConsumer.state]
        let publishing = [
            publisher.problem.map { (check: "broker.publisher", problem: $0) },
            publisher.stalled.problem.map { (check: "broker.confirms", problem: $0) },
        ]
        return feeds.problems + publishing.compactMap(\.self)
            + zip(MessagingRuntime.checks, states).compactMap { check, state in
                switch state {
                case .ready: nil
                case .connecting: (check, "connecting to the broker")
                case .blocked(let reason): (check, "the broker takes no publishes: \(reason)")
                case .closed(let cause): (check, cause)
                }
            }
    }

    /// What waits.
    ///
    /// - Throws: `DatabaseError`.
    public func backlog() async throws -> Backlog {
        let now = WallClock.milliseconds()
        @Sendable func age(_ since: Int64?) -> Double? { since.map { Double(max(0, now - $0)) / 1000 } }
        return try await database.read { transaction in
            let waiting = try transaction.first(
                """
                SELECT COUNT(*), MIN(time) FROM warren_events
                WHERE position > COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0)
                """
            )
            let scheduled = try transaction.first(
                "SELECT COUNT(*), MIN(received_at) FROM warren_deliveries WHERE status = 'scheduled' AND status <> 'processed'"
            )
            func count(_ state: DeliveryState) throws -> Int {
                try transaction.first(
                    "SELECT COUNT(*) FROM warren_deliveries WHERE status = $1 AND status <> 'processed'",
                    state.rawValue
                )?[0] ?? 0
            }
            let oldestEvent: Int64? = try waiting?[1]
            let oldestScheduled: Int64? = try scheduled?[1]
            return Backlog(
                unforwarded: try waiting?[0] ?? 0,
                oldestUnforwardedAge: age(oldestEvent),
                scheduled: try scheduled?[0] ?? 0,
                oldestScheduledAge: age(oldestScheduled),
                held: try count(.held),
                dead: try DeadLetters.keptCount(DeadLetterFilter(), in: transaction) ?? 0
            )
        }
    }

    /// What happened since start, for metrics.
    public var counters: MessagingCounters { counterBox.value }
}
