import Synchronization

/// Wakes everybody who waits for new events, when a transaction that appended some has been committed.
///
/// A bounded number of tasks may wait. Nothing is lost between looking and waiting: whoever waits says which ring it has
/// heard before it looked.
final class CommitSignal: Sendable {
    /// How a wait ended.
    enum Wait: Sendable, Equatable {
        /// There has been a ring, the time is up, the task was cancelled or the bell is closed: look again.
        case ended
        /// Too many wait already.
        case refused
    }

    private struct State {
        var rings: UInt64 = 0
        var isClosed = false
        var waiters: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var nextWaiter: UInt64 = 0
    }

    private let state = Mutex(State())
    private let maximumWaiters: Int

    init(maximumWaiters: Int = 128) {
        self.maximumWaiters = maximumWaiters
    }

    /// How often it has rung.
    var rings: UInt64 { state.withLock { $0.rings } }

    /// Nobody waits any more, now and later.
    var isClosed: Bool { state.withLock { $0.isClosed } }

    /// How many wait now.
    var waiterCount: Int { state.withLock { $0.waiters.count } }

    /// Wakes everybody.
    func ring() {
        wakeAll { $0.rings += 1 }
    }

    /// Wakes everybody for good.
    func close() {
        wakeAll { $0.isClosed = true }
    }

    /// Waits for a ring after the one that was heard last.
    func wait(since heard: UInt64, until deadline: ContinuousClock.Instant) async -> Wait {
        let id: UInt64? = state.withLock { state in
            guard state.waiters.count < maximumWaiters else { return nil }
            state.nextWaiter += 1
            return state.nextWaiter
        }
        guard let id else { return .refused }
        let timer = Task {
            // Cancelled when something else ended the wait: nothing is lost then.
            guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
            self.wake(id)
        }
        defer { timer.cancel() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // The clock is asked under the lock: a timer that has fired already finds nobody to wake.
                    if state.rings != heard || state.isClosed || Task.isCancelled || .now >= deadline { return true }
                    state.waiters[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            wake(id)
        }
        return .ended
    }

    private func wake(_ id: UInt64) {
        state.withLock { $0.waiters.removeValue(forKey: id) }?.resume()
    }

    private func wakeAll(_ change: (inout State) -> Void) {
        let waiters = state.withLock { state in
            change(&state)
            defer { if !state.waiters.isEmpty { state.waiters = [:] } }
            return state.waiters
        }
        for waiter in waiters.values { waiter.resume() }
    }
}
