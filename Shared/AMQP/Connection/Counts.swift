import Synchronization

/// A link's statistics, shared between its thread and whoever asks.
final class Counts: Sendable {
    private let statistics = Mutex(Statistics())
    private let inFlight = Atomic(0)
    private let waiting = Atomic(0)

    /// The statistics now.
    var current: Statistics {
        var current = statistics.withLock { $0 }
        current.inFlight = inFlight.load(ordering: .relaxed)
        current.waiting = waiting.load(ordering: .relaxed)
        return current
    }

    /// Changes the statistics.
    func update(_ body: (inout Statistics) -> Void) {
        statistics.withLock { body(&$0) }
    }

    /// So many messages wait to be sent.
    func setWaiting(_ count: Int) {
        waiting.store(count, ordering: .relaxed)
    }

    /// So many messages wait for their confirm.
    func setInFlight(_ count: Int) {
        inFlight.store(count, ordering: .relaxed)
    }
}
