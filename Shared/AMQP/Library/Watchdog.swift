import CRabbitMQ
import Glibc
import Synchronization

/// One thread for the whole process that looks after the calls of all links.
///
/// It sleeps while no call is running for long.
final class Watchdog: Sendable {
    static let shared = Watchdog()

    private struct State {
        var watched: [ObjectIdentifier: CallGuard] = [:]
        /// When the thread looks next; nil while it sleeps without end.
        var next: ContinuousClock.Instant?
        var isRunning = false
        var timers: [(at: ContinuousClock.Instant, action: @Sendable () -> Void)] = []
    }

    private let state = Mutex(State())
    private let wakeUp = WakeUp()

    private init() {}

    /// Makes sure that the guard is checked no later than then.
    ///
    /// Costs a lock while the thread looks earlier anyway, which is so for all but the first call of a series with
    /// equal limits.
    func wake(at deadline: ContinuousClock.Instant, for watched: CallGuard) {
        look(at: deadline) { $0.watched[ObjectIdentifier(watched)] = watched }
    }

    /// Calls `action` from the watchdog's thread at that time; it must be short.
    func call(at deadline: ContinuousClock.Instant, _ action: @escaping @Sendable () -> Void) {
        look(at: deadline) { $0.timers.append((deadline, action)) }
    }

    private func look(at deadline: ContinuousClock.Instant, adding add: (inout State) -> Void) {
        let (starts, signals) = state.withLock { state -> (Bool, Bool) in
            add(&state)
            let isEarlier = state.next.map { deadline < $0 } ?? true
            if isEarlier { state.next = deadline }
            let starts = !state.isRunning
            state.isRunning = true
            return (starts, isEarlier)
        }
        if starts {
            LinkThread.start(named: "amqp-watchdog") { [self] in run() }
        } else if signals {
            wakeUp.signal()
        }
    }

    private func run() {
        while true {
            let now = ContinuousClock.now
            let (pause, due) = state.withLock { state -> (Duration?, [@Sendable () -> Void]) in
                let due = state.timers.filter { $0.at <= now }.map(\.action)
                state.timers.removeAll { $0.at <= now }
                var next = state.timers.map(\.at).min()
                for (key, watched) in state.watched {
                    if let deadline = watched.check(now) {
                        next = next.map { min($0, deadline) } ?? deadline
                    } else {
                        state.watched[key] = nil
                    }
                }
                state.next = next
                return (next.map { now.duration(to: $0) }, due)
            }
            for action in due { action() }
            var descriptor = pollfd(fd: wakeUp.descriptor, events: Int16(POLLIN), revents: 0)
            _ = unsafe poll(&descriptor, 1, min(pause ?? wakeUp.longestSleep, wakeUp.longestSleep).pollMilliseconds)
            wakeUp.clear()
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, within what `poll` takes.
    var pollMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        guard seconds < 86_400 else { return 86_400_000 }
        return Int32(seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}
