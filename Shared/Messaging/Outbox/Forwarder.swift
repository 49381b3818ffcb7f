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
    private static let poll: Duration = .seconds(1)
    /// How far the stored offset may lag behind while events flow; a crash repeats that much.
    private static let offsetDelay: Duration = .milliseconds(50)
    /// How long it waits when the offset could not be stored.
    private static let offsetPause: Duration = .seconds(1)

    /// How many ticks make the time in which the broker has to confirm.
    private static let patience = 30

    private struct Inputs {
        var outcomes: [(position: Int64, error: AMQPError?)] = []
        var parked: [Int64] = []
        /// Parts of the time in which the broker has to confirm.
        var ticks = 0
        /// The storing of an offset has ended.
        var hasStored = false
        /// The offset that was stored last.
        var stored: Int64?
        var mayHaveMore = true
        var isStopping = false
    }

    private let database: Database
    private let desk: PublishingDesk
    private let table: DeliveryTable
    private let window: Int
    private let budget: ByteBudget
    /// The types that somebody subscribes to.
    ///
    /// An event of another type reaches no queue, and nobody misses it.
    private let subscribedTypes: Set<EventType>
    private let counters: CounterBox
    private let logger: Logger
    private let signal = Signal()
    private let inputs = Mutex(Inputs())
    private let fresh = OutboxTail()
    private let parking: ForwarderParking
    private let offset: ForwarderOffset

    init(
        database: Database,
        desk: PublishingDesk,
        table: DeliveryTable,
        policy: RetryPolicy,
        window: Int,
        budget: ByteBudget = .atWork,
        subscribedTypes: Set<EventType>,
        counters: CounterBox,
        logger: Logger,
        onScheduled: Signal
    ) {
        self.database = database
        self.desk = desk
        self.table = table
        self.window = window
        self.budget = budget
        self.subscribedTypes = subscribedTypes
        self.counters = counters
        self.logger = logger
        parking = ForwarderParking(
            database: database,
            table: table,
            policy: policy,
            stalled: desk.stalled,
            logger: logger,
            onScheduled: onScheduled
        )
        offset = ForwarderOffset(database: database, table: table, logger: logger)
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
        guard let (start, head) = await offset.read() else { return }
        let lastRepeat = min(head, start + Int64(3 * window))
        let stalled = desk.stalled
        var state = ForwarderState(after: start, window: window, budget: budget, patience: Forwarder.patience) {
            stalled.contains($0)
        }
        var storedOffset = start
        var isStoring = false
        var offsetDue: ContinuousClock.Instant?
        let watcher = Task { [desk, signal] in
            for await _ in desk.states { signal.raise() }
        }
        let poller = Task { await poll() }
        defer {
            watcher.cancel()
            poller.cancel()
        }

        while !Task.isCancelled {
            let (outcomes, parked, ticks, isStopping) = inputs.withLock { inputs in
                let taken = (inputs.outcomes, inputs.parked, inputs.ticks, inputs.isStopping)
                inputs.outcomes = []
                inputs.parked = []
                inputs.ticks = 0
                if inputs.hasStored { isStoring = false }
                inputs.hasStored = false
                storedOffset = inputs.stored ?? storedOffset
                return taken
            }
            var actions = ForwarderState.Actions()
            apply(outcomes, parked, to: &state, &actions)
            let isConnected = desk.state == .ready
            if isConnected, state.hasInterrupted { actions += state.resume() }
            // Where the offset cannot be stored, a crash would publish all of this again.
            let isAhead = state.readThrough - storedOffset > 2 * window
            // A broker that takes no publishes owes no confirm. Ticks that a long turn has gathered count as one.
            if ticks > 0, isConnected { actions += state.tick(isHeldUp: isAhead || state.isFull) }
            if isConnected, !isAhead, !state.isFull, takeMayHaveMore() {
                do {
                    let (events, hasMore) = try await next(
                        window - state.count,
                        within: state.budget,
                        after: state.readThrough,
                        isRepeat: state.readThrough < head,
                        lastRepeat: lastRepeat
                    )
                    if hasMore { inputs.withLock { $0.mayHaveMore = true } }
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
                        store(state.forwardedThrough)
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
            if isStopping, isIdle || desk.state != .ready { break }
            if !actions.isEmpty { continue }
            await signal.wait()
        }
        if state.forwardedThrough > storedOffset {
            await withCheckedContinuation { continuation in
                store(state.forwardedThrough) { continuation.resume() }
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
            guard let error else {
                confirmed += 1
                actions += state.confirmed(position)
                continue
            }
            failed += 1
            if error.isAway {
                state.interrupted(position)
            } else {
                actions += state.refused(position, HandlerError(refusal: error))
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
            var burst: [Publication] = []
            for event in actions.publish {
                let isExpected = subscribedTypes.contains(EventType(rawValue: event.type))
                burst.append(Publication(event, mandatory: isExpected))
            }
            CrashPoint.reach("forwarder.before-publish")
            desk.submit(burst) { [self, events = actions.publish] index, error in
                CrashPoint.reach("forwarder.outcome")
                // Late or not: what is confirmed is not stalled.
                if error == nil, !desk.stalled.isEmpty { desk.stalled.clear(events[index].type) }
                inputs.withLock { $0.outcomes.append((events[index].position, error)) }
                signal.raise()
            }
            CrashPoint.reach("forwarder.published")
        }
        for (type, count) in actions.stalled { desk.stalled.mark(type, count: count) }
        if !actions.park.isEmpty {
            parking.park(actions.park) { [self] positions in
                inputs.withLock { $0.parked += positions }
                signal.raise()
            }
        }
    }

    /// The next events: those that are known from their commits, or what the store has.
    private func next(
        _ limit: Int,
        within budget: ByteBudget,
        after position: Int64,
        isRepeat: Bool,
        lastRepeat: Int64
    ) async throws -> (events: [StoredEvent], hasMore: Bool) {
        // What is known is small beside the half of the budget that is free.
        if let events = fresh.take(after: position, upTo: limit, where: { table.isClear($0.subject) }) {
            return (events, events.count == limit)
        }
        fresh.beginReading()
        let read = try await database.read(on: .reserved) { [table] transaction in
            try table.events(
                after: position,
                limit: limit,
                within: budget,
                isRepeat: isRepeat,
                lastRepeat: lastRepeat,
                in: transaction
            )
        }
        fresh.endReading(isEnd: !read.hasMore)
        return read
    }

    /// Stores how far it is, with the next group of writes, and goes on meanwhile.
    private func store(_ position: Int64, completion: @escaping @Sendable () -> Void = {}) {
        offset.store(position) { [self] isStored in
            if isStored {
                hasStored(position)
            } else {
                // Not again at once, whatever has come meanwhile.
                Task {
                    try await Task.sleep(for: Forwarder.offsetPause)
                    hasStored(nil)
                }
            }
            completion()
        }
    }

    /// - Parameter position: nil where it could not be stored.
    private func hasStored(_ position: Int64?) {
        inputs.withLock { inputs in
            inputs.hasStored = true
            inputs.stored = position ?? inputs.stored
        }
        signal.raise()
    }

    /// Looks into the store once a second, and counts the time in which the broker has to confirm.
    private func poll() async {
        let tick = min(Forwarder.poll, desk.stalled.timeout / Forwarder.patience)
        var sinceLook = Duration.zero
        while (try? await Task.sleep(for: tick)) != nil {
            inputs.withLock { $0.ticks += 1 }
            sinceLook += tick
            if sinceLook >= Forwarder.poll {
                sinceLook = .zero
                look()
            } else {
                signal.raise()
            }
        }
    }
}

extension ForwarderState.Actions {
    fileprivate static func += (left: inout ForwarderState.Actions, right: ForwarderState.Actions) {
        left.publish += right.publish
        left.park += right.park
        left.stalled.merge(right.stalled, uniquingKeysWith: +)
    }
}
