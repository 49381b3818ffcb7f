internal import Database
internal import Events
internal import JSON
import Synchronization
internal import Telemetry

/// A client of another service's event API that hands its events to this service's handlers.
///
/// An event from a feed goes the way of a message from the queue: the same handlers, the same row per (subscriber,
/// source, event id), the same retries, holding and dead letters. So it does not matter whether an event comes by feed, by
/// queue or by both: it is done once. The feed keeps its own offset (`warren_offsets`, `feed:NAME`), which moves past a
/// page when every event of it is processed or in the table of deliveries; a crash repeats one page at most. What the
/// repeated page brings counts as suspect, as redelivered messages do: one of its events may have ended the process, so
/// each is written down before it is handled. Whether the last run ended in order is kept beside the
/// offset (`feed:NAME:begun`); after one that did, and at the very beginning, the first page goes as all others.
///
/// # Catching up, then the queue
///
/// A new subscriber is too late for the events that were published before its queue was bound. `MessagingRuntime.catchUp`
/// reads them from the feed first and then goes over to the queue, with nothing missed, nothing done twice, and the order
/// of each subject kept:
///
/// 1. The runtime connects. The queue and its bindings are declared; the broker's messages wait, unacknowledged.
/// 2. Only then the feed asks for its first page, which tells the head of the source's store: the *target*.
/// 3. The feed hands over pages until its offset has come to the target, and notes in the transaction that stores this
///    offset that it is done.
/// 4. The queue's messages are handled. The feed is not asked again, after a restart neither.
///
/// *Nothing is missed*: an event whose position is at or before the target was on a page. One behind the target was
/// committed after step 2 had read the head (positions are given in the order of commits), so it was published after the
/// queue had been bound in step 1, and lies in the queue.
/// *Nothing is done twice*: an event at or before the target that was published after the binding lies in the queue as
/// well; its row exists when it comes, and it is acknowledged as a duplicate.
/// *Order*: the feed goes by position, so by sequence within a subject, and its last event is settled before the first
/// message of the queue is begun. The queue holds a subject in sequence order (the forwarder has one event of a subject
/// under way at a time); the part of it that is at or before the target is duplicates, the rest follows the target. An
/// event that fails holds its successors by its row, whichever way they come.
///
/// A store whose positions can become visible in another order than their commits - several writers on PostgreSQL - has
/// to hide positions behind the oldest open transaction, or the first argument fails.
public final class EventFeed: Sendable {
    private struct State {
        var problem: String?
        /// Whether the problem passes by itself: the source does not answer, and is asked again.
        var isAway = false
        /// What follows the source now.
        var run: Task<Void, Never>?
        /// How many are setting the feed's position: nothing is read until they have.
        var setting = 0
    }

    /// The name, unique in this service; its offset is kept under it.
    public let name: String

    private let transport: any FeedTransport
    private let startAfter: Int64
    /// What it asks for; all that have handlers when nil.
    private let types: Set<EventType>?
    private let pageSize: Int
    private let database: Database
    private let inbox: Inbox
    private let subscriber: Subscriber
    private let logger: Logger
    private let state = Mutex(State())
    /// The position was set.
    private let onSet = Signal()

    init(
        _ name: String,
        over transport: any FeedTransport,
        startAfter: Int64,
        types: Set<EventType>? = nil,
        pageSize: Int = 256,
        database: Database,
        inbox: Inbox,
        subscriber: Subscriber,
        logger: Logger
    ) {
        self.name = name
        self.transport = transport
        self.startAfter = startAfter
        self.types = types
        self.pageSize = pageSize
        self.database = database
        self.inbox = inbox
        self.subscriber = subscriber
        self.logger = logger
    }

    /// What is wrong now, nil when nothing is.
    public var problem: String? { state.withLock { $0.problem } }

    /// Whether what is wrong is only that the source does not answer.
    var isAway: Bool { state.withLock { $0.isAway } }

    /// Where the feed stands in the source's store.
    ///
    /// - Throws: `DatabaseError`.
    public func position() async throws -> Int64 {
        try await offset(offsetName) ?? startAfter
    }

    /// Sets the feed to a position: after a `410`, behind the state that was brought in another way; 0 for a replay from
    /// the beginning, in which what has been handled does nothing again.
    ///
    /// A feed that is followed goes on from there at once, also one that had stopped. A catch-up that was done is due again, at
    /// the next start of the service.
    ///
    /// - Parameters:
    ///   - position: 0 or more.
    ///   - actor: who wants it, for the audit; nil where a program does.
    ///   - reason: why, for the audit.
    /// - Throws: `DatabaseError`.
    public func restart(after position: Int64, actor: String? = nil, reason: String = "") async throws {
        let run = state.withLock { state in
            state.setting += 1
            return state.run
        }
        defer {
            state.withLock { $0.setting -= 1 }
            onSet.raise()
        }
        // What it has handed over is settled by the inbox all the same; the position is nobody's else meanwhile.
        run?.cancel()
        await run?.value
        try await database.write { [name, offsetName, doneName] transaction in
            try Self.store(position, as: offsetName, in: transaction)
            try transaction.execute("DELETE FROM warren_offsets WHERE name = $1", doneName)
            guard let actor else { return }
            // No delivery is concerned: its id is 0, as where an operation as a whole is.
            try transaction.execute(
                "INSERT INTO warren_audit (at, actor, action, delivery_id, reason) VALUES ($1, $2, $3, 0, $4)",
                WallClock.milliseconds(),
                actor,
                "restart-feed",
                "\(name) after \(position)" + (reason.isEmpty ? "" : ": \(reason)")
            )
        }
        report(nil)
        logger.info(
            "a feed was set to a position",
            [LogField("feed.name", name), LogField("feed.position", Int(position))]
        )
    }

    /// Follows the source until cancelled, and goes on from each position that is set.
    ///
    /// One that cannot go on waits for that.
    func followAlways() async {
        while !Task.isCancelled {
            let run = state.withLock { state -> Task<Void, Never>? in
                guard state.setting == 0 else { return nil }
                // What is wrong has been logged, and stays a problem until the position is set.
                let run = Task { _ = try? await follow() }
                state.run = run
                return run
            }
            if let run {
                await withTaskCancellationHandler {
                    await run.value
                } onCancel: {
                    run.cancel()
                }
            }
            state.withLock { $0.run = nil }
            guard !Task.isCancelled else { return }
            await onSet.wait()
        }
    }

    /// Follows the source until cancelled.
    ///
    /// A source that does not answer is tried again for ever, with growing pauses.
    ///
    /// - Throws: `FeedError` when trying again cannot help.
    func follow() async throws {
        guard var isSuspect = await begin() else { return }
        while let page = try await settling({ try await nextPage(wait: .seconds(20)) }) {
            guard await take(page, isSuspect: isSuspect, isLast: false) else { return }
            if !page.batch.isEmpty { isSuspect = false }
        }
        await end()
    }

    /// Reads the source up to where it is now, once and for all.
    ///
    /// The queue must be bound already, and must not be handled before this returns; see the type's description.
    ///
    /// - Returns: whether it is done; false when the task was cancelled.
    /// - Throws: `FeedError` when trying again cannot help.
    func catchUp() async throws -> Bool {
        guard let done = await persistently({ try await self.offset(self.doneName) != nil }) else { return false }
        if done { return true }
        guard var isSuspect = await begin() else { return false }
        var target: Int64?
        while let page = try await settling({ try await nextPage(wait: .zero) }) {
            let last = target ?? page.head
            target = last
            let isLast = page.next >= last
            guard await take(page, isSuspect: isSuspect, isLast: isLast) else { return false }
            if isLast {
                logger.info(
                    "a feed has caught up; the queue goes on",
                    [LogField("feed.name", name), LogField("feed.position", Int(page.next))]
                )
                await end()
                return true
            }
            if !page.batch.isEmpty { isSuspect = false }
        }
        await end()
        return false
    }

    // MARK: Runs

    /// Notes that events are going to be handed over.
    ///
    /// - Returns: whether the run before did not end in order, so that what comes first is suspect; nil when cancelled.
    func begin() async -> Bool? {
        await persistently { [database, begunName] in
            try await database.write { transaction in
                let wasBegun =
                    try transaction.first("SELECT 1 FROM warren_offsets WHERE name = $1", begunName) != nil
                try Self.store(0, as: begunName, in: transaction)
                return wasBegun
            }
        }
    }

    /// Notes that nothing is under way any more.
    ///
    /// A task that is cancelled notes it as well.
    private func end() async {
        do {
            try await database.write { [begunName] transaction in
                _ = try transaction.execute("DELETE FROM warren_offsets WHERE name = $1", begunName)
            }
        } catch {
            // Nothing is lost: the next run writes its first page's events down before they are handled.
            logger.warning(
                "a feed cannot note its end",
                [LogField("feed.name", name), LogField("error", error: error)]
            )
        }
    }

    /// Asks for what comes next, while nothing is under way.
    private func settling(_ next: () async throws -> FeedPage?) async throws -> FeedPage? {
        do {
            let page = try await next()
            // What comes to one who is cancelled is not handed over any more.
            return Task.isCancelled ? nil : page
        } catch {
            await end()
            throw error
        }
    }

    // MARK: Pages

    private var offsetName: String { "feed:\(name)" }
    private var begunName: String { "feed:\(name):begun" }
    private var doneName: String { "feed:\(name):caught-up" }

    /// The next page.
    ///
    /// - Returns: nil when cancelled.
    private func nextPage(wait: Duration) async throws -> FeedPage? {
        var pause = Duration.milliseconds(100)
        while !Task.isCancelled {
            guard let after = await persistently({ try await self.position() }) else { return nil }
            do {
                let types = (types ?? subscriber.types).map(\.rawValue).sorted()
                // A source that was away is asked for an answer at once: nobody should wait for an event to hear that it is back.
                let request = FeedRequest(
                    after: after,
                    limit: pageSize,
                    types: types,
                    wait: problem == nil ? wait : .zero
                )
                let page = try await transport.page(request)
                guard page.next >= after else {
                    throw FeedError.refused("the next position \(page.next) lies before \(after), which was asked for")
                }
                report(nil)
                return page
            } catch let error as FeedError where error.isFinal {
                report(error.description)
                logger.error("a feed cannot go on", [LogField("feed.name", name), LogField("error", error: error)])
                throw error
            } catch {
                if Task.isCancelled { return nil }
                report("\(error)", isAway: true)
                logger.warning("a feed has no answer", [LogField("feed.name", name), LogField("error", error: error)])
                await Signal().wait(until: .now + pause)
                pause = min(pause * 2, .seconds(10))
            }
        }
        return nil
    }

    /// Hands a page to the handlers and moves the offset past it when all of it is settled.
    ///
    /// - Returns: whether it is settled; false when the service stops first.
    private func take(_ page: FeedPage, isSuspect: Bool, isLast: Bool) async -> Bool {
        if !page.batch.isEmpty {
            let settled = Countdown(from: page.batch.count)
            await inbox.receive(page.batch, ofFeed: name, isSuspect: isSuspect) { settled.step() }
            guard await settled.wait() else { return false }
        }
        let stored: Void? = await persistently { [database, offsetName, doneName] in
            try await database.write { transaction in
                try Self.store(page.next, as: offsetName, in: transaction)
                if isLast { try Self.store(page.next, as: doneName, in: transaction) }
            }
        }
        return stored != nil
    }

    // MARK: Offsets

    private func offset(_ name: String) async throws -> Int64? {
        try await database.read { transaction in
            try transaction.first("SELECT position FROM warren_offsets WHERE name = $1", name).map { try $0[0] }
        }
    }

    private static func store(_ position: Int64, as name: String, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO warren_offsets (name, position, updated_at) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
            """,
            name,
            position,
            WallClock.milliseconds()
        )
    }

    private func persistently<Result: Sendable>(_ operation: () async throws -> Result) async -> Result? {
        await Messaging.persistently(logger, "a feed's offset cannot be used", operation)
    }

    private func report(_ problem: String?, isAway: Bool = false) {
        state.withLock { state in
            state.problem = problem
            state.isAway = isAway
        }
    }
}
