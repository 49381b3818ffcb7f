import Glibc

/// What a measured program says to the benchmark that runs it; the C programs say the same.
enum Conversation {
    /// Says `ready` and waits for the word to begin; ends the process when the benchmark has gone.
    static func readyAndWait() {
        print("ready")
        fflush(nil)
        guard readLine() != nil else { exit(0) }
    }

    /// Tells one result.
    static func result(_ name: String, _ value: Double) {
        print("\(name) \(value)")
    }
}

/// The clocks and meters of this process.
enum Meter {
    /// CLOCK_MONOTONIC in nanoseconds, as the C programs read it.
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Processor time so far, user and system, in nanoseconds.
    static func cpu() -> Int64 {
        var usage = rusage()
        getrusage(RUSAGE_SELF.rawValue, &usage)
        func nanoseconds(_ time: timeval) -> Int64 {
            Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_usec) * 1_000
        }
        return nanoseconds(usage.ru_utime) + nanoseconds(usage.ru_stime)
    }
}

/// One measured stretch of work.
struct Stretch {
    private let began = Meter.now()
    private let cpu = Meter.cpu()

    /// Tells how long it took and what it cost until now.
    func tell() {
        let (now, used) = (Meter.now(), Meter.cpu())
        Conversation.result("seconds", Double(now - began) / 1e9)
        Conversation.result("cpu", Double(used - cpu) / 1e9)
    }
}
