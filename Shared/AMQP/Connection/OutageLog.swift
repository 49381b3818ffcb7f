/// Which failures of a connection are worth a line in the log: a pure value without I/O.
///
/// A broker that is away makes every connection of every service fail several times a second at first, and each time in the
/// same way. Worth a line are the first failure, every cause that this outage has not shown yet, and beyond that one failure
/// after 1, 2, 4 ... 60 s and then every 60 s. A connection that breaks within a second continues the outage before it.
struct OutageLog {
    typealias Instant = ContinuousClock.Instant

    /// What a line says.
    struct Notice: Equatable {
        /// Failures of this outage so far.
        var failures: Int
        /// How long the connection has not been steady.
        var away: Duration
    }

    private static let firstPause = Duration.seconds(1)
    private static let longestPause = Duration.seconds(60)
    private static let steadyTime = Duration.seconds(1)
    /// Causes hold texts of the broker, which can be anything: no more than so many are told apart.
    private static let maximumCauses = 16

    private struct Outage {
        var began: Instant
        var failures = 0
        var causes: Set<String> = []
        var pause = OutageLog.firstPause
        var due: Instant
    }

    private var outage: Outage?
    private var connectedAt: Instant?
    /// The log's last word is that there is a connection.
    private var isKnownAsConnected = false

    /// An attempt failed, or the connection broke.
    ///
    /// - Returns: what to write, or nil if this failure is not worth a line.
    mutating func failed(_ cause: String, at now: Instant) -> Notice? {
        if let connectedAt, connectedAt.duration(to: now) >= Self.steadyTime { outage = nil }
        connectedAt = nil
        var outage = self.outage ?? Outage(began: now, due: now)
        defer { self.outage = outage }
        outage.failures += 1
        let isNew = outage.causes.count < Self.maximumCauses && outage.causes.insert(cause).inserted
        if outage.failures == 1 {
            outage.due = now + outage.pause
        } else if now >= outage.due {
            outage.pause = min(outage.pause * 2, Self.longestPause)
            outage.due = now + outage.pause
        } else if !isNew {
            return nil
        }
        isKnownAsConnected = false
        return Notice(failures: outage.failures, away: outage.began.duration(to: now))
    }

    /// There is a connection.
    ///
    /// - Returns: what to write, with zero failures for the first connection of all; nil if the log says so already.
    mutating func connected(at now: Instant) -> Notice? {
        connectedAt = now
        guard !isKnownAsConnected else { return nil }
        isKnownAsConnected = true
        guard let outage else { return Notice(failures: 0, away: .zero) }
        return Notice(failures: outage.failures, away: outage.began.duration(to: now))
    }
}
