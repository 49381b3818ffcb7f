import Synchronization

/// What the messaging of one service has done since it started.
public struct MessagingCounters: Sendable, Equatable {
    /// Events that the broker confirmed.
    public var published = 0
    /// Publishes that the broker refused, returned or that a connection took with it.
    public var publishFailures = 0
    /// Events that the broker did not confirm in time.
    public var unconfirmed = 0
    /// Messages taken from the queue.
    public var received = 0
    /// Messages that came with a priority, by which they may have overtaken others of their subject.
    public var prioritised = 0
    /// Deliveries whose effect is committed.
    public var processed = 0
    /// Messages that had been taken before.
    public var duplicates = 0
    /// Attempts that failed.
    public var failedAttempts = 0
    /// Deliveries that became dead letters.
    public var deadLettered = 0

    /// Makes counters at zero.
    public init() {}
}

/// Counters that many threads add to.
final class CounterBox: Sendable {
    private let counters = Mutex(MessagingCounters())

    func add(_ count: Int = 1, to counter: any WritableKeyPath<MessagingCounters, Int> & Sendable) {
        counters.withLock { $0[keyPath: counter] += count }
    }

    var value: MessagingCounters { counters.withLock { $0 } }
}
