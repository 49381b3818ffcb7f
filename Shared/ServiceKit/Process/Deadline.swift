import Synchronization

/// Bounds the wait for work that may not end.
enum Deadline {
    /// What `operation` gives, or nil when it has not ended within `limit`; then it is cancelled, and no longer waited
    /// for.
    @concurrent
    static func value<Value: Sendable>(
        within limit: Duration,
        of operation: @escaping @Sendable () async -> Value
    ) async -> Value? {
        await withCheckedContinuation { (continuation: CheckedContinuation<Value?, Never>) in
            let first = First(continuation)
            let work = Task {
                let value = await operation()
                first.resume(value)
            }
            let timer = Task {
                try await Task.sleep(for: limit)
                // First: work that ends because it is cancelled ended too late.
                first.resume(nil)
                work.cancel()
            }
            first.onResume { timer.cancel() }
        }
    }

    /// Resumes a continuation once; later answers are dropped.
    private final class First<Value: Sendable>: Sendable {
        private struct State {
            var continuation: CheckedContinuation<Value?, Never>?
            var action: (@Sendable () -> Void)?
        }

        private let state: Mutex<State>

        init(_ continuation: CheckedContinuation<Value?, Never>) {
            state = Mutex(State(continuation: continuation))
        }

        func resume(_ value: Value?) {
            let taken = state.withLock { state in
                defer { state = State() }
                return state
            }
            taken.continuation?.resume(returning: value)
            taken.action?()
        }

        func onResume(_ action: @escaping @Sendable () -> Void) {
            let isOver = state.withLock { state in
                if state.continuation != nil { state.action = action }
                return state.continuation == nil
            }
            if isOver { action() }
        }
    }
}
