import Synchronization

/// Runs work in tasks: what shares a subject one after the other, the rest side by side.
final class Lanes: Sendable {
    typealias Work = @Sendable (Lane) async -> Void

    /// The line of one subject while it has work.
    final class Lane: Sendable {
        private let blocked = Mutex(false)

        /// An earlier delivery in this line failed, so the ones after it must ask before they run.
        var isBlocked: Bool {
            get { blocked.withLock { $0 } }
            set { blocked.withLock { $0 = newValue } }
        }
    }

    private struct State {
        var waiting: [SubjectKey: [Work]] = [:]
        var tasks: [Int: Task<Void, Never>] = [:]
        var nextTask = 0
        var isCancelled = false
        var observers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Runs work in the line of its subject.
    func run(_ work: @escaping Work, in subject: SubjectKey) {
        let isFirst = state.withLock { state in
            if state.waiting[subject] != nil {
                state.waiting[subject]?.append(work)
                return false
            }
            state.waiting[subject] = []
            return true
        }
        guard isFirst else { return }
        start {
            let lane = Lane()
            var next: Work? = work
            while let current = next {
                await current(lane)
                next = self.state.withLock { state in
                    guard var line = state.waiting[subject], !line.isEmpty else {
                        state.waiting[subject] = nil
                        return nil
                    }
                    let first = line.removeFirst()
                    state.waiting[subject] = line
                    return first
                }
            }
        }
    }

    /// Runs work beside everything else.
    func run(_ work: @escaping Work) {
        start { await work(Lane()) }
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
