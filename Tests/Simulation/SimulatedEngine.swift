@testable import Database

/// The database engine of one simulated process: the kit's group commit over a `Disk`, driven step by step.
///
/// What is queued when the process ends is lost; what has been committed is not, even if nobody has heard of it.
///
/// Unchecked: one thread.
final class SimulatedEngine: Engine, @unchecked Sendable {
    struct ProcessEnded: Error {}

    private let disk: Disk
    /// Whether the process lives: a commit of one that has ended on the way there does not happen.
    private let isAlive: () -> Bool
    private var writes: [any Job] = []
    private var reads: [any Job] = []
    /// Done, and not yet reported.
    private var finished: [FinishedLater] = []
    private var isClosing = false
    private var observers: [UnsafeContinuation<Void, Never>] = []
    /// Makes the next commit fail.
    var nextFailure: DatabaseError?
    /// Makes every commit fail while it is set.
    var isFull = false

    init(disk: Disk, isAlive: @escaping () -> Bool) {
        self.disk = disk
        self.isAlive = isAlive
    }

    func enqueueWrite(_ job: any Job) -> Bool {
        guard !isClosing else { return false }
        writes.append(job)
        return true
    }

    func enqueueRead(_ job: any Job) -> Bool {
        guard !isClosing else { return false }
        reads.append(job)
        return true
    }

    func backUp(to path: String) async throws {}

    func beginClosing() { isClosing = true }

    func waitUntilClosed() async {
        if isIdle { return }
        await withUnsafeContinuation { observers.append($0) }
    }

    var statistics: Database.Statistics { Database.Statistics() }

    private var isIdle: Bool { writes.isEmpty && reads.isEmpty && finished.isEmpty }

    // MARK: Steps

    var canCommit: Bool { !writes.isEmpty && finished.isEmpty }
    var canRead: Bool { !reads.isEmpty }
    var canReport: Bool { !finished.isEmpty }

    /// Commits what is queued, or the first part of it, as one group.
    func commit(_ random: inout SeededRandom) -> Int {
        let count = random.once(in: 2) ? writes.count : 1 + random.below(writes.count)
        let group = writes.prefix(count).map { FinishedLater(job: $0) }
        writes.removeFirst(count)
        let failure = nextFailure ?? (isFull ? DatabaseError(code: .full, reason: "the disk is full") : nil)
        nextFailure = nil
        let alive = isAlive
        disk.writer.beforeCommit = {
            if !alive() { throw ProcessEnded() }
            if let failure { throw failure }
        }
        let committer = GroupCommitter()
        for job in group { _ = committer.enqueue(job) }
        committer.close()
        committer.run(on: disk.writer)
        finished = group
        return count
    }

    /// Reads for one caller.
    func read(_ random: inout SeededRandom) {
        let pool = ReaderPool()
        _ = pool.enqueue(reads.remove(at: random.below(min(2, reads.count))))
        pool.close()
        pool.run(on: disk.reader)
        tellIfIdle()
    }

    /// Tells one caller how its write has ended.
    func report() {
        finished.removeFirst().report()
        tellIfIdle()
    }

    private func tellIfIdle() {
        guard isClosing, isIdle else { return }
        for observer in observers { observer.resume() }
        observers = []
    }

    /// A write whose caller hears of its end in a step of its own.
    ///
    /// Unchecked: one thread.
    private final class FinishedLater: Job, @unchecked Sendable {
        let job: any Job
        var error: (any Error)?

        init(job: any Job) { self.job = job }

        var deadline: Duration { job.deadline }
        func run(in transaction: Transaction) throws { try job.run(in: transaction) }
        func finish(_ error: (any Error)?) { self.error = error }
        func report() { job.finish(error) }
    }
}
