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
    private let failures: FailureRecord
    private let limits: EventLimits
    private let clock: AttemptClock
    /// Raised when the table has something for the scheduler.
    private let onScheduled: Signal
    private let queueAcks: AckBatch
    private let queueCopies = UnreadableCopies()
    private let priorities: PriorityNotice
    private let isolation: SuspectIsolation
    private var lanes: Lanes { isolation.lanes }
    private var counters: CounterBox { failures.counters }
    private var logger: Logger { failures.logger }

    /// - Parameter acknowledge: is given the messages that may be acknowledged; it must not block.
    init(
        table: DeliveryTable,
        database: Database,
        events: EventStore,
        subscriber: Subscriber,
        failures: FailureRecord,
        limits: EventLimits,
        clock: AttemptClock,
        onScheduled: Signal,
        isolation: SuspectIsolation,
        acknowledge: @escaping @Sendable ([IncomingMessage.Tag]) -> Void
    ) {
        self.table = table
        self.database = database
        self.events = events
        self.subscriber = subscriber
        self.failures = failures
        self.limits = limits
        self.clock = clock
        self.onScheduled = onScheduled
        self.isolation = isolation
        priorities = PriorityNotice(counters: failures.counters, logger: failures.logger)
        queueAcks = AckBatch(acknowledge)
    }

    /// What is known of an arrival before its handler runs.
    private enum Standing: Sendable {
        case fresh
        case duplicate
        case blocked
    }

    /// Starts on a burst of messages from the queue; each is acknowledged when it is safe.
    ///
    /// Returns when all have begun, so that what arrives meanwhile forms the next burst.
    func receive(_ burst: [IncomingMessage]) async {
        CrashPoint.reach("inbox.received")
        priorities.look(at: burst)
        let now = WallClock.milliseconds()
        await receive(
            burst.map { Arrival($0, limits: limits, now: now, for: events.source) },
            tags: burst.map(\.tag),
            acknowledging: queueAcks,
            queueCopies
        )
    }

    /// Starts on a page of events from a feed.
    ///
    /// Returns when all have begun.
    ///
    /// - Parameters:
    ///   - isSuspect: whether the page may have been handed over before, and one of them have ended the process.
    ///   - settled: called as often as there are events, when each is processed or in the table.
    func receive(
        _ page: [[UInt8]],
        ofFeed feed: String,
        isSuspect: Bool,
        settled: @escaping @Sendable () -> Void
    ) async {
        let now = WallClock.milliseconds()
        await receive(
            page.map { Arrival($0, ofFeed: feed, isSuspect: isSuspect, limits: limits, now: now) },
            tags: page.indices.map { IncomingMessage.Tag(connection: 1, number: UInt64($0 + 1)) },
            acknowledging: AckBatch { tags in
                for _ in tags { settled() }
            },
            UnreadableCopies()
        )
    }

    private func receive(
        _ arrivals: [Arrival],
        tags: [IncomingMessage.Tag],
        acknowledging acks: AckBatch,
        _ copies: UnreadableCopies
    ) async {
        await isolation.begin()
        defer { isolation.begun() }
        counters.add(arrivals.count, to: \.received)
        let areNew = arrivals.map { table.seen.take($0.record.key) }
        guard let known = await standings(of: arrivals, areNew) else { return }
        let begun = clock.now
        for (index, arrival) in arrivals.enumerated() {
            let (isNew, standing) = (areNew[index], known[index])
            let ack = AckBatch.Ticket(tag: tags[index], batch: acks, copies: copies)
            lanes.run(in: line(of: arrival)) { lane in
                // What has waited so long that the broker may lose its patience goes to the table, and so do those after it.
                if self.clock.isOver(since: begun) { lane.isBlocked = true }
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
        let standings = await persistently(logger, Self.refused) {
            try await self.standings(of: asked.map { arrivals[$0] })
        }
        guard let standings else { return nil }
        for (index, standing) in zip(asked, standings) { known[index] = standing }
        return known
    }

    /// The line that an arrival stands in: its subject's, or, where order does not matter, that of its copies.
    private func line(of arrival: Arrival) -> LineKey {
        let subject = arrival.record.subjectKey
        return table.ordering == .perSubject && !subject.isNone ? .subject(subject) : .delivery(arrival.record.key)
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
                    await persistently(logger, Self.refused) { try await self.standings(of: [arrival])[0] }
                }
        }
        guard let standing else { return false }
        if standing == .duplicate {
            counters.add(to: \.duplicates)
            return true
        }
        guard case .event(let envelope) = arrival.content else {
            guard case .unreadable(let fault, let alike) = arrival.content else { return false }
            return await bury(arrival, fault, alike, ack)
        }
        guard let handler = subscriber.handler(of: envelope.type) else {
            return await fail(
                arrival,
                .permanent("event.unknown-type", "\(table.subscriber) has no handler for \(envelope.type)"),
                startedAt: WallClock.milliseconds()
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
        let delivery = Delivery(
            envelope: envelope,
            attempt: 1,
            tick: clock.now,
            database: database,
            events: events,
            as: FirstAttempt(arrival, ack, inbox: self, startedAt: startedAt)
        )
        lane.begin(delivery)
        do {
            try await handler(delivery)
            let outcome = try await delivery.end()
            guard lane.end(delivery) else { return false }
            switch outcome {
            case .processed: counters.add(to: \.processed)
            case .duplicate: counters.add(to: \.duplicates)
            case .blocked: return await store(arrival)
            }
            return false
        } catch {
            guard lane.end(delivery) else { return false }
            if error is Delivery.Blocked { return await store(arrival) }
            if Task.isCancelled { return false }
            lane.isBlocked = true
            return await fail(arrival, HandlerError(error), startedAt: startedAt) && !delivery.isSettled
        }
    }

    /// A first attempt, whose receipt is its row.
    private final class FirstAttempt: DeliveryAttempt {
        private let arrival: Arrival
        private let ack: AckBatch.Ticket
        private let inbox: Inbox
        private let startedAt: Int64

        init(_ arrival: Arrival, _ ack: AckBatch.Ticket, inbox: Inbox, startedAt: Int64) {
            self.arrival = arrival
            self.ack = ack
            self.inbox = inbox
            self.startedAt = startedAt
        }

        func takeReceipt(in transaction: Transaction) throws -> Delivery.Outcome {
            let table = inbox.table
            if try table.isBlocked(arrival.record.subjectKey, in: transaction) { return .blocked }
            transaction.afterCommit { [ack] in ack.add() }
            let isNew = try table.insertReceipt(arrival.record, now: WallClock.milliseconds(), in: transaction)
            return isNew ? .processed : .duplicate
        }

        func timedOut() async {
            if await inbox.fail(arrival, inbox.clock.timeout, startedAt: startedAt) { ack.add() }
            ack.batch.flush()
        }
    }

    /// Writes a failed first attempt.
    private func fail(_ arrival: Arrival, _ error: HandlerError, startedAt: Int64) async -> Bool {
        counters.add(to: \.failedAttempts)
        let failure = FailureRecord.Failure(error: error, startedAt: startedAt, endedAt: WallClock.milliseconds())
        let random = Double.random(in: 0...1)
        let recorded = await persistently(logger, Self.refused) { [table, database, failures] in
            try await database.write { transaction -> FailureRecord.Outcome? in
                try failures.insert(arrival.record, failure, random: random, of: table, in: transaction)
            }
        }
        guard let recorded else { return false }
        if let recorded { failures.note(recorded) }
        onScheduled.raise()
        return true
    }

    /// Writes a message that cannot be read, unless it is there: it may be the copy of one that is.
    private func bury(
        _ arrival: Arrival,
        _ fault: EventFault,
        _ alike: String,
        _ ack: AckBatch.Ticket
    ) async -> Bool {
        let connection = ack.tag.connection
        if arrival.isSuspect {
            let isCopy = await persistently(logger, Self.refused) { [table, database] in
                try await database.write { transaction in
                    try ack.copies.match(arrival, alike: alike, of: table, connection: connection, in: transaction)
                }
            }
            guard let isCopy else { return false }
            if isCopy {
                counters.add(to: \.duplicates)
                return true
            }
        }
        counters.add(to: \.failedAttempts)
        let now = WallClock.milliseconds()
        let failure = FailureRecord.Failure(error: HandlerError(fault), startedAt: now, endedAt: now)
        let recorded = await persistently(logger, Self.refused) { [table, database, failures] in
            try await database.write { transaction -> FailureRecord.Outcome? in
                let outcome = try failures.insert(arrival.record, failure, random: 0, of: table, in: transaction)
                if let outcome {
                    transaction.afterCommit { ack.copies.wrote(outcome.id, connection: connection) }
                }
                return outcome
            }
        }
        guard let recorded else { return false }
        if let recorded { failures.note(recorded) }
        return true
    }

    /// Writes a delivery that has to wait: behind an earlier one of its subject, or because it is suspected of having
    /// ended the process and must be written down before it runs.
    private func store(_ arrival: Arrival) async -> Bool {
        let isStored: Bool? = await persistently(logger, Self.refused) { [table, database] in
            try await database.write { transaction in
                let now = WallClock.milliseconds()
                let isBlocked = try table.isBlocked(arrival.record.subjectKey, in: transaction)
                let life = DeliveryLife(state: isBlocked ? .held : .scheduled, dueAt: isBlocked ? nil : now)
                let id = try table.insert(
                    arrival.record,
                    life: life,
                    suspicion: arrival.isSuspect ? .first : Suspicion(level: 0),
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

    /// The message stays unacknowledged while it is tried again, so nothing is lost.
    private static let refused: StaticString = "database refused a delivery; it stays in the queue"
}
