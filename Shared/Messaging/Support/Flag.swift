import Synchronization

/// Something that happens once, and that one task waits for.
final class Flag: Sendable {
    private let state = Mutex(false)
    private let signal = Signal()

    /// Whether it has happened.
    var isSet: Bool { state.withLock { $0 } }

    /// It happens.
    func set() {
        state.withLock { $0 = true }
        signal.raise()
    }

    /// Waits until it has happened, the time has come, or the task is cancelled.
    ///
    /// - Returns: whether it has happened.
    func wait(until deadline: ContinuousClock.Instant) async -> Bool {
        while !isSet, .now < deadline, !Task.isCancelled { await signal.wait(until: deadline) }
        return isSet
    }
}

/// Runs `operation` and waits for its end, for `limit` at most, whether the calling task is cancelled or not.
///
/// - Returns: whether it ended in time; if not, it goes on.
func finishes(within limit: Duration, _ operation: @escaping @Sendable () async -> Void) async -> Bool {
    let deadline = ContinuousClock.Instant.now + limit
    let ended = Flag()
    return await Task {
        Task {
            await operation()
            ended.set()
        }
        return await ended.wait(until: deadline)
    }.value
}
