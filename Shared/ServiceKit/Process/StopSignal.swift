import Synchronization

/// The request to stop, made once and for good.
///
/// Thread-safe.
final class StopSignal: Sendable {
    private struct State {
        var isRequested = false
        var actions: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    /// Asks the program to stop.
    ///
    /// Only the first call has an effect.
    func request() {
        let actions = state.withLock { state in
            defer {
                state.isRequested = true
                state.actions = []
            }
            return state.actions
        }
        for action in actions { action() }
    }

    var isRequested: Bool { state.withLock { $0.isRequested } }

    /// Calls `action` when the stop is requested, at once if it has been.
    func onRequest(_ action: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isRequested { state.actions.append(action) }
            return state.isRequested
        }
        if isOver { action() }
    }
}
