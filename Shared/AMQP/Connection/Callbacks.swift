import Synchronization

/// What is to be called outside of a lock, in the order in which it was added under it.
///
/// Resuming a task, handing it an element of a stream or cancelling it takes that task's own lock, which is held while the
/// handlers of its cancellation run. Those may ask for any lock of the objects that they know, so whoever resumes under such
/// a lock waits for ever for a handler that waits for him.
package final class Callbacks: Sendable {
    private struct State {
        var due: [@Sendable () -> Void] = []
        var isCalling = false
    }

    private let state = Mutex(State())

    /// Makes one with nothing to call.
    package init() {}

    /// Adds something; `call` must follow, outside of the caller's lock.
    package func add(_ callback: @escaping @Sendable () -> Void) {
        state.withLock { $0.due.append(callback) }
    }

    /// Calls what is due, unless somebody is at it, who then calls this too.
    package func call() {
        while true {
            let due = state.withLock { state -> [@Sendable () -> Void] in
                guard !state.isCalling, !state.due.isEmpty else { return [] }
                state.isCalling = true
                defer { state.due = [] }
                return state.due
            }
            guard !due.isEmpty else { return }
            for callback in due { callback() }
            state.withLock { $0.isCalling = false }
        }
    }
}
