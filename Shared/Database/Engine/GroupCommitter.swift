import Synchronization

/// The writer: takes whatever is queued, runs each closure in a step of its own, commits once, resumes them all.
///
/// There is no timer: a group is what arrived during the commit before. A closure that comes alone is committed alone
/// and at once.
final class GroupCommitter: Sendable {
    /// How many closures share a commit at most.
    ///
    /// More gain nothing (64 and 256 measure alike) and make the first wait.
    static let largestGroup = 256

    private let queue = WorkQueue<any Job>()
    private let counters = Mutex(Database.Statistics())
    private let watch: WriteWatch

    init(watch: WriteWatch = WriteWatch()) {
        self.watch = watch
    }

    /// The counters so far.
    var statistics: Database.Statistics {
        var statistics = counters.withLock { $0 }
        statistics.waitingWrites = waiting
        statistics.presentWriteSeconds = watch.present().lasted / .seconds(1)
        return statistics
    }

    /// How many closures wait, those of the group that runs not counted.
    var waiting: Int { queue.count }

    /// Queues a closure; false when closed.
    func enqueue(_ job: any Job) -> Bool { queue.push(job) }

    /// Takes nothing more; `run` returns when it has finished what is queued.
    func close() { queue.close() }

    /// Writes until closed.
    ///
    /// Called on the writer's thread, to which `connection` belongs.
    func run(on connection: any EngineConnection) {
        while let jobs = queue.take(upTo: Self.largestGroup) {
            let group = Group(jobs, watch: watch)
            group.run(on: connection)
            watch.enter(.finishing)
            counters.withLock { counters in
                counters.walBytes = connection.logBytes
                counters.largestGroup = max(counters.largestGroup, jobs.count)
                counters.closures += group.committed
                counters.failedClosures += jobs.count - group.committed
                counters.commits += group.committed > 0 ? 1 : 0
            }
            for action in group.actions { action() }
            for (job, error) in zip(jobs, group.errors) { job.finish(error) }
            connection.maintain()
            watch.enter(.idle)
        }
    }

    /// One group on its way through one transaction - or several, where an error of the engine ends one in the middle.
    private final class Group {
        let jobs: [any Job]
        private(set) var errors: [(any Error)?]
        private(set) var actions: [@Sendable () -> Void] = []
        /// How many closures are in the commit.
        private(set) var committed = 0
        /// The first job that has not run.
        private var next = 0
        /// Why the engine gave up the transaction in the middle, where it is not the error of the job that ran.
        private var loss: (any Error)?

        private let watch: WriteWatch

        init(_ jobs: [any Job], watch: WriteWatch) {
            self.jobs = jobs
            self.watch = watch
            errors = Array(repeating: nil, count: jobs.count)
        }

        func run(on connection: any EngineConnection) {
            while next < jobs.count {
                runTransaction(on: connection)
            }
        }

        /// Runs jobs in one transaction: all that are left, or up to the one with which the transaction is lost.
        private func runTransaction(on connection: any EngineConnection) {
            let first = next
            loss = nil
            watch.groupBegins()
            do {
                try connection.beginWrite()
            } catch {
                connection.rollBack()
                next = jobs.count
                return fail(first..<next, with: error)
            }
            // A closure that is alone is the whole transaction: it needs no step to be undone alone.
            let isAlone = jobs.count - first == 1
            while next < jobs.count {
                let position = next
                next += 1
                watch.enter(.closure)
                guard let error = runStep(jobs[position], isAlone: isAlone, on: connection) else { continue }
                errors[position] = error
                if !connection.isTransactionOpen {
                    return fail(first..<position, with: Self.shared(loss ?? error))
                }
            }
            guard committed > 0 else { return connection.rollBack() }
            watch.enter(.committing)
            do {
                try connection.commit()
            } catch {
                connection.rollBack()
                fail(first..<next, with: error)
            }
        }

        /// Runs one job; gives the error of one that failed and has been undone, or with which the transaction is lost.
        private func runStep(_ job: any Job, isAlone: Bool, on connection: any EngineConnection) -> (any Error)? {
            do {
                if !isAlone { try connection.beginStep() }
                let transaction = Transaction(on: connection)
                let added: [@Sendable () -> Void]
                do {
                    try job.run(in: transaction)
                    added = transaction.finish()
                } catch {
                    _ = transaction.finish()
                    throw error
                }
                try connection.checkStep()
                if !isAlone { try connection.keepStep() }
                actions += added
                committed += 1
                return nil
            } catch {
                let failure = error
                do {
                    if isAlone { connection.rollBack() } else { try connection.undoStep() }
                } catch {
                    loss = error
                    connection.rollBack()
                }
                return failure
            }
        }

        /// What was done in the current transaction is undone: whoever has no error of their own gets this one.
        private func fail(_ positions: Range<Int>, with error: any Error) {
            for position in positions where errors[position] == nil { errors[position] = error }
            actions.removeAll()
            committed = 0
        }

        /// What the neighbours of a closure hear that took the transaction with it.
        ///
        /// They have not failed by themselves, and may be tried again: transient, whatever the error itself is.
        private static func shared(_ error: any Error) -> DatabaseError {
            let cause = error as? DatabaseError
            return DatabaseError(
                code: cause.flatMap { $0.isTransient ? $0.code : nil } ?? .busy,
                reason: "rolled back with a write of the same group (\(cause?.reason ?? "an error of its closure"))"
            )
        }
    }
}
