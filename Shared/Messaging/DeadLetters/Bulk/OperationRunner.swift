internal import Database
internal import Events
import Synchronization
internal import Telemetry

/// Does the operations on many dead letters, in the background.
///
/// It looks for what matches on a reader and writes slices of `slice` deliveries, each with its part of the progress in
/// one closure of the group commit, so that the service's own writes go on between them. The place that a slice has
/// reached is written with it: after a crash the next slice begins there, and none is done twice or left out.
///
/// Retries are given to the scheduler no faster than it gets through them, so that a delivery which fails meanwhile does
/// not wait behind a hundred thousand, and an operation that is cancelled has not already been done.
final class OperationRunner: Sendable {
    /// Deliveries in one write.
    static let slice = 64
    /// Deliveries that are looked up in one read.
    static let lookedUp = 512
    /// Rows that are compared or counted in one read; fewer than for a page, since nobody waits for it.
    static let counted = 5_000
    /// Retries that may wait for the scheduler.
    static let outstanding = 1_000

    private let database: Database
    private let transitions: DeadLetterTransitions
    private let wake: Signal
    /// Raised when the table has something for the scheduler.
    private let onScheduled: Signal
    private let logger: Logger
    /// An operation waits for the scheduler to get on.
    private let isWaitingForRoom = Atomic(false)

    init(database: Database, transitions: DeadLetterTransitions, wake: Signal, onScheduled: Signal, logger: Logger) {
        self.database = database
        self.transitions = transitions
        self.wake = wake
        self.onScheduled = onScheduled
        self.logger = logger
    }

    /// What is known of an operation at work, beside its row.
    private struct Job {
        /// When it began in this process, or was resumed; the pace counts from here.
        let startedAt = ContinuousClock.Instant.now
        /// What had been gone through by then.
        let before: Int
        /// Where its row says that it is.
        var cursor: Int64
        /// What has been looked up and not been done.
        var candidates: ArraySlice<DeadLetterSearch.Hit> = []
        /// Where to look on; nil when all has been looked through.
        var next: DeadLetterSearch.Key?
        var isAtEnd = false
        /// What has been counted so far, and up to where.
        var count = 0
        var countedTo: DeadLetterSearch.Key?
    }

    private struct Running: Sendable {
        var operation: DeadLetterOperation
        var cursor: Int64
        var lastID: Int64

        var search: DeadLetterSearch {
            DeadLetterSearch(
                filter: operation.plan.filter,
                order: .oldestFirst,
                lastID: lastID,
                unchangedSince: operation.createdAt
            )
        }
    }

    private enum Outcome {
        case goesOn
        case waits(until: ContinuousClock.Instant)
        case ended
    }

    /// Runs until cancelled.
    func run() async {
        var jobs: [Int64: Job] = [:]
        while !Task.isCancelled {
            do {
                await wait(try await turn(&jobs))
            } catch {
                logger.error("an operation on dead letters cannot go on now", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return }
                // Whatever was written, the rows say so.
                jobs = [:]
                await wake.wait(until: .now + .seconds(1))
            }
        }
    }

    /// The scheduler has taken what was due.
    func schedulerGotOn() {
        if isWaitingForRoom.exchange(false, ordering: .relaxed) { wake.raise() }
    }

    private enum Pause {
        case none
        case until(ContinuousClock.Instant?)
    }

    private func wait(_ pause: Pause) async {
        if case .until(let moment) = pause { await wake.wait(until: moment) }
    }

    /// A slice of each operation that runs.
    private func turn(_ jobs: inout [Int64: Job]) async throws -> Pause {
        let running = try await database.read { transaction in
            try transaction.query("SELECT * FROM warren_operations WHERE state = 'running' ORDER BY id").map { row in
                Running(operation: try DeadLetterOperation(row), cursor: try row["cursor"], lastID: try row["last_id"])
            }
        }
        let known = jobs
        jobs = [:]
        var pause = Pause.until(nil)
        for one in running {
            let operation = one.operation
            var job = known[operation.id] ?? Job(before: operation.done + operation.failed, cursor: one.cursor)
            switch try await step(one, &job) {
            case .ended: continue
            case .goesOn: pause = .none
            case .waits(let moment):
                if case .until(let other) = pause { pause = .until(other.map { min($0, moment) } ?? moment) }
            }
            jobs[operation.id] = job
        }
        return pause
    }

    private func step(_ running: Running, _ job: inout Job) async throws -> Outcome {
        let operation = running.operation
        if operation.total == nil {
            try await count(running, &job)
            return .goesOn
        }
        let pace = OperationPace(operation.plan)
        let gone = operation.done + operation.failed - job.before
        let elapsed = (ContinuousClock.Instant.now - job.startedAt) / .seconds(1)
        var room = min(OperationRunner.slice, pace.allowance(after: elapsed) - gone)
        if let limit = operation.plan.limit { room = min(room, limit - operation.done) }
        let isAtLimit = operation.plan.limit.map { operation.done >= $0 } ?? false
        if room < 1, !isAtLimit {
            let few = max(1, min(OperationRunner.slice, Int((operation.plan.rate ?? 1) / 20)))
            return .waits(until: job.startedAt + .seconds(pace.seconds(until: gone + few)))
        }
        if operation.plan.action == .retry, try await isSchedulerFull() {
            return .waits(until: .now + .seconds(1))
        }
        if job.candidates.isEmpty, !job.isAtEnd, !isAtLimit {
            try await lookUp(running, &job)
            if job.candidates.isEmpty, !job.isAtEnd { return .goesOn }
        }
        return try await write(running, &job, count: isAtLimit ? 0 : room)
    }

    private func isSchedulerFull() async throws -> Bool {
        // Said first: what the scheduler gets through after the look must not be missed.
        isWaitingForRoom.store(true, ordering: .relaxed)
        let now = transitions.clock.now
        let due = try await database.read { transaction in
            try DeliveryTable.dueCount(at: now, limit: OperationRunner.outstanding, in: transaction)
        }
        let isFull = due > OperationRunner.outstanding - OperationRunner.slice
        if !isFull { isWaitingForRoom.store(false, ordering: .relaxed) }
        return isFull
    }

    /// Counts on; at the end the operation's row gets the number.
    private func count(_ running: Running, _ job: inout Job) async throws {
        let found = try await database.read { [job] transaction in
            try running.search.find(
                after: job.countedTo,
                limit: OperationRunner.counted,
                compared: OperationRunner.counted,
                in: transaction
            )
        }
        job.count += found.hits.count
        job.countedTo = found.next
        let limit = running.operation.plan.limit ?? .max
        guard found.next == nil || job.count >= limit else { return }
        let total = min(job.count, limit)
        try await database.write { transaction in
            _ = try transaction.execute(
                "UPDATE warren_operations SET total = $2, updated_at = $3 WHERE id = $1 AND total IS NULL",
                running.operation.id,
                total,
                WallClock.milliseconds()
            )
        }
    }

    private func lookUp(_ running: Running, _ job: inout Job) async throws {
        let after = job.next ?? DeadLetterSearch.Key(id: job.cursor)
        let found = try await database.read { transaction in
            try running.search.find(
                after: after,
                limit: OperationRunner.lookedUp,
                compared: OperationRunner.counted,
                in: transaction
            )
        }
        job.candidates = found.hits[...]
        job.next = found.next
        job.isAtEnd = found.next == nil
    }

    // MARK: Writing

    private struct Slice: Sendable {
        var id: Int64
        var hits: [DeadLetterSearch.Hit]
        var cursor: Int64
        var newCursor: Int64
        var isLast: Bool
    }

    /// Does up to `count` of what was looked up.
    private func write(_ running: Running, _ job: inout Job, count: Int) async throws -> Outcome {
        let hits = Array(job.candidates.prefix(count))
        let slice = Slice(
            id: running.operation.id,
            hits: hits,
            cursor: job.cursor,
            newCursor: hits.last?.id ?? job.cursor,
            isLast: hits.count == job.candidates.count && job.isAtEnd
        )
        let after = try await database.write { [transitions] transaction in
            try OperationRunner.perform(slice, by: transitions, in: transaction)
        }
        CrashPoint.reach("operation.committed")
        if !hits.isEmpty { onScheduled.raise() }
        // Paused, ended, or no longer where it was: the next turn reads it anew.
        guard let after else { return .ended }
        job.candidates = job.candidates.dropFirst(hits.count)
        job.cursor = slice.newCursor
        guard after.state == .done else { return .goesOn }
        logger.info(
            "an operation on dead letters is done",
            [
                LogField("operation.id", after.id), LogField("operation.action", after.plan.action.rawValue),
                LogField("operation.done", after.done), LogField("operation.failed", after.failed),
            ]
        )
        return .ended
    }

    /// One slice and its progress, in one transaction.
    ///
    /// - Returns: the operation as it is now; nil when it does not run any more, and then nothing was done.
    private static func perform(
        _ slice: Slice,
        by transitions: DeadLetterTransitions,
        in transaction: Transaction
    ) throws -> DeadLetterOperation? {
        let row = try transaction.first(
            "SELECT * FROM warren_operations WHERE id = $1 AND state = 'running' AND cursor = $2",
            slice.id,
            slice.cursor
        )
        guard let row else { return nil }
        var operation = try DeadLetterOperation(row)
        let doer = DeadLetterTransitions.Doer(actor: operation.actor, reason: operation.reason, operation: operation.id)
        let now = WallClock.milliseconds()
        var counts = DeadLetterGroupCounts.Changes()
        for hit in slice.hits {
            // Somebody may have been quicker since it was looked up.
            guard var letter = try DeliveryTable.letter(hit.id, in: transaction), letter.generation == hit.generation,
                letter.updatedAt == hit.updatedAt
            else {
                operation.failed += 1
                continue
            }
            do {
                try transitions.perform(
                    operation.plan.action,
                    on: &letter,
                    by: doer,
                    now: now,
                    counts: &counts,
                    in: transaction
                )
                operation.done += 1
            } catch is DeadLetterError {
                operation.failed += 1
            }
        }
        try counts.apply(now: now, in: transaction)
        CrashPoint.reach("operation.in-transaction")
        if slice.isLast || operation.plan.limit.map({ operation.done >= $0 }) ?? false {
            (operation.state, operation.finishedAt) = (.done, now)
        }
        try transaction.execute(
            """
            UPDATE warren_operations
            SET state = $2, cursor = $3, done = $4, failed = $5, updated_at = $6, finished_at = $7
            WHERE id = $1
            """,
            operation.id,
            operation.state.rawValue,
            slice.newCursor,
            operation.done,
            operation.failed,
            now,
            operation.finishedAt
        )
        return operation
    }
}
