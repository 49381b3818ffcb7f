import Synchronization

/// Counts down to zero and wakes one waiter.
final class Countdown: Sendable {
    private let count: Mutex<Int>
    private let signal = Signal()

    init(from count: Int) {
        self.count = Mutex(count)
    }

    func step() {
        let isOver = count.withLock { count in
            count -= 1
            return count <= 0
        }
        if isOver { signal.raise() }
    }

    /// Whether it came to zero before the task was cancelled.
    func wait() async -> Bool {
        while count.withLock({ $0 > 0 }) {
            if Task.isCancelled { return false }
            await signal.wait()
        }
        return true
    }
}
