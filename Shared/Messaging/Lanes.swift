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
        private let blocked = Mutex(false)

        /// An earlier delivery in this line failed, so the ones after it must ask before they run.
        var isBlocked: Bool {
            get { blocked.withLock { $0 } }
            set { blocked.withLock { $0 = newValue } }
        }
    }

    private struct State {
        var waiting: [LineKey: [Work]] = [:]
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextTask = 0
        var isCancelled = false
        var observers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Which of these lines have work now.
    func busy(among lines: [LineKey]) -> Set<LineKey> {
        state.withLock { state in
            state.waiting.isEmpty ? [] : Set(lines.filter { state.waiting[$0] != nil })
        }
    }

    /// Runs work in its line.
    func run(in key: LineKey, _ work: @escaping Work) {
        let isFirst = state.withLock { state in
            if state.waiting[key] != nil {
                state.waiting[key]?.append(work)
                return false
            }
            state.waiting[key] = []
            return true
        }
        guard isFirst else { return }
        start {
            let lane = Lane()
            var next: Work? = work
            while let current = next {
                await current(lane)
                next = self.state.withLock { state in
                    guard var line = state.waiting[key], !line.isEmpty else {
                        state.waiting[key] = nil
                        return nil
                    }
                    let first = line.removeFirst()
                    state.waiting[key] = line
                    return first
                }
            }
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

    private func start(_ body: @escaping @Sendable () async -> Void) {
        // The task is entered under the lock that it takes to leave, so it cannot leave before it is entered.
        state.withLock { state in
            let number = state.nextTask
            state.nextTask += 1
            let task = Task {
                await body()
                self.ended(number)
            }
            state.tasks[number] = task
            if state.isCancelled { task.cancel() }
        }
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
