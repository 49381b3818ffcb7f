import Synchronization

/// What stands in one line: the deliveries of a subject, or the copies of one delivery.
enum LineKey: Hashable, Sendable {
    case subject(SubjectKey)
    case delivery(DeliveryKey)
    /// A row of the table.
    case row(Int64)
}

/// Runs work in tasks: what shares a line one after the other, the rest side by side.
final class Lanes: Sendable {
    typealias Work = @Sendable (Lane) async -> Void

    /// A line while it has work.
    final class Lane: Sendable {
        private let blocked = Atomic(false)
        /// What waits for its turn.
        fileprivate let waiting = Mutex<[Work]>([])

        /// An earlier delivery in this line failed, so the ones after it must ask before they run.
        var isBlocked: Bool {
            get { blocked.load(ordering: .acquiring) }
            set { blocked.store(newValue, ordering: .releasing) }
        }
    }

    private struct State {
        /// The lines that have work.
        var lanes: [LineKey: Lane] = [:]
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextTask = 0
        var isCancelled = false
        var observers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Which of these lines have work now.
    func busy(among lines: [LineKey]) -> Set<LineKey> {
        state.withLock { state in
            state.lanes.isEmpty ? [] : Set(lines.filter { state.lanes[$0] != nil })
        }
    }

    /// Runs work in its line.
    func run(in key: LineKey, _ work: @escaping Work) {
        state.withLock { state in
            if let lane = state.lanes[key] {
                lane.waiting.withLock { $0.append(work) }
                return
            }
            let lane = Lane()
            state.lanes[key] = lane
            let number = state.nextTask
            state.nextTask += 1
            // The task is entered under the lock that it takes to leave, so it cannot leave before it is entered.
            let task = Task {
                await work(lane)
                while let next = self.next(in: key, lane) { await next(lane) }
                self.ended(number)
            }
            state.tasks[number] = task
            if state.isCancelled { task.cancel() }
        }
    }

    /// What comes next in a line; nil, and the line is gone, when nothing does.
    private func next(in key: LineKey, _ lane: Lane) -> Work? {
        state.withLock { state in
            let next = lane.waiting.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            if next == nil { state.lanes[key] = nil }
            return next
        }
    }

    /// Returns when nothing is in work.
    func drained() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.tasks.isEmpty { return true }
                state.observers.append(continuation)
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
            state.tasks[number] = nil
            guard state.tasks.isEmpty else { return [] }
            defer { state.observers = [] }
            return state.observers
        }
        for observer in observers { observer.resume() }
    }
}
