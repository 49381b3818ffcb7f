import Dispatch
import Glibc

/// Ends the process at once when it is told to, whatever it waits for: every deed is whole on its service's side.
enum Interruption {
    /// Watches for Ctrl-C and SIGTERM on a queue of its own, so that neither a read nor a write on the main thread can
    /// hold it up.
    ///
    /// - Returns: what has to be kept for as long as signals are watched for.
    static func watch() -> [any DispatchSourceSignal] {
        let queue = DispatchQueue(label: "warren.signals")
        let registered = DispatchSemaphore(value: 0)
        let sources = [SIGINT, SIGTERM].map { number in
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { _exit(128 + number) }
            source.setRegistrationHandler { registered.signal() }
            source.activate()
            return source
        }
        // Until a thread of the queue has registered them, a signal would have its usual effect, and no exit code.
        for _ in sources { registered.wait() }
        return sources
    }
}
