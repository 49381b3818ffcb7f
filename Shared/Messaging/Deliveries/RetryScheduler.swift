internal import Database
internal import Events
import Synchronization
internal import Telemetry

/// Runs what waits in the table when it is due: retries, released deliveries, suspects, replayed dead letters, and
/// events that the broker has not taken.
///
/// It sleeps until the next row is due or it is woken. Suspects - deliveries that were at work, or under way, when a
/// process ended - run one at a time and with nothing beside them, from the table or from the queue (`SuspectIsolation`), and
/// their attempt is counted before they run: what kills the process is found and buried, and its neighbours are not charged
/// for it.
final class RetryScheduler: Sendable {
    /// Runs one due row to its end: returns when its outcome is durable.
    typealias Attempt = @Sendable (DeliveryTable.Due, DeliveryTable) async -> Void

    private static let atOnce = 64
    /// Rows that are read to be started, so that not every one that ends costs a look at the table.
    private static let readAtOnce = 256

    private let tables: [String: DeliveryTable]
    /// What rows are due by.
    private let clock: SteadyClock
    private let database: Database
    private let logger: Logger
    private let wake: Signal
    /// The rows at work, and whether each is a suspect.
    private let running = Mutex<[Int64: Bool]>([:])
    private let lanes = Lanes()
    private let isolation: SuspectIsolation
    private let attempt: Attempt
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
    }

    /// Runs until cancelled; attempts at work go on, see `drained`.
    func run() async {
        await recover()
        var due: ArraySlice<DeliveryTable.Due> = []
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
        await lanes.drained()
    }

    /// Cancels the attempts at work; they stay scheduled.
    func cancel() {
        lanes.cancel()
    }

    /// Attempts that were at work when the process ended: they are suspects now.
    ///
    /// One that was a suspect already has been counted before it ran.
    private func recover() async {
        while !Task.isCancelled {
            do {
                let hasMore = try await database.write { [tables] transaction in
                    try DeliveryTable.recover(
                        tables: tables,
                        limit: RetryScheduler.readAtOnce,
                        now: WallClock.milliseconds(),
                        in: transaction
                    )
                }
                if !hasMore { return }
            } catch {
                logger.error("the delivery table cannot be written", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return }
                await wake.wait(until: .now + .seconds(1))
            }
        }
    }

    /// Starts what is due and can run now.
    ///
    /// The table is read when what was read before does not fill the free places: a row that has changed meanwhile is
    /// found out when its attempt begins.
    ///
    /// - Parameter due: what has been read and not been started.
    /// - Returns: when the next row is due, or nil when none waits for its time alone.
    private func startDue(_ due: inout ArraySlice<DeliveryTable.Due>) async throws -> ContinuousClock.Instant? {
        let busy = running.withLock { $0 }
        let free = RetryScheduler.atOnce - busy.count
        guard free > 0 else { return nil }
        var next: ContinuousClock.Instant?
        if due.count < free {
            let found = try await read(besides: busy)
            (due, next) = (found.due[...], found.next)
            operations?.schedulerGotOn()
        }
        let chosen = choose(from: due, busy: busy, free: free)
        due = due.dropFirst(chosen.count)
        for row in chosen {
            guard let table = tables[row.subscriber] else { continue }
            running.withLock { $0[row.id] = row.isSuspect }
            lanes.run(in: .row(row.id)) { _ in
                if row.isSuspect {
                    await self.isolation.alone { await self.attempt(row, table) }
                } else {
                    await self.attempt(row, table)
                }
                self.running.withLock { $0[row.id] = nil }
                self.wake.raise()
            }
        }
        return next
    }

    /// The first of what is due and not at work, and when the next row will be.
    private func read(
        besides busy: [Int64: Bool]
    ) async throws -> (due: [DeliveryTable.Due], next: ContinuousClock.Instant?) {
        let clock = clock
        let now = clock.now
        let (due, next) = try await database.read { transaction in
            let rows = try DeliveryTable.due(
                at: now,
                lead: clock.lead,
                limit: busy.count + RetryScheduler.readAtOnce,
                in: transaction
            )
            let next = try DeliveryTable.nextDue(after: now, in: transaction)
            return (rows.filter { busy[$0.id] == nil }, next)
        }
        return (due, next.map { .now + .milliseconds(max(1, $0 - now)) })
    }

    /// Which of the due rows may start, in their order: innocent ones up to the next suspect, or one suspect alone.
    private func choose(
        from due: ArraySlice<DeliveryTable.Due>,
        busy: [Int64: Bool],
        free: Int
    ) -> [DeliveryTable.Due] {
        guard let first = due.first, !busy.values.contains(true) else { return [] }
        if first.isSuspect { return busy.isEmpty ? [first] : [] }
        return Array(due.prefix { !$0.isSuspect }.prefix(free))
    }
}
