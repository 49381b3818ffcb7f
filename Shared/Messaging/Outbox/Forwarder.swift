internal import AMQP
internal import Database
internal import Events
import Synchronization
internal import Telemetry

/// Publishes the event store in order, with confirms, and moves its offset once everything up to it is confirmed or taken
/// over by the table of deliveries.
///
/// Each commit hands over the events that it brought. The store itself is read at the start, when more has gathered than is
/// kept in memory (`OutboxTail`), where a subject has an event in the table, and once a second, as a safety net.
///
/// A crash publishes at most three windows again, under the same ids and marked (`Publication.repeatHeader`): it goes no
/// further than two beyond the stored offset. An event that the broker refuses (nack, return, too large) becomes a scheduled
/// delivery of the pseudo-subscriber `(forwarder)` and goes through the same retries, dead letters and holding of its
/// subject as any delivery; the other subjects pass it.
final class Forwarder: Sendable {
    private static let offsetName = "forwarder"
    private static let poll: Duration = .seconds(1)
    /// How far the stored offset may lag behind while events flow; a crash repeats that much.
    private static let offsetDelay: Duration = .milliseconds(50)

    private struct Inputs {
        var outcomes: [(position: Int64, error: AMQPError?)] = []
        var parked: [Int64] = []
        /// The storing of an offset has ended.
        var hasStored = false
        /// The offset that was stored last.
        var stored: Int64?
        var mayHaveMore = true
        var isStopping = false
        /// What the table has not taken yet, in its order.
        var parkings: [ForwarderState.Parking] = []
        var isParking = false
    }

    private let database: Database
    private let sink: any PublishingConnection
    private let table: DeliveryTable
    private let policy: RetryPolicy
    private let window: Int
    /// The types that somebody subscribes to.
    ///
    /// An event of another type reaches no queue, and nobody misses it.
    private let subscribedTypes: Set<EventType>
    private let counters: CounterBox
    private let logger: Logger
    private let onScheduled: Signal
    private let signal = Signal()
    private let inputs = Mutex(Inputs())
    private let fresh = OutboxTail()

    init(
        database: Database,
        sink: any PublishingConnection,
        table: DeliveryTable,
        policy: RetryPolicy,
        window: Int,
        subscribedTypes: Set<EventType>,
        counters: CounterBox,
        logger: Logger,
        onScheduled: Signal
    ) {
        self.database = database
        self.sink = sink
        self.table = table
        self.policy = policy
        self.window = window
        self.subscribedTypes = subscribedTypes
        self.counters = counters
        self.logger = logger
        self.onScheduled = onScheduled
    }

    /// There are new events in the store: these, and none between them and those of the commit before.
    func committed(_ events: [StoredEvent]) {
        fresh.add(events)
        inputs.withLock { $0.mayHaveMore = true }
        signal.raise()
    }

    /// Looks into the store itself, whatever is known of it.
    private func look() {
        fresh.forget()
        committed([])
    }

    /// Ends `run` as soon as everything in the store is forwarded.
    func finish() {
        inputs.withLock { $0.isStopping = true }
        signal.raise()
    }

    /// Forwards until cancelled, or until `finish` was called and nothing is left.
    func run() async {
        guard let (start, head) = await readOffset() else { return }
        let lastRepeat = min(head, start + Int64(3 * window))
        var state = ForwarderState(after: start)
        var storedOffset = start
        var isStoring = false
        var offsetDue: ContinuousClock.Instant?
        let watcher = Task { [sink, signal] in
            for await _ in sink.states { signal.raise() }
        }
        let poller = Task {
            while (try? await Task.sleep(for: Forwarder.poll)) != nil { look() }
        }
        defer {
            watcher.cancel()
            poller.cancel()
        }

        while !Task.isCancelled {
            let (outcomes, parked, isStopping) = inputs.withLock { inputs in
                let taken = (inputs.outcomes, inputs.parked, inputs.isStopping)
                inputs.outcomes = []
                inputs.parked = []
                if inputs.hasStored { isStoring = false }
                inputs.hasStored = false
                storedOffset = inputs.stored ?? storedOffset
                return taken
            }
            var actions = ForwarderState.Actions()
            apply(outcomes, parked, to: &state, &actions)
            let isConnected = sink.state == .ready
            if isConnected, state.hasInterrupted { actions += state.resume() }
            // Where the offset cannot be stored, a crash would publish all of this again.
            let isAhead = state.readThrough - storedOffset > 2 * window
            if isConnected, !isAhead, state.count <= window / 2, takeMayHaveMore() {
                do {
                    let limit = window - state.count
                    let events = try await next(
                        limit,
                        after: state.readThrough,
                        isRepeat: state.readThrough < head,
                        lastRepeat: lastRepeat
                    )
                    if events.count == limit { inputs.withLock { $0.mayHaveMore = true } }
                    actions += state.read(events)
                } catch {
                    inputs.withLock { $0.mayHaveMore = true }
                    logger.error("the event store cannot be read", [LogField("error", error: error)])
                    await signal.wait(until: .now + Forwarder.poll)
                }
            }
            perform(actions)

            if state.forwardedThrough > storedOffset, !isStoring {
                if let due = offsetDue {
                    if due <= .now || state.forwardedThrough - storedOffset > window {
                        offsetDue = nil
                        isStoring = true
                        store(offset: state.forwardedThrough)
                    }
                } else {
                    offsetDue = .now + Forwarder.offsetDelay
                    Task { [signal] in
                        try await Task.sleep(for: Forwarder.offsetDelay)
                        signal.raise()
                    }
                }
            }
            let isIdle = state.count == 0 && !inputs.withLock { $0.mayHaveMore || !$0.outcomes.isEmpty }
            // Without a connection there is nothing to wait for: the store keeps the events for the next start.
            if isStopping, isIdle || sink.state != .ready { break }
            if !actions.isEmpty { continue }
            await signal.wait()
        }
        if state.forwardedThrough > storedOffset {
            await withCheckedContinuation { continuation in
                store(offset: state.forwardedThrough) { continuation.resume() }
            }
        }
    }

    private func apply(
        _ outcomes: [(position: Int64, error: AMQPError?)],
        _ parked: [Int64],
        to state: inout ForwarderState,
        _ actions: inout ForwarderState.Actions
    ) {
        var confirmed = 0
        var failed = 0
        for (position, error) in outcomes {
            switch error?.code {
            case nil:
                confirmed += 1
                actions += state.confirmed(position)
            case .connectionLost, .closed, .cancelled, .timeout, .connectionFailed:
                failed += 1
                state.interrupted(position)
            default:
                failed += 1
                let refusal = error.map(HandlerError.init(refusal:))
                actions += state.refused(
                    position,
                    errorClass: refusal?.errorClass ?? "broker.refused",
                    message: refusal?.message ?? ""
                )
            }
        }
        for position in parked { actions += state.parked(position) }
        if confirmed > 0 { counters.add(confirmed, to: \.published) }
        if failed > 0 { counters.add(failed, to: \.publishFailures) }
    }

    private func takeMayHaveMore() -> Bool {
        inputs.withLock { inputs in
            defer { inputs.mayHaveMore = false }
            return inputs.mayHaveMore
        }
    }

    private func perform(_ actions: ForwarderState.Actions) {
        if !actions.publish.isEmpty {
            var positions: [Int64] = []
            var burst: [Publication] = []
            for event in actions.publish {
                let isExpected = subscribedTypes.contains(EventType(rawValue: event.type))
                burst.append(Publication(event, mandatory: isExpected))
                positions.append(event.position)
            }
            CrashPoint.reach("forwarder.before-publish")
            sink.submit(burst) { [self, positions] index, error in
                CrashPoint.reach("forwarder.outcome")
                inputs.withLock { $0.outcomes.append((positions[index], error)) }
                signal.raise()
            }
            CrashPoint.reach("forwarder.published")
        }
        if !actions.park.isEmpty { park(actions.park) }
    }

    /// Hands events to the table of deliveries, in their order.
    private func park(_ parkings: [ForwarderState.Parking]) {
        let isFirst = inputs.withLock { inputs in
            inputs.parkings += parkings
            defer { inputs.isParking = true }
            return !inputs.isParking
        }
        if isFirst { parkNext() }
    }

    /// Hands over what is waiting, in one transaction, and goes on with what came meanwhile.
    ///
    /// One transaction at a time: were a second one begun while the first has to be repeated, events would pass one
    /// another.
    private func parkNext() {
        let parkings = inputs.withLock { inputs in
            if inputs.parkings.isEmpty { inputs.isParking = false }
            return inputs.parkings
        }
        guard !parkings.isEmpty else { return }
        database.submit { [table, policy] transaction in
            let now = WallClock.milliseconds()
            for parking in parkings {
                let record = DeliveryRecord(parking.event)
                var life = DeliveryLife(state: .scheduled, dueAt: now)
                var error: HandlerError?
                if let errorClass = parking.errorClass {
                    let refusal = HandlerError.transient(errorClass, parking.message ?? "")
                    life.attempts = 1
                    error = life.fail(refusal, policy: policy, deferralLimit: nil, now: now, random: .random(in: 0...1))
                } else if try table.isBlocked(parking.event.subject, in: transaction) {
                    life = DeliveryLife(state: .held)
                }
                guard let id = try table.insert(record, life: life, error: error, now: now, in: transaction) else {
                    continue
                }
                if let error {
                    let attempt = DeliveryTable.Attempt(startedAt: now, durationMilliseconds: 0, error: error)
                    try table.record(attempt, number: 1, generation: 0, of: id, in: transaction)
                }
            }
        } completion: { [self] result in
            switch result {
            case .success:
                inputs.withLock { inputs in
                    inputs.parkings.removeFirst(parkings.count)
                    inputs.parked.append(contentsOf: parkings.map(\.event.position))
                }
                signal.raise()
                onScheduled.raise()
                parkNext()
            case .failure(let error):
                logger.error("refused events cannot be recorded", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return }
                Task {
                    await Signal().wait(until: .now + Forwarder.poll)
                    self.parkNext()
                }
            }
        }
    }

    /// The next events: those that are known from their commits, or what the store has.
    private func next(
        _ limit: Int,
        after position: Int64,
        isRepeat: Bool,
        lastRepeat: Int64
    ) async throws -> [StoredEvent] {
        if let events = fresh.take(after: position, upTo: limit, where: { table.isClear($0.subject) }) { return events }
        fresh.beginReading()
        let events = try await read(after: position, limit: limit, isRepeat: isRepeat, lastRepeat: lastRepeat)
        fresh.endReading(isEnd: events.count < limit)
        return events
    }

    /// Reads events that are due.
    ///
    /// - Parameter isRepeat: whether an earlier process may have read them already. What it handed to the table stays
    ///   there, whatever has become of it: an operator may have discarded it.
    /// - Parameter lastRepeat: the last position that an earlier process can have published.
    private func read(
        after position: Int64,
        limit: Int,
        isRepeat: Bool,
        lastRepeat: Int64
    ) async throws -> [StoredEvent] {
        try await database.read(on: .reserved) { transaction in
            try transaction.query(
                """
                SELECT position, id, source, type, subject, sequence, time, envelope, EXISTS (
                    SELECT 1 FROM warren_deliveries
                    WHERE subscriber = $1 AND source = warren_events.source AND subject = warren_events.subject
                        AND status <> 'processed' AND status <> 'discarded')
                    OR ($4 = 1 AND EXISTS (
                        SELECT 1 FROM warren_deliveries
                        WHERE subscriber = $1 AND source = warren_events.source AND event_id = warren_events.id)) AS blocked
                FROM warren_events WHERE position > $2 ORDER BY position LIMIT $3
                """,
                DeliveryTable.forwarder,
                position,
                limit,
                isRepeat ? 1 : 0
            ).map { row in
                let position: Int64 = try row[0]
                return StoredEvent(
                    position: position,
                    id: try row[1],
                    type: try row[3],
                    subject: SubjectKey(source: try row[2], subject: try row[4]),
                    sequence: try row[5],
                    time: try row[6],
                    envelope: try row[7],
                    isBlocked: try row[8],
                    isRepeat: position <= lastRepeat
                )
            }
        }
    }

    /// How far an earlier process was, and the last event that it can have known of.
    private func readOffset() async -> (offset: Int64, head: Int64)? {
        while !Task.isCancelled {
            do {
                return try await database.read(on: .reserved) { transaction in
                    let offset: Int64? = try transaction.first(
                        "SELECT position FROM warren_offsets WHERE name = $1",
                        Forwarder.offsetName
                    )?[0]
                    let head: Int64? = try transaction.first("SELECT MAX(position) FROM warren_events")?[0]
                    return (offset ?? 0, head ?? 0)
                }
            } catch {
                logger.error("the forwarder's offset cannot be read", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return nil }
                await signal.wait(until: .now + Forwarder.poll)
            }
        }
        return nil
    }

    /// Stores how far it is, with the next group of writes, and goes on meanwhile.
    private func store(offset: Int64, completion: @escaping @Sendable () -> Void = {}) {
        database.submit { [table] transaction in
            // Which subjects have something waiting is what `next` has to know.
            try table.learnWhatWaits(in: transaction)
            _ = try transaction.execute(
                """
                INSERT INTO warren_offsets (name, position, updated_at) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
                """,
                Forwarder.offsetName,
                offset,
                WallClock.milliseconds()
            )
            CrashPoint.reach("forwarder.offset")
        } completion: { [self] result in
            CrashPoint.reach("forwarder.offset-stored")
            if case .failure(let error) = result {
                // Nothing is lost: what lies between is published again after a crash, under the same ids.
                logger.error("the forwarder's offset cannot be stored", [LogField("error", error: error)])
            }
            let isStored = if case .success = result { true } else { false }
            inputs.withLock { inputs in
                inputs.hasStored = true
                if isStored { inputs.stored = offset }
            }
            signal.raise()
            completion()
        }
    }
}

extension ForwarderState.Actions {
    fileprivate static func += (left: inout ForwarderState.Actions, right: ForwarderState.Actions) {
        left.publish += right.publish
        left.park += right.park
    }
}

extension DeliveryRecord {
    /// An event of the service's own that goes to the table.
    fileprivate init(_ event: StoredEvent) {
        self.init(
            key: DeliveryKey(source: event.subject.source, eventID: event.id),
            type: event.type,
            subjectKey: event.subject,
            sequence: UInt64(event.sequence),
            receivedAt: event.time,
            body: event.envelope,
            properties: StoredProperties(json: "{}")
        )
    }
}
