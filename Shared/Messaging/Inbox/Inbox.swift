internal import AMQP
internal import Database
internal import Events
import Synchronization
internal import Telemetry

/// Takes messages from the queue and leads each to its place: handled, or in the table.
///
/// The rule is *effect and receipt commit together, the ack follows the commit*. A first delivery that succeeds writes
/// one row, in the handler's own transaction. Whatever cannot be handled now is written with its bytes and acknowledged;
/// from then on the table has it and the queue is free. Deliveries of one subject run one after the other, others beside
/// them; the consumer's prefetch bounds how many are in work.
final class Inbox: Sendable {
    private let table: DeliveryTable
    private let database: Database
    private let events: EventStore
    private let subscriber: Subscriber
    private let policy: RetryPolicy
    private let deferralLimit: Duration
    private let limits: EventLimits
    private let counters: CounterBox
    private let logger: Logger
    /// Raised when the table has something for the scheduler.
    private let onScheduled: Signal
    private let queueAcks: AckBatch
    private let isolation: SuspectIsolation
    private var lanes: Lanes { isolation.lanes }

    /// - Parameter acknowledge: is given the messages that may be acknowledged; it must not block.
    init(
        table: DeliveryTable,
        database: Database,
        events: EventStore,
        subscriber: Subscriber,
        policy: RetryPolicy,
        deferralLimit: Duration,
        limits: EventLimits,
        counters: CounterBox,
        logger: Logger,
        onScheduled: Signal,
        isolation: SuspectIsolation,
        acknowledge: @escaping @Sendable ([IncomingMessage.Tag]) -> Void
    ) {
        self.table = table
        self.database = database
        self.events = events
        self.subscriber = subscriber
        self.policy = policy
        self.deferralLimit = deferralLimit
        self.limits = limits
        self.counters = counters
        self.logger = logger
        self.onScheduled = onScheduled
        self.isolation = isolation
        queueAcks = AckBatch(acknowledge)
    }

    /// What is known of an arrival before its handler runs.
    private enum Standing: Sendable {
        case fresh
        case duplicate
        case blocked
    }

    /// Starts on a burst of messages; each is acknowledged when it is safe.
    ///
    /// Returns when all have begun, so that what arrives meanwhile forms the next burst.
    ///
    /// - Parameter acknowledgements: where they go; to the queue unless given.
    func receive(_ burst: [IncomingMessage], acknowledging acknowledgements: AckBatch? = nil) async {
        let acks = acknowledgements ?? queueAcks
        CrashPoint.reach("inbox.received")
        await isolation.begin()
        defer { isolation.begun() }
        counters.add(burst.count, to: \.received)
        let now = WallClock.milliseconds()
        let arrivals = burst.map { Arrival($0, limits: limits, now: now, for: events.source) }
        let areNew = arrivals.map { table.seen.take($0.record.key) }
        guard let known = await standings(of: arrivals, areNew) else { return }
        for (index, message) in burst.enumerated() {
            let (arrival, isNew, standing) = (arrivals[index], areNew[index], known[index])
            lanes.run(in: line(of: arrival)) { lane in
                let ack = AckBatch.Ticket(tag: message.tag, batch: acks)
                if await self.process(arrival, ack, isNew: isNew, standing, in: lane) { ack.add() }
                acks.flush()
            }
        }
    }

    /// Looks up in one snapshot what the table may have of a burst: nothing of most events, which are new and whose
    /// subjects are clear.
    ///
    /// It only saves work: what decides is asked again in the transaction that writes.
    ///
    /// - Returns: nil for what is to be asked when its turn comes; nothing at all when the service stops first.
    private func standings(of arrivals: [Arrival], _ areNew: [Bool]) async -> [Standing?]? {
        var known = [Standing?](repeating: nil, count: arrivals.count)
        let doubtful = arrivals.indices.filter { !areNew[$0] || !table.isClear(arrivals[$0].record.subjectKey) }
        guard !doubtful.isEmpty else { return known }
        let lines = arrivals.map(line)
        // What shares a line with work that is under way at this moment has to look again when its turn comes.
        var busy = lanes.busy(among: lines)
        var first: [Int] = []
        for (index, line) in lines.enumerated() where busy.insert(line).inserted { first.append(index) }
        let asked = Set(doubtful).intersection(first).sorted()
        guard !asked.isEmpty else { return known }
        let standings = await persistently { try await self.standings(of: asked.map { arrivals[$0] }) }
        guard let standings else { return nil }
        for (index, standing) in zip(asked, standings) { known[index] = standing }
        return known
    }

    /// The line that an arrival stands in: its subject's, or, where order does not matter, that of its copies.
    private func line(of arrival: Arrival) -> LineKey {
        if table.ordering == .perSubject, case .event = arrival.content { return .subject(arrival.record.subjectKey) }
        return .delivery(arrival.record.key)
    }

    private func standings(of arrivals: [Arrival]) async throws -> [Standing] {
        try await database.read(on: .reserved) { [table] transaction in
            try table.seen.complete(arrivals.map(\.record.key), of: table.subscriber, in: transaction)
            return try arrivals.map { arrival -> Standing in
                let standing = try table.standing(of: arrival.record, in: transaction)
                return standing.isHere ? .duplicate : standing.isBlocked ? .blocked : .fresh
            }
        }
    }

    /// Returns when nothing is in work any more.
    func drained() async {
        await lanes.drained()
    }

    /// Cancels the handlers at work; their messages stay with the broker.
    func cancel() {
        lanes.cancel()
    }

    /// Leads one arrival to its place.
    /// - Returns: whether it may be acknowledged now; false also where that has happened with the handler's commit.
    private func process(
        _ arrival: Arrival,
        _ ack: AckBatch.Ticket,
        isNew: Bool,
        _ known: Standing?,
        in lane: Lanes.Lane
    ) async -> Bool {
        var standing = known
        if standing == nil {
            standing =
                if isNew, table.isClear(arrival.record.subjectKey) {
                    .fresh
                } else {
                    await persistently { try await self.standings(of: [arrival])[0] }
                }
        }
        guard let standing else { return false }
        if standing == .duplicate {
            counters.add(to: \.duplicates)
            return true
        }
        guard case .event(let envelope) = arrival.content else {
            if case .unreadable(let fault) = arrival.content { return await bury(arrival, HandlerError(fault)) }
            return false
        }
        guard let handler = subscriber.handler(of: envelope.type) else {
            return await bury(
                arrival,
                .permanent("event.unknown-type", "\(table.subscriber) has no handler for \(envelope.type)")
            )
        }
        if arrival.isSuspect || standing == .blocked || lane.isBlocked {
            return await store(arrival)
        }
        return await handle(arrival, ack, envelope, handler, in: lane)
    }

    private func handle(
        _ arrival: Arrival,
        _ ack: AckBatch.Ticket,
        _ envelope: Envelope,
        _ handler: Subscriber.Handler,
        in lane: Lanes.Lane
    ) async -> Bool {
        let startedAt = WallClock.milliseconds()
        let delivery = Delivery(envelope: envelope, attempt: 1, database: database, events: events) {
            [table] transaction in
            if try table.isBlocked(arrival.record.subjectKey, in: transaction) { return .blocked }
            transaction.afterCommit { ack.add() }
            let isNew = try table.insertReceipt(arrival.record, now: WallClock.milliseconds(), in: transaction)
            return isNew ? .processed : .duplicate
        }
        do {
            try await handler(delivery)
            switch try await delivery.end() {
            case .processed: counters.add(to: \.processed)
            case .duplicate: counters.add(to: \.duplicates)
            case .blocked: return await store(arrival)
            }
            return false
        } catch is Delivery.Blocked {
            return await store(arrival)
        } catch {
            if Task.isCancelled { return false }
            lane.isBlocked = true
            return await fail(arrival, HandlerError(error), startedAt: startedAt) && !delivery.isSettled
        }
    }

    /// Writes a failed first attempt.
    private func fail(_ arrival: Arrival, _ error: HandlerError, startedAt: Int64) async -> Bool {
        counters.add(to: \.failedAttempts)
        let random = Double.random(in: 0...1)
        let ended = WallClock.milliseconds()
        let recorded = await persistently { [table, database, policy, deferralLimit] in
            try await database.write { transaction -> (id: Int64?, life: DeliveryLife, error: HandlerError) in
                var life = DeliveryLife(state: .scheduled, attempts: 1)
                let error = life.fail(error, policy: policy, deferralLimit: deferralLimit, now: ended, random: random)
                guard let id = try table.insert(arrival.record, life: life, error: error, now: ended, in: transaction)
                else {
                    return (nil, life, error)
                }
                let attempt = DeliveryTable.Attempt(
                    startedAt: startedAt,
                    durationMilliseconds: ended - startedAt,
                    error: error
                )
                try table.record(attempt, number: 1, generation: 0, of: id, in: transaction)
                return (id, life, error)
            }
        }
        guard let recorded else { return false }
        // A copy of it may have been quicker; that one has said so.
        if let id = recorded.id {
            logger.noteFailure(recorded.error, recorded.life, of: id, arrival.record, attempt: 1)
            if recorded.life.state == .dead { counters.add(to: \.deadLettered) }
        }
        onScheduled.raise()
        return true
    }

    /// Writes a delivery that no attempt can help.
    private func bury(_ arrival: Arrival, _ error: HandlerError) async -> Bool {
        await fail(arrival, error, startedAt: WallClock.milliseconds())
    }

    /// Writes a delivery that has to wait: behind an earlier one of its subject, or because it is suspected of having
    /// ended the process and must be counted before it runs.
    private func store(_ arrival: Arrival) async -> Bool {
        let isStored: Bool? = await persistently { [table, database] in
            try await database.write { transaction in
                let now = WallClock.milliseconds()
                let isBlocked = try table.isBlocked(arrival.record.subjectKey, in: transaction)
                let life = DeliveryLife(state: isBlocked ? .held : .scheduled, dueAt: isBlocked ? nil : now)
                let id = try table.insert(
                    arrival.record,
                    life: life,
                    isSuspect: arrival.isSuspect,
                    now: now,
                    in: transaction
                )
                return id != nil
            }
        }
        guard let isStored else { return false }
        if !isStored { counters.add(to: \.duplicates) }
        onScheduled.raise()
        return true
    }

    /// Repeats a database operation until it succeeds.
    ///
    /// The message stays unacknowledged meanwhile, so nothing is lost. - Returns: nil when the service stops first.
    private func persistently<Result: Sendable>(
        _ operation: @Sendable () async throws -> Result
    ) async -> Result? {
        let pause = Signal()
        while !Task.isCancelled {
            do {
                return try await operation()
            } catch {
                logger.error("database refused a delivery; it stays in the queue", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return nil }
                await pause.wait(until: .now + .seconds(1))
            }
        }
        return nil
    }
}

extension Logger {
    /// Says what became of a failed attempt, and of which delivery: the id is the one that it has as a dead letter.
    func noteFailure(
        _ error: HandlerError,
        _ life: DeliveryLife,
        of id: Int64,
        type: String,
        subject: String,
        attempt: Int
    ) {
        let fields = [
            LogField("messaging.delivery.id", id),
            LogField("messaging.event.type", type),
            LogField("messaging.event.subject", subject),
            LogField("messaging.attempt", attempt),
            LogField("error.class", error.errorClass),
            LogField("error.message", error.message),
        ]
        if life.state == .dead {
            warning("delivery is dead", fields)
        } else {
            info("delivery failed and is scheduled again", fields)
        }
    }

    fileprivate func noteFailure(
        _ error: HandlerError,
        _ life: DeliveryLife,
        of id: Int64,
        _ record: DeliveryRecord,
        attempt: Int
    ) {
        noteFailure(error, life, of: id, type: record.type, subject: record.subject, attempt: attempt)
    }
}
