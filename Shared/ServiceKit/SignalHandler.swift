import Dispatch
import Glibc
import Synchronization
import Telemetry

/// Turns SIGTERM and SIGINT into an orderly stop, and a second one into an immediate end.
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
        let received = SignalCount()
        let registered = DispatchSemaphore(value: 0)
        sources = [SIGTERM, SIGINT].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                guard received.next() == 1 else {
                    EmergencyExit.leave("a second signal ended the program at once", logger: logger)
                    return
                }
                // No log line here: a log that blocks would keep the second signal from being heard.
                stop.request()
            }
            source.setRegistrationHandler { registered.signal() }
            source.activate()
            return source
        }
        // A source is registered by a thread of its queue. A signal that came before that would have its usual effect: it
        // would kill the service in the middle of its work.
        for _ in sources { registered.wait() }
    }

    private final class SignalCount: Sendable {
        private let count = Atomic(0)

        func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    }
}
