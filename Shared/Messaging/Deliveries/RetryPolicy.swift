/// How often and when a failed delivery is tried again.
///
/// The pause after attempt n is drawn evenly from zero to `base · factor^(n-1)`, at most `cap` (full jitter: M. Brooker,
/// "Exponential Backoff And Jitter"), but never below a tenth of that bound, so that delays grow. After the last attempt
/// the delivery is dead. The standard policy tries at once, then within 1 s, 4 s, 16 s, 64 s and 256 s: after at most
/// 341 s and 6 attempts it gives up.
public struct RetryPolicy: Sendable, Equatable {
    /// Attempts in all, the first included; at least 1.
    public var attempts: Int
    /// The longest pause after the first attempt.
    public var base: Duration
    /// What the longest pause grows by from attempt to attempt; at least 1.
    public var factor: Double
    /// No pause is longer.
    public var cap: Duration

    /// 6 attempts, 1 s, times 4, up to 5 minutes.
    public static let standard = RetryPolicy(attempts: 6, base: .seconds(1), factor: 4, cap: .seconds(300))

    /// Makes a policy; values below the least are raised to it.
    public init(attempts: Int, base: Duration, factor: Double, cap: Duration) {
        self.attempts = max(1, attempts)
        self.base = max(.zero, base)
        self.factor = max(1, factor)
        self.cap = max(.zero, cap)
    }

    /// The pause after a failed attempt, or nil when that was the last.
    ///
    /// - Parameters:
    ///   - attempt: the attempt that failed, from 1.
    ///   - random: an even draw from 0 to 1.
    public func pause(afterAttempt attempt: Int, random: Double) -> Duration? {
        guard attempt < attempts else { return nil }
        var bound = base / .milliseconds(1)
        let longest = cap / .milliseconds(1)
        for _ in 1..<max(1, attempt) where bound < longest { bound *= factor }
        bound = min(bound, longest)
        return .milliseconds(Int64((bound * max(0.1, min(1, random))).rounded(.up)))
    }
}
