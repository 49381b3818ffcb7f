import Dispatch
import Glibc
import Synchronization
import Telemetry

/// Turns SIGTERM and SIGINT into an orderly stop, and a second one into an immediate end.
///
/// One wish often comes as two signals: `timeout` and some supervisors send theirs to the process and to its group. What comes
/// within a second of the first is therefore taken for the same.
///
/// The handlers run on a queue of their own, so that a signal is heard when everything else is stuck.
// Unchecked: the sources are not marked `Sendable`; they are only kept alive here, and never used after `init`.
final class SignalHandler: @unchecked Sendable {
    private let sources: [any DispatchSourceSignal]

    /// Listens when it returns.
    ///
    /// Blocks its thread for as long as the system takes to run another one.
    init(stop: StopSignal, logger: Logger) {
        let queue = DispatchQueue(label: "dev.warren.signals", qos: .userInteractive)
        let wishes = Wishes()
        let registered = DispatchSemaphore(value: 0)
        sources = [SIGTERM, SIGINT].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                switch wishes.next(at: .now) {
                // No log line here: a log that blocks would keep the second signal from being heard.
                case .stop: stop.request()
                case .same: break
                case .leave: EmergencyExit.leave("a second signal ended the program at once", logger: logger)
                }
            }
            source.setRegistrationHandler { registered.signal() }
            source.activate()
            return source
        }
        // A source is registered by a thread of its queue. A signal that came before that would have its usual effect: it
        // would kill the service in the middle of its work.
        for _ in sources { registered.wait() }
    }

    /// What the signals so far ask for.
    final class Wishes: Sendable {
        enum Wish: Equatable {
            case stop
            /// The one before it, once more.
            case same
            case leave
        }

        /// For how long a signal is taken for the first one's echo.
        static let echo: Duration = .seconds(1)

        private let first = Mutex<ContinuousClock.Instant?>(nil)

        func next(at now: ContinuousClock.Instant) -> Wish {
            first.withLock { first in
                guard let earlier = first else {
                    first = now
                    return .stop
                }
                return earlier.duration(to: now) < Self.echo ? .same : .leave
            }
        }
    }
}
