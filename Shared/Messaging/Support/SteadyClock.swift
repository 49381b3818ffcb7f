import Glibc
import Synchronization

/// Time that has passed, whatever is done to the clock on the wall.
///
/// The table says by it when a delivery is due and since when it has been put off. It agrees with the wall clock until that
/// one steps; then it goes on evenly, and `lead` says how far the wall clock is ahead. So a step of hours either way delays
/// nothing, and nothing ends before its time.
///
/// The rule, for one database:
///
/// - While the machine runs, what has passed is what `CLOCK_BOOTTIME` says, through restarts of the service too.
/// - After a boot of the machine only the wall clock can tell how long it was off. This clock then goes on where the wall
///   clock says, with or without its lead, whichever is less, and never back behind where it was.
/// - A lead below two seconds is forgotten at a start.
///
/// What it cannot know: a machine that comes up with a clock that is wrong by hours, ahead, looks like one that was off
/// for hours. Thread-safe; a look at it is one call of `clock_gettime`.
final class SteadyClock: Sendable {
    /// The clocks of the machine, in nanoseconds.
    struct Sources: Sendable {
        /// Since 1970, by the wall clock.
        var wall: @Sendable () -> Int64
        /// Since the machine came up, the time that it slept included.
        var sinceBoot: @Sendable () -> Int64
        /// Which boot that was.
        var boot: @Sendable () -> String

        /// Those of this machine.
        static let system = Sources(
            wall: { SteadyClock.time(CLOCK_REALTIME) },
            sinceBoot: { SteadyClock.time(CLOCK_BOOTTIME) },
            boot: { SteadyClock.bootID() }
        )
    }

    /// What is known of it from earlier, as it is stored.
    struct Stored: Equatable, Sendable {
        /// The boot that `offset` counts for.
        var boot: String
        /// This clock less the time since that boot, in nanoseconds.
        var offset: Int64
        /// Where it was last seen, in milliseconds.
        var seen: Int64
        /// How far the wall clock was ahead then, in milliseconds.
        var lead: Int64
        /// The least lead that rows may have been written with.
        var lowestLead: Int64
        /// When the wall clock last stepped, by this clock; nil when it never did.
        var steppedAt: Int64?
    }

    /// What is noted of the wall clock's steps.
    private struct Steps {
        var lead: Int64 = 0
        var lowestLead: Int64 = 0
        var steppedAt: Int64?
    }

    /// Below this, in milliseconds, the wall clock is followed at the next start.
    private static let negligible: Int64 = 2_000

    private let sources: Sources
    /// This clock less the time since the boot, in nanoseconds.
    private let offset: Atomic<Int64>
    private let steps = Mutex(Steps())

    /// A clock that begins with the wall clock.
    init(_ sources: Sources = .system) {
        self.sources = sources
        offset = Atomic(SteadyClock.anchor(sources))
    }

    /// Where it agrees with the wall clock; a little behind, so that it is never the first to say that a moment has come.
    private static func anchor(_ sources: Sources) -> Int64 {
        sources.wall() - sources.sinceBoot() - 50_000
    }

    /// Milliseconds since 1970, if the wall clock had not stepped.
    var now: Int64 { (sources.sinceBoot() + offset.load(ordering: .relaxed)) / 1_000_000 }

    /// How far the wall clock is ahead, in milliseconds.
    var lead: Int64 {
        let ahead = sources.wall() - sources.sinceBoot() - offset.load(ordering: .relaxed)
        return Int64((Double(ahead) / 1_000_000).rounded())
    }

    /// What this clock says when the wall clock will say `wall`.
    func steady(_ wall: Int64) -> Int64 {
        let (result, isTooLarge) = wall.subtractingReportingOverflow(lead)
        return isTooLarge ? wall : result
    }

    // MARK: Steps

    /// Notes where the wall clock is.
    ///
    /// - Parameter memory: how long what was written before a step can matter; nil for ever.
    /// - Returns: whether it has stepped since the last look.
    @discardableResult
    func look(memory: Duration?) -> Bool {
        let (now, lead) = (now, lead)
        return steps.withLock { steps in
            guard abs(lead - steps.lead) >= Self.negligible else { return false }
            if let last = steps.steppedAt, let memory, now - last > Int64(memory / .milliseconds(1)) {
                steps.lowestLead = steps.lead
            }
            steps.lowestLead = min(steps.lowestLead, lead)
            (steps.lead, steps.steppedAt) = (lead, now)
            return true
        }
    }

    /// How much older a row may look by the wall clock than it is, in milliseconds, if it was written within a span of time.
    func doubt(over span: Duration) -> Int64 {
        let now = now
        return steps.withLock { steps in
            guard let steppedAt = steps.steppedAt, now - steppedAt <= Int64(span / .milliseconds(1)) else { return 0 }
            return max(0, steps.lead - steps.lowestLead)
        }
    }

    // MARK: What is stored

    /// What is to be known after a restart.
    var stored: Stored {
        let (offset, now, lead) = (offset.load(ordering: .relaxed), now, lead)
        return steps.withLock { steps in
            Stored(
                boot: sources.boot(),
                offset: offset,
                seen: now,
                lead: lead,
                lowestLead: steps.lowestLead,
                steppedAt: steps.steppedAt
            )
        }
    }

    /// Goes on from what an earlier process has stored.
    func resume(from stored: Stored) {
        let (wall, sinceBoot) = (sources.wall(), sources.sinceBoot())
        var resumed = stored.offset
        if stored.boot != sources.boot() || (sinceBoot + stored.offset) / 1_000_000 < stored.seen {
            let before = min(wall, wall - stored.lead * 1_000_000)
            resumed = max(before, stored.seen * 1_000_000) - sinceBoot
        }
        if abs(wall - sinceBoot - resumed) < Self.negligible * 1_000_000 { resumed = SteadyClock.anchor(sources) }
        offset.store(resumed, ordering: .relaxed)
        steps.withLock { steps in
            (steps.lead, steps.lowestLead, steps.steppedAt) = (stored.lead, stored.lowestLead, stored.steppedAt)
        }
    }

    // MARK: The machine

    private static func time(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// Empty where the machine does not say: then every start counts as one after a boot.
    private static func bootID() -> String {
        let file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)).filter { $0 > 0x20 }, as: UTF8.self)
    }
}
