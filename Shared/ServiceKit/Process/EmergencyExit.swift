import Glibc
import Telemetry

/// Ends the process when an orderly end is no longer to be had.
enum EmergencyExit {
    /// Ends the process with code 1, after a log line if the log can still be written.
    static func leave(_ message: StaticString, logger: Logger) {
        // The log may be what everything hangs on: it gets a thread of its own and a quarter of a second.
        let isLogging = DetachedThread.start {
            logger.error(message)
            _exit(1)
        }
        if isLogging { usleep(250_000) }
        _exit(1)
    }

    /// From a stop's request on, gives the process `grace` to end by itself.
    static func arm(after grace: Duration, of stop: StopSignal, logger: Logger) {
        stop.onRequest {
            let milliseconds = grace.components.seconds * 1000 + grace.components.attoseconds / 1_000_000_000_000_000
            let isArmed = DetachedThread.start {
                sleep(milliseconds: milliseconds)
                leave("the grace for an orderly stop is over", logger: logger)
            }
            // Without a thread the kernel's alarm ends the process, by its signal.
            if !isArmed { alarm(UInt32(clamping: milliseconds / 1000 + 1)) }
        }
    }

    private static func sleep(milliseconds: Int64) {
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_sec += Int(milliseconds / 1000)
        deadline.tv_nsec += Int(milliseconds % 1000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, nil) == EINTR {}
    }
}

/// A thread outside all pools, for what must run when they are exhausted.
enum DetachedThread {
    private final class Work {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    /// Starts a thread; false when there can be no more.
    static func start(_ body: @escaping @Sendable () -> Void) -> Bool {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let result = pthread_create(
            &thread,
            nil,
            { pointer in
                guard let pointer else { return nil }
                Unmanaged<Work>.fromOpaque(pointer).takeRetainedValue().body()
                return nil
            },
            work.toOpaque()
        )
        guard result == 0 else {
            work.release()
            return false
        }
        pthread_detach(thread)
        return true
    }
}
