/// When to look again for something that is waited for: after 100 ms at first, then half as long again each time, at
/// most every second, and once more at the deadline itself.
struct PollSchedule {
    private var pause = Duration.milliseconds(100)

    /// How long to pause before the next look, or nil when the time is up.
    ///
    /// - Parameter remaining: the time until the deadline.
    mutating func next(remaining: Duration) -> Duration? {
        guard remaining > .zero else { return nil }
        defer { pause = min(pause * 1.5, .seconds(1)) }
        return min(pause, remaining)
    }
}

/// Looks until something is found or the time is up.
///
/// - Returns: what `look` found, or nil when the time is up.
func untilFound<Found>(within timeout: Duration, _ look: () async throws -> Found?) async throws -> Found? {
    let clock = ContinuousClock()
    let deadline = clock.now + timeout
    var schedule = PollSchedule()
    while true {
        if let found = try await look() { return found }
        guard let pause = schedule.next(remaining: deadline - clock.now) else { return nil }
        try await clock.sleep(for: pause)
    }
}
