import Synchronization

/// Wakes one waiting task.
///
/// A signal that is raised while nobody waits is kept for the next wait; several count as one.
final class Signal: Sendable {
    private struct State {
        var isRaised = false
        var waiter: CheckedContinuation<Void, Never>?
        var generation = 0
    }

    private let state = Mutex(State())

    /// Wakes the waiting task, or the next one that waits.
    func raise() {
        wake(onlyGeneration: nil)
    }

    /// Waits until the signal is raised, the time has come, or the task is cancelled.
    ///
    /// One task at a time.
    func wait(until deadline: ContinuousClock.Instant? = nil) async {
        let generation = state.withLock { $0.generation }
        var timer: Task<Void, Never>?
        if let deadline {
            timer = Task {
                // Cancelled when something else ended the wait: nothing is lost then.
                guard (try? await Task.sleep(until: deadline, clock: .continuous)) != nil else { return }
                self.wake(onlyGeneration: generation)
            }
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isRaised || Task.isCancelled {
                        state.isRaised = false
                        state.generation += 1
                        return true
                    }
                    state.waiter = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            raise()
        }
        timer?.cancel()
    }

    private func wake(onlyGeneration generation: Int?) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            if let generation, generation != state.generation { return nil }
            guard let waiter = state.waiter else {
                state.isRaised = true
                return nil
            }
            state.waiter = nil
            state.generation += 1
            return waiter
        }
        waiter?.resume()
    }
}
