import Synchronization

/// What stands in one line: the deliveries of a subject, or the copies of one delivery.
enum LineKey: Hashable, Sendable {
    case subject(SubjectKey)
    case delivery(DeliveryKey)
    /// A row of the table.
    case row(Int64)
}

/// Runs work in tasks: what shares a line one after the other, the rest side by side.
///
/// An attempt that takes too long can be taken from its handler: then its line goes on without it, in another task.
final class Lanes: Sendable {
    typealias Work = @Sendable (Lane) async -> Void

    /// A line while it has work.
    final class Lane: Sendable {
        fileprivate let number: Int
        private let blocked: Atomic<Bool>
        private let left = Atomic(false)
        /// What waits for its turn.
        fileprivate let waiting: Mutex<[Work]>
        /// The attempt at work, if it can be given up.
        private let attempt = Mutex<Delivery?>(nil)

        fileprivate init(_ number: Int, isBlocked: Bool = false, waiting: [Work] = []) {
            self.number = number
            blocked = Atomic(isBlocked)
            self.waiting = Mutex(waiting)
        }

        /// An earlier delivery in this line failed, so the ones after it must ask before they run.
        var isBlocked: Bool {
            get { blocked.load(ordering: .acquiring) }
            set { blocked.store(newValue, ordering: .releasing) }
        }

        /// The line goes on without the task that this one has.
        fileprivate var isLeft: Bool {
            get { left.load(ordering: .acquiring) }
            set { left.store(newValue, ordering: .releasing) }
        }

        /// An attempt begins.
        func begin(_ delivery: Delivery) {
            attempt.withLock { $0 = delivery }
        }

        /// The attempt's handler has ended, and so has everything that can take the attempt from it.
        ///
        /// - Returns: false where that has happened: then the attempt is nobody's concern here any more.
        func end(_ delivery: Delivery) -> Bool {
            attempt.withLock { $0 = nil }
            return !delivery.isGivenUp
        }

        /// Takes the attempt from its handler if it began before that tick.
        fileprivate func giveUp(begunBefore tick: Int) -> Work? {
            attempt.withLock { attempt in
                guard let delivery = attempt, delivery.tick < tick else { return nil }
                switch delivery.giveUp() {
                case .goesOn: return nil
                case .isSettled: return { _ in }
                case .isOpen: return { _ in await delivery.timedOut() }
                }
            }
        }
    }

    private struct State {
        /// The lines that have work.
        var lanes: [LineKey: Lane] = [:]
        var tasks: [Int: Task<Void, Never>] = [:]
        /// The numbers of tasks that were left behind and have not ended.
        var strays: Set<Int> = []
        /// The numbers of tasks at work on a suspect.
        var suspects: Set<Int> = []
        var nextTask = 0
        var isCancelled = false
        var observers: [(continuation: CheckedContinuation<Void, Never>, besideSuspects: Bool)] = []

        func isIdle(besideSuspects: Bool) -> Bool {
            besideSuspects ? tasks.count == suspects.count : tasks.isEmpty
        }

        /// Takes out those whose wait is over.
        mutating func takeObservers() -> [CheckedContinuation<Void, Never>] {
            guard !observers.isEmpty else { return [] }
            let isOver = (all: isIdle(besideSuspects: false), others: isIdle(besideSuspects: true))
            let over = observers.filter { $0.besideSuspects ? isOver.others : isOver.all }
            observers.removeAll { $0.besideSuspects ? isOver.others : isOver.all }
            return over.map(\.continuation)
        }
    }

    private let state = Mutex(State())

    /// Which of these lines have work now.
    func busy(among lines: [LineKey]) -> Set<LineKey> {
        state.withLock { state in
            state.lanes.isEmpty ? [] : Set(lines.filter { state.lanes[$0] != nil })
        }
    }

    /// Whether handlers are at work whose attempts have been given up.
    var hasStrays: Bool { state.withLock { !$0.strays.isEmpty } }

    /// Runs work in its line.
    ///
    /// - Parameter isSuspect: whether it is a suspect's, that is to be alone.
    /// - Returns: whether it began at once; false where it waits for what stands before it.
    @discardableResult
    func run(in key: LineKey, isSuspect: Bool = false, _ work: @escaping Work) -> Bool {
        let (begins, cancelled) = state.withLock { state -> (Bool, Task<Void, Never>?) in
            if let lane = state.lanes[key] {
                lane.waiting.withLock { $0.append(work) }
                return (false, nil)
            }
            let lane = Lane(state.nextTask)
            if isSuspect { state.suspects.insert(lane.number) }
            let task = start(lane, as: key, work, &state)
            return (true, state.isCancelled ? task : nil)
        }
        // Outside of the lock: cancelling runs whatever handlers of cancellation the work has set up by now.
        cancelled?.cancel()
        return begins
    }

    /// The task is entered under the lock that it takes to leave, so it cannot leave before it is entered.
    @discardableResult
    private func start(
        _ lane: Lane,
        as key: LineKey,
        _ work: @escaping Work,
        _ state: inout State
    ) -> Task<Void, Never> {
        state.lanes[key] = lane
        state.nextTask += 1
        let task = Task {
            await work(lane)
            while let next = self.next(in: key, lane) { await next(lane) }
            self.ended(lane.number)
        }
        state.tasks[lane.number] = task
        return task
    }

    /// What comes next in a line; nil, and the line is gone, when nothing does.
    private func next(in key: LineKey, _ lane: Lane) -> Work? {
        state.withLock { state in
            if lane.isLeft { return nil }
            let next = lane.waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if next == nil {
                state.lanes[key] = nil
            } else if !state.suspects.isEmpty {
                state.suspects.remove(lane.number)
            }
            return next
        }
    }

    /// Takes attempts that began before that tick from their handlers, whose tasks are cancelled; their lines go on, with what
    /// is to be written down first.
    ///
    /// - Returns: how many there were.
    func giveUp(begunBefore tick: Int) -> Int {
        let (left, count) = state.withLock { state -> ([Task<Void, Never>], Int) in
            guard !state.isCancelled else { return ([], 0) }
            var left: [Task<Void, Never>] = []
            var count = 0
            for (key, lane) in state.lanes {
                guard let record = lane.giveUp(begunBefore: tick) else { continue }
                count += 1
                lane.isLeft = true
                state.strays.insert(lane.number)
                state.suspects.remove(lane.number)
                if let task = state.tasks.removeValue(forKey: lane.number) { left.append(task) }
                let waiting = lane.waiting.withLock { waiting in exchange(&waiting, with: []) }
                start(Lane(state.nextTask, isBlocked: true, waiting: waiting), as: key, record, &state)
            }
            return (left, count)
        }
        for task in left { task.cancel() }
        return count
    }

    /// Returns when nothing is in work, handlers aside whose attempts have been given up.
    ///
    /// - Parameter besideSuspects: whether suspects are not waited for that had a turn and take long.
    func drained(besideSuspects: Bool = false) async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isIdle(besideSuspects: besideSuspects) { return true }
                state.observers.append((continuation, besideSuspects))
                return false
            }
            if isIdle { continuation.resume() }
        }
    }

    /// Cancels everything in work.
    func cancel() {
        let tasks = state.withLock { state in
            state.isCancelled = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
    }

    private func ended(_ number: Int) {
        let observers = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            if state.strays.remove(number) != nil { return [] }
            state.tasks[number] = nil
            if !state.suspects.isEmpty { state.suspects.remove(number) }
            return state.takeObservers()
        }
        for observer in observers { observer.resume() }
    }
}
