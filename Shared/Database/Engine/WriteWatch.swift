import Glibc
import Synchronization
import Telemetry

/// Notices when what the writer is doing takes too long, and says so in the log and in the metrics.
///
/// It can end nothing: SQL that runs too long is given up by its connection, but a Swift closure that blocks or loops, a
/// disk that does not answer, or a file system's lock holds every other write until it is over. This is how somebody
/// gets to know.
///
/// The writer only counts (a load and a store for each closure, no clock); a thread of its own looks at the count once in
/// an interval, and sleeps while nothing is written.
///
/// Unchecked: `looks` is touched with the mutex held; the pointers never change.
@safe final class WriteWatch: @unchecked Sendable {
    /// What the writer is about.
    enum Phase: UInt64 {
        /// Nothing.
        case idle
        /// Beginning a transaction, for which it may have to wait until the file is free.
        case beginning
        /// Running a caller's closure.
        case closure
        /// Making a transaction durable.
        case committing
        /// Calling what was to be called after the commit, and checkpointing.
        case finishing

        var name: String {
            switch self {
            case .idle: "idle"
            case .beginning: "beginning"
            case .closure: "closure"
            case .committing: "committing"
            case .finishing: "finishing"
            }
        }
    }

    /// What one look saw: the count, and since when it has been the same.
    private struct Look {
        var mark: UInt64
        var since: ContinuousClock.Instant
    }

    /// How long something may take before it is reported; reported again whenever that has doubled.
    let limit: Duration
    /// Between two looks.
    let interval: Duration

    /// A count in the upper bits, the phase in the lowest three.
    ///
    /// Only the writer stores it.
    private let mark = Atomic<UInt64>(0)
    private let isAsleep = Atomic(false)
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let call: UnsafeMutablePointer<pthread_cond_t>
    private var look = Look(mark: 0, since: .now)
    private var isClosed = false

    init(limit: Duration = Database.writeDeadline, interval: Duration = .seconds(1)) {
        self.limit = limit
        self.interval = interval
        unsafe mutex = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe call = .allocate(capacity: 1)
        var attributes = pthread_condattr_t()
        unsafe pthread_condattr_init(&attributes)
        unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        unsafe pthread_cond_init(call, &attributes)
        unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
        unsafe pthread_cond_destroy(call)
        unsafe call.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    // MARK: On the writer's thread

    /// Says what the writer does from now on.
    func enter(_ phase: Phase) {
        let next = (mark.load(ordering: .relaxed) & ~7) &+ 8 | phase.rawValue
        mark.store(next, ordering: .relaxed)
    }

    /// Says that a group begins, and wakes whoever looks.
    func groupBegins() {
        let next = (mark.load(ordering: .relaxed) & ~7) &+ 8 | Phase.beginning.rawValue
        // Either this is seen by the one who falls asleep, or it is seen here that somebody sleeps.
        mark.store(next, ordering: .sequentiallyConsistent)
        guard isAsleep.load(ordering: .sequentiallyConsistent) else { return }
        unsafe pthread_mutex_lock(mutex)
        unsafe pthread_cond_signal(call)
        unsafe pthread_mutex_unlock(mutex)
    }

    // MARK: From any thread

    /// What the writer is doing, and how long it has been seen doing it; an interval less than the truth at most.
    func present() -> (phase: Phase, lasted: Duration) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        let now = lookNow()
        return now.phase == .idle ? (.idle, .zero) : now
    }

    /// Lets `run` return.
    func close() {
        unsafe pthread_mutex_lock(mutex)
        isClosed = true
        unsafe pthread_cond_signal(call)
        unsafe pthread_mutex_unlock(mutex)
    }

    // MARK: On its own thread

    /// Looks until closed.
    ///
    /// - Parameters:
    ///   - logger: where it is reported.
    ///   - waiting: how many writes wait behind the one that runs.
    func run(logger: Logger, waiting: () -> Int) {
        var next = limit
        var reported: Phase?
        var longest: Duration = .zero
        while let (phase, lasted) = waitAndLook() {
            if phase != .idle && lasted >= next {
                logger.warning(
                    "what the database's writer does takes long, and other writes wait",
                    [
                        LogField("database.writer.phase", phase.name),
                        LogField("database.writer.seconds", lasted / .seconds(1)),
                        LogField("database.writer.waiting", waiting()),
                    ]
                )
                reported = phase
                longest = lasted
                next = lasted * 2
            } else if let phase = reported, lasted < longest {
                logger.warning(
                    "the database's writer goes on",
                    [
                        LogField("database.writer.phase", phase.name),
                        LogField("database.writer.seconds_at_least", longest / .seconds(1)),
                    ]
                )
                reported = nil
                next = limit
            } else if reported != nil {
                longest = lasted
            }
        }
    }

    /// Sleeps until the next look is due, which is never while nothing is written; nil when closed.
    private func waitAndLook() -> (phase: Phase, lasted: Duration)? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        guard !isClosed else { return nil }
        let (phase, lasted) = lookNow()
        if phase == .idle && lasted > .zero {
            // Nothing since the look before.
            isAsleep.store(true, ordering: .sequentiallyConsistent)
            if mark.load(ordering: .sequentiallyConsistent) == look.mark { unsafe pthread_cond_wait(call, mutex) }
            isAsleep.store(false, ordering: .relaxed)
        } else {
            var end = timespec()
            unsafe clock_gettime(CLOCK_MONOTONIC, &end)
            let (seconds, attoseconds) = interval.components
            let nanoseconds = end.tv_nsec + Int(attoseconds / 1_000_000_000)
            end.tv_sec += Int(seconds) + nanoseconds / 1_000_000_000
            end.tv_nsec = nanoseconds % 1_000_000_000
            unsafe pthread_cond_timedwait(call, mutex, &end)
        }
        return isClosed ? nil : lookNow()
    }

    /// Called with the mutex held.
    private func lookNow() -> (phase: Phase, lasted: Duration) {
        let seen = mark.load(ordering: .relaxed)
        let now = ContinuousClock.now
        if seen != look.mark { look = Look(mark: seen, since: now) }
        let phase = Phase(rawValue: seen & 7) ?? .idle
        return (phase, look.since.duration(to: now))
    }
}
