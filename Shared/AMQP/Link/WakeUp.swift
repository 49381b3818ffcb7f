import CRabbitMQ
import Glibc

/// An event descriptor that ends the `poll` of a thread.
///
/// `signal` may be called from any thread.
final class WakeUp: Sendable {
    /// Readable while a signal is pending; -1, which `poll` passes over, when the process has no descriptor left.
    let descriptor: Int32

    /// How long the thread may sleep: without a descriptor it must look by itself.
    let longestSleep: Duration

    init() {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        longestSleep = descriptor >= 0 ? .seconds(86_400) : .milliseconds(50)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Makes the descriptor readable.
    ///
    /// Several signals before `clear` are one.
    func signal() {
        eventfd_write(descriptor, 1)
    }

    /// Takes the pending signals.
    func clear() {
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(descriptor, &count)
    }
}
