import AMQP
import Database
import Events
import Foundation
import Synchronization
import Telemetry
import Testing

@testable import Messaging

/// An event for tests.
struct Happened: Event, Equatable {
    static let type: EventType = "dev.warren.test.happened"
    var subject: String
    var number: Int
}

/// Another one, that nobody handles.
struct Unheard: Event {
    static let type: EventType = "dev.warren.test.unheard"
    var subject: String
}

/// The messages that were acknowledged, by their tags' numbers.
final class Acknowledgements: Sendable {
    private let numbers = Mutex<[UInt64]>([])

    func withLock<Result: Sendable>(_ body: (inout [UInt64]) -> Result) -> Result {
        numbers.withLock { numbers in body(&numbers) }
    }
}

/// A service's messaging without a broker: messages are handed in, acknowledgements are collected.
final class Bench: Sendable {
    let database: Database
    let sink = FakeSink()
    let desk: PublishingDesk
    let stalled: StalledTypes
    let subscriber = Subscriber()
    let onScheduled = Signal()
    let counters = CounterBox()
    let table: DeliveryTable
    let forwarderTable = DeliveryTable(
        subscriber: DeliveryTable.forwarder,
        ordering: .perSubject,
        afterDeadLetter: .hold
    )
    let events: EventStore
    let inbox: Inbox
    let scheduler: RetryScheduler
    let forwarder: Forwarder
    let deadLetters: DeadLetters
    let operations: DeadLetterOperations
    let operationRunner: OperationRunner
    let acknowledged = Acknowledgements()
    let isolation: SuspectIsolation
    let clock: AttemptClock
    private let path: String
    private let tags = Atomic<UInt64>(1)

    init(
        at path: String,
        policy: RetryPolicy = RetryPolicy(attempts: 3, base: .zero, factor: 1, cap: .zero),
        deferralLimit: Duration = .seconds(3600),
        ordering: Subscriber.Ordering = .perSubject,
        afterDeadLetter: Subscriber.AfterDeadLetter = .hold,
        patience: Duration = .seconds(120),
        confirmTimeout: Duration = .seconds(30),
        logger: Logger = .silent
    ) async throws {
        self.path = path
        let stalled = StalledTypes(timeout: confirmTimeout, pause: 20, counters: counters, logger: logger)
        let desk = PublishingDesk(
            sink,
            subscribedTypes: [Happened.type],
            declares: true,
            stalled: stalled,
            logger: logger
        )
        (self.stalled, self.desk) = (stalled, desk)
        let isolation = SuspectIsolation(patience: patience)
        self.isolation = isolation
        let clock = AttemptClock(limit: .seconds(300), logger: logger)
        self.clock = clock
        let database = try await Database.open(
            "sqlite:\(path)",
            migrations: [
                MessagingRuntime.migrations,
                MigrationSet("test", [.init("effects", "CREATE TABLE effects (number INTEGER NOT NULL)")]),
            ],
            logger: .silent
        )
        let table = DeliveryTable(
            subscriber: "tested",
            ordering: ordering,
            afterDeadLetter: afterDeadLetter,
            timeoutSource: TimeoutDesk.source(of: "/tested")
        )
        let (counters, onScheduled, subscriber) = (counters, onScheduled, subscriber)
        let acknowledged = acknowledged
        let forwarder = Forwarder(
            database: database,
            desk: desk,
            table: forwarderTable,
            policy: policy,
            window: 16,
            subscribedTypes: [Happened.type],
            counters: counters,
            logger: logger,
            onScheduled: onScheduled
        )
        let events = EventStore(
            database: database,
            source: "/tested",
            limits: .standard,
            timeouts: TimeoutDesk(table: table, onScheduled: onScheduled)
        ) { forwarder.committed($0) }
        func failures(_ deferralLimit: Duration?) -> FailureRecord {
            FailureRecord(policy: policy, deferralLimit: deferralLimit, counters: counters, logger: logger)
        }
        func retryAttempt(deferralLimit: Duration?) -> RetryAttempt {
            RetryAttempt(
                database: database,
                events: events,
                failures: failures(deferralLimit),
                limits: .standard,
                clock: clock
            )
        }
        let (handling, publishing) = (retryAttempt(deferralLimit: deferralLimit), retryAttempt(deferralLimit: nil))
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
            logger: logger
        )
        (self.deadLetters, self.operations, self.operationRunner) = (deadLetters, operations, operationRunner)
        self.scheduler = RetryScheduler(
            tables: [table, forwarderTable],
            database: database,
            logger: logger,
            wake: onScheduled,
            operations: operationRunner,
            isolation: isolation
        ) { due, table, place in
            guard table.subscriber == DeliveryTable.forwarder else {
                return await handling.run(due, of: table, .handle(subscriber), in: place)
            }
            let publish = RetryAttempt.Work.publish { envelope, body in
                try await desk.publishOrDefer(envelope, body)
            }
            return await publishing.run(due, of: table, publish, in: place)
        }
        self.inbox = Inbox(
            table: table,
            database: database,
            events: events,
            subscriber: subscriber,
            failures: failures(deferralLimit),
            limits: .standard,
            clock: clock,
            onScheduled: onScheduled,
            isolation: isolation,
            acknowledge: { tags in acknowledged.withLock { $0 += tags.map(\.number) } }
        )
        self.database = database
        self.table = table
        self.events = events
        self.forwarder = forwarder
    }

    /// The forwarder of the next process.
    func anotherForwarder(budget: ByteBudget = .atWork) -> Forwarder {
        Forwarder(
            database: database,
            desk: desk,
            table: forwarderTable,
            policy: .standard,
            window: 16,
            budget: budget,
            subscribedTypes: [Happened.type],
            counters: counters,
            logger: .silent,
            onScheduled: onScheduled
        )
    }

    /// Makes a message of an event, or of other bytes, as the broker would deliver it.
    func message(
        _ event: Happened,
        id: String = UUIDv7.make(),
        source: String = "/elsewhere",
        sequence: UInt64? = nil,
        redelivered: Bool = false,
        isRepeat: Bool = false
    ) throws -> IncomingMessage {
        let envelope = Envelope(
            id: id,
            source: source,
            type: Happened.type,
            subject: event.subject,
            time: Timestamp.now().description,
            sequence: sequence,
            correlationID: "flow",
            data: try event.encodedData()
        )
        let publication = Publication(envelope, body: envelope.encoded(), isRepeat: isRepeat)
        return message(publication.message, redelivered: redelivered)
    }

    func message(_ message: Message, redelivered: Bool = false, isOversized: Bool = false) -> IncomingMessage {
        IncomingMessage(
            tag: .init(connection: 1, number: tags.wrappingAdd(1, ordering: .relaxed).newValue),
            redelivered: redelivered,
            exchange: Topology.exchange,
            routingKey: message.properties.type ?? "",
            message: message,
            isOversized: isOversized
        )
    }

    /// So many processes have ended while the rows that wait were at work.
    func suspect(_ level: Int) async throws {
        try await database.write { transaction in
            _ = try transaction.execute("UPDATE warren_deliveries SET suspect = $1 WHERE status <> 'processed'", level)
        }
    }

    /// What a row says beside its life.
    func column<Value: DatabaseConvertible & Sendable>(
        _ name: String,
        of type: Value.Type = Value.self
    ) async throws -> [Value] {
        try await database.read { transaction in
            try transaction.query("SELECT \(name) FROM warren_deliveries ORDER BY id").map { try $0[0] }
        }
    }

    /// Lets an attempt's deadline go by.
    func letDeadlinePass() {
        for _ in 0...AttemptClock.ticks { clock.beat([isolation.lanes]) }
    }

    /// Hands in a burst and waits until every message of it is where it belongs.
    func receive(_ messages: IncomingMessage...) async {
        await inbox.receive(messages)
        await inbox.drained()
    }

    /// Runs the scheduler until the table is as the test waits for it.
    func settle(until condition: @escaping @Sendable ([Life]) async throws -> Bool) async throws {
        let running = Task { await scheduler.run() }
        defer { running.cancel() }
        try await eventually { try await condition(try await self.lives()) }
        running.cancel()
        await running.value
        await scheduler.drained()
    }

    struct Life: Sendable, Equatable {
        var subscriber: String
        var status: String
        var attempts: Int
        var generation: Int
        var hasBody: Bool
        var subject: String
    }

    func lives() async throws -> [Life] {
        try await database.read { transaction in
            try transaction.query("SELECT * FROM warren_deliveries ORDER BY id").map { row in
                let body: [UInt8]? = try row["body"]
                return Life(
                    subscriber: try row["subscriber"],
                    status: try row["status"],
                    attempts: try row["attempts"],
                    generation: try row["generation"],
                    hasBody: body != nil,
                    subject: try row["subject"]
                )
            }
        }
    }

    func effects() async throws -> [Int] {
        try await database.read { transaction in
            try transaction.query("SELECT number FROM effects ORDER BY rowid").map { try $0[0] }
        }
    }

    /// A handler that records the event's number as its effect, and refuses one number for good.
    func recordEffects(refusing refused: Int? = nil) {
        subscriber.on(Happened.self) { event, delivery in
            if event.number == refused { throw HandlerError.permanent("test.broken", "no") }
            try await delivery.commit { transaction in
                try transaction.execute("INSERT INTO effects (number) VALUES ($1)", event.number)
            }
        }
    }
}

/// Lends a bench in a folder of its own.
@discardableResult func withBench<Result>(
    policy: RetryPolicy = RetryPolicy(attempts: 3, base: .zero, factor: 1, cap: .zero),
    deferralLimit: Duration = .seconds(3600),
    ordering: Subscriber.Ordering = .perSubject,
    afterDeadLetter: Subscriber.AfterDeadLetter = .hold,
    patience: Duration = .seconds(120),
    confirmTimeout: Duration = .seconds(30),
    logger: Logger = .silent,
    _ body: (Bench) async throws -> Result
) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("warren-\(UUIDv7.make())")
    defer { try? FileManager.default.removeItem(at: folder) }
    let bench = try await Bench(
        at: folder.appendingPathComponent("test.db").path,
        policy: policy,
        deferralLimit: deferralLimit,
        ordering: ordering,
        afterDeadLetter: afterDeadLetter,
        patience: patience,
        confirmTimeout: confirmTimeout,
        logger: logger
    )
    do {
        let result = try await body(bench)
        await bench.database.close()
        return result
    } catch {
        await bench.database.close()
        throw error
    }
}

struct NeverHappened: Error {}

/// Asks until the answer is yes; a minute at most, since the machine may be busy.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(60)
    let pause = Signal()
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        await pause.wait(until: .now + .milliseconds(2))
    }
    throw NeverHappened()
}
