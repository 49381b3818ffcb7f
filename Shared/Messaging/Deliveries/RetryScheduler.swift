internal import Database
internal import Events
import Synchronization
internal import Telemetry

/// Runs what waits in the table when it is due: retries, released deliveries, suspects, replayed dead letters, and
/// events that the broker has not taken.
///
/// It sleeps until the next row is due or it is woken. A row stands in the line of its subject, with the first deliveries: no
/// two deliveries of a subject are ever at work, whichever way they come. Deliveries that were at work when a process ended are
/// suspects, and run in less and less company (`Suspicion`): what kills the process is found and buried, and its neighbours are
/// not charged for it.
final class RetryScheduler: Sendable {
    /// Runs one due row to its end: returns when its outcome is durable, with the row that it has let go.
    typealias Attempt = @Sendable (DeliveryTable.Due, DeliveryTable, RetryAttempt.Place) async -> DeliveryTable.Due?

    /// Rows that are read to be started, so that not every one that ends costs a look at the table.
    private static let readAtOnce = 256

    private let tables: [String: DeliveryTable]
    /// What rows are due by.
    private let clock: SteadyClock
    private let database: Database
    private let logger: Logger
    private let wake: Signal
    private let atWork: Mutex<RowsAtWork>
    /// The rows at work as they were read, for those that the end of the process interrupts.
    private let begun = Mutex<[Int64: DeliveryTable.Due]>([:])
    /// Where suspects that are to be alone wait for their turn; all work is in the lanes of `isolation`.
    private let suspects = Lanes()
    private let isolation: SuspectIsolation
    private let attempt: Attempt
    /// Whether rows are started; otherwise none follows another.
    private let isRunning = Atomic(false)
    /// Told when it has taken what was due.
    private let operations: OperationRunner?

    init(
        tables: [DeliveryTable],
        database: Database,
        logger: Logger,
        wake: Signal,
        operations: OperationRunner? = nil,
        isolation: SuspectIsolation,
        attempt: @escaping Attempt
    ) {
        self.tables = Dictionary(uniqueKeysWithValues: tables.map { ($0.subscriber, $0) })
        clock = tables.first?.clock ?? SteadyClock()
        self.database = database
        self.logger = logger
        self.wake = wake
        self.operations = operations
        self.isolation = isolation
        self.attempt = attempt
        atWork = Mutex(RowsAtWork(patience: isolation.patience))
    }

    /// Runs until cancelled; attempts at work go on, see `drained`.
    func run() async {
        await recover()
        isRunning.store(!Task.isCancelled, ordering: .releasing)
        defer { isRunning.store(false, ordering: .releasing) }
        var due: [DeliveryTable.Due] = []
        while !Task.isCancelled {
            do {
                await wake.wait(until: try await startDue(&due))
            } catch {
                logger.error("the delivery table cannot be read", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return }
                await wake.wait(until: .now + .seconds(1))
            }
        }
    }

    /// Returns when no attempt is at work.
    func drained() async {
        await suspects.drained()
        await isolation.lanes.drained()
    }

    /// Cancels the attempts at work, and takes back that they have begun: the process ends, and none of them has ended it.
    func cancel() async {
        // Before they end, which takes them off the list.
        let rows = begun.withLock { Array($0.values) }
        suspects.cancel()
        isolation.lanes.cancel()
        do {
            try await database.write { transaction in
                for row in rows { try DeliveryTable.pardon(row, in: transaction) }
            }
        } catch {
            logger.warning("the attempts at work are suspect after the next start", [LogField("error", error: error)])
        }
    }

    /// Attempts that were at work when the process ended: they are suspected more now.
    private func recover() async {
        let tables = tables
        var hasMore = true
        while hasMore, !Task.isCancelled {
            let found = await persistently(logger, "the delivery table cannot be written") {
                try await database.write { transaction in
                    try DeliveryTable.recover(
                        tables: tables,
                        limit: RetryScheduler.readAtOnce,
                        now: WallClock.milliseconds(),
                        in: transaction
                    )
                }
            }
            hasMore = found ?? false
        }
    }

    /// Starts what is due and can run now.
    ///
    /// The table is read when what was read before does not fill the free places: a row that has changed meanwhile is
    /// found out when its attempt begins.
    ///
    /// - Parameter due: what has been read and not been started.
    /// - Returns: when to look again, or nil when no row waits for a time alone.
    private func startDue(_ due: inout [DeliveryTable.Due]) async throws -> ContinuousClock.Instant? {
        let (free, count) = atWork.withLock { atWork in
            let free = atWork.free(at: .now)
            if free == 0 { atWork.await() }
            return (free, atWork.count)
        }
        // What is at work makes room when it ends, or takes long.
        guard free > 0 else { return .now + isolation.patience / 8 }
        var next: ContinuousClock.Instant?
        if due.count < free || due.allSatisfy({ $0.suspicion.company != .everybody }) {
            // Suspects that wait for their turn must not stand before everybody else.
            (due, next) = try await read(count + due.count + RetryScheduler.readAtOnce)
            operations?.schedulerGotOn()
        }
        let chosen = atWork.withLock { $0.choose(from: &due, at: .now) }
        if !due.isEmpty {
            let patience = ContinuousClock.Instant.now + isolation.patience / 8
            next = next.map { min($0, patience) } ?? patience
        }
        guard !chosen.isEmpty else { return next }
        await isolation.begin()
        for (row, start) in chosen { self.start(row, start) }
        isolation.begun()
        return next
    }

    private func start(_ row: DeliveryTable.Due, _ start: Int) {
        guard let table = tables[row.subscriber] else { return ended(row.id, start) }
        begun.withLock { $0[row.id] = row }
        let leave: @Sendable () -> Void = { [self] in ended(row.id, start) }
        guard row.suspicion.company == .nobody else {
            isolation.lanes.run(in: line(of: row, table)) { lane in
                let next = await self.attempt(row, table, .init(lane: lane, turn: nil, leave: leave))
                if let next, self.follow(row.id, start, next) { return }
                leave()
            }
            return
        }
        suspects.run(in: .row(row.id)) { _ in
            await self.isolation.alone(in: self.line(of: row, table)) { lane, turn in
                // A suspect hands nothing on.
                _ = await self.attempt(row, table, .init(lane: lane, turn: turn, leave: leave))
                leave()
            } turnEnded: {
                self.atWork.withLock { $0.turnEnded(row.id) }
                self.wake.raise()
            }
        }
    }

    /// Starts the row that another one has let go in its place, without a look at the table.
    ///
    /// A subject of which much was held goes on at the cost of one commit for each: the one of the handler before.
    ///
    /// - Returns: false where it is to be found in the table: others wait for the place, a suspect for its turn, or the service
    ///   for its end.
    private func follow(_ row: Int64, _ start: Int, _ next: DeliveryTable.Due) -> Bool {
        guard isRunning.load(ordering: .acquiring), isolation.letInAtOnce() else { return false }
        defer { isolation.begun() }
        let nextStart = atWork.withLock { $0.handOn(row, start: start, to: next, at: .now) }
        guard let nextStart else { return false }
        begun.withLock { $0[row] = nil }
        self.start(next, nextStart)
        return true
    }

    /// The line that a row stands in: its subject's, as first deliveries do, or its own where there is no order.
    private func line(of row: DeliveryTable.Due, _ table: DeliveryTable) -> LineKey {
        guard table.ordering == .perSubject, table.subscriber != DeliveryTable.forwarder else {
            return .row(row.id)
        }
        let subject = row.subjectKey
        return subject.isNone ? .row(row.id) : .subject(subject)
    }

    private func ended(_ row: Int64, _ start: Int) {
        let isGone = atWork.withLock { atWork in
            atWork.ended(row, start: start)
            return !atWork.contains(row)
        }
        if isGone { begun.withLock { $0[row] = nil } }
        wake.raise()
    }

    /// The first of what is due and not at work, and when the next row will be.
    private func read(_ limit: Int) async throws -> (due: [DeliveryTable.Due], next: ContinuousClock.Instant?) {
        let clock = clock
        let now = clock.now
        // Before the look: what ends meanwhile may still be in it.
        let busy = atWork.withLock { $0.beginLook() }
        let (rows, next) = try await database.read { transaction in
            let rows = try DeliveryTable.due(at: now, lead: clock.lead, limit: limit, in: transaction)
            return (rows, try DeliveryTable.nextDue(after: now, in: transaction))
        }
        return (rows.filter { !busy.contains($0.id) }, next.map { .now + .milliseconds(max(1, $0 - now)) })
    }
}
