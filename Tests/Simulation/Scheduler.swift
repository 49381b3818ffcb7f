import CInterpose

/// A job of Swift's concurrency runtime: a piece of a task that can run, or a sleep that ends.
typealias JobPointer = UnsafeMutableRawPointer

/// Runs the tasks of all simulated processes, one piece at a time, in an order drawn from the seed.
///
/// Every job that the runtime would give to its threads comes here instead, and belongs to the process in whose `context`
/// it was made ready. The jobs of a process that has ended are dropped: it never runs again.
///
/// Unchecked: one thread.
final class Scheduler: @unchecked Sendable {
    /// The simulation that is running; the runtime's hook knows no other way to it.
    nonisolated(unsafe) static var current: Scheduler?

    private struct Timer {
        var deadline: UInt64
        var number: Int
        var process: Int
        var job: JobPointer?
        var action: (() -> Void)?
    }

    /// What the simulation decides by.
    var random: SeededRandom
    /// What has happened so far, as one number.
    private(set) var trace: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var steps = 0
    private var ready: [Int: [JobPointer]] = [:]
    private var timers: [Timer] = []
    private var timerNumber = 0
    private var living: Set<Int> = []
    private var process = 0
    private var nextProcess = 1
    private let start: UInt64
    /// The latest that the clock on the wall has shown in any simulation.
    nonisolated(unsafe) private static var latest: UInt64 = 0
    private var wallOffset: Int64 = 0

    init(seed: UInt64) {
        random = SeededRandom(seed: mix64(seed))
        // Each simulation begins later than the one before ended: the kit's generator of identifiers never goes back.
        start =
            interpose_time() == 0
            ? 1_800_000_000_000_000_000
            : (max(interpose_time(), Scheduler.latest) / 1_000_000_000 + 2) * 1_000_000_000
        interpose_set_time(start)
        interpose_set_wall_offset(0)
        interpose_set_random(mix64(seed &+ 1))
        Scheduler.current = self
    }

    /// Nanoseconds of the virtual clock.
    var now: UInt64 { interpose_time() }

    /// Somebody sets the clock on the wall; nothing else notices.
    func stepClock(seconds: Int) {
        note(18, seconds)
        tell("the clock is set by \(seconds) s")
        noteWall()
        wallOffset += Int64(seconds) * 1_000_000_000
        interpose_set_wall_offset(wallOffset)
        noteWall()
    }

    private func noteWall() {
        Scheduler.latest = max(Scheduler.latest, UInt64(Int64(now) + wallOffset))
    }

    /// Whether the course of things is told, for a person who looks into a failure.
    var isVerbose = false

    /// Tells what happens.
    func tell(_ text: @autoclosure () -> String) {
        guard isVerbose else { return }
        print("  \(Double((now - start) / 1_000) / 1_000) ms: \(text())")
    }

    /// Takes something into the trace.
    func note(_ values: Int...) {
        for value in values { trace = (trace ^ UInt64(bitPattern: Int64(value))) &* 0x0000_0100_0000_01B3 }
    }

    // MARK: Processes

    /// Starts a process: what `body` makes ready belongs to it.
    func makeProcess() -> Int {
        defer { nextProcess += 1 }
        living.insert(nextProcess)
        return nextProcess
    }

    /// Whether a process has been started.
    var hasProcesses: Bool { nextProcess > 1 }

    func isAlive(_ process: Int) -> Bool { living.contains(process) }

    /// Ends a process: nothing of it runs again.
    func end(_ process: Int) {
        living.remove(process)
        ready[process] = nil
        timers.removeAll { $0.process == process }
    }

    /// Does something in the name of a process.
    func inContext<Result>(of process: Int, _ body: () throws -> Result) rethrows -> Result {
        let outer = self.process
        self.process = process
        defer { self.process = outer }
        return try body()
    }

    /// The hook: a job is ready, now or at a time.
    func enqueue(_ job: JobPointer, deadline: UInt64) {
        guard living.contains(process) else { return }
        if deadline == 0 {
            ready[process, default: []].append(job)
        } else {
            add(Timer(deadline: deadline, number: 0, process: process, job: job, action: nil))
        }
    }

    /// Does something of the world's own later.
    func after(milliseconds: Int, _ action: @escaping () -> Void) {
        add(Timer(deadline: now + UInt64(milliseconds) * 1_000_000, number: 0, process: 0, job: nil, action: action))
    }

    private func add(_ timer: Timer) {
        var timer = timer
        timerNumber += 1
        timer.number = timerNumber
        // The latest first, so that the earliest is taken from the end.
        var low = 0
        var high = timers.count
        while low < high {
            let middle = (low + high) / 2
            let other = timers[middle]
            if (other.deadline, other.number) > (timer.deadline, timer.number) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        timers.insert(timer, at: low)
    }

    // MARK: Steps

    /// The processes that have something to run, in a fixed order.
    var runnable: [Int] { ready.keys.filter { ready[$0]?.isEmpty == false }.sorted() }

    /// Runs one job of a process.
    func run(_ process: Int) {
        guard var jobs = ready[process], !jobs.isEmpty else { return }
        // The runtime's threads take jobs in order, more or less.
        let position = random.once(in: 3) ? random.below(jobs.count) : 0
        let job = jobs.remove(at: position)
        ready[process] = jobs
        note(1, process, position)
        inContext(of: process) { interpose_run(job) }
    }

    func countStep() { steps += 1 }

    /// Lets time pass to the next thing that waits for it.
    ///
    /// - Returns: false when nothing does.
    func advanceToNext() -> Bool {
        guard let next = timers.last else { return false }
        advance(to: max(now, next.deadline))
        return true
    }

    /// Lets time pass.
    func advance(to time: UInt64) {
        interpose_set_time(max(now, time))
        noteWall()
        note(2, Int(now - start))
        while let timer = timers.last, timer.deadline <= now {
            timers.removeLast()
            if let job = timer.job {
                if living.contains(timer.process) { ready[timer.process, default: []].append(job) }
            } else {
                timer.action?()
            }
        }
    }
}
