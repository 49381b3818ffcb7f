/// What waits in one service.
///
/// Ages in seconds; nil when nothing waits.
public struct Backlog: Sendable, Codable, Equatable {
    /// Events in the store that the broker has not confirmed.
    public var unforwarded: Int
    /// The age of the oldest of them.
    public var oldestUnforwardedAge: Double?
    /// Deliveries that wait for their next attempt.
    public var scheduled: Int
    /// The age of the oldest of them since it was received.
    public var oldestScheduledAge: Double?
    /// Deliveries that wait for an earlier one of their subject.
    public var held: Int
    /// Dead letters.
    public var dead: Int

    /// Makes a backlog.
    public init(
        unforwarded: Int,
        oldestUnforwardedAge: Double?,
        scheduled: Int,
        oldestScheduledAge: Double?,
        held: Int,
        dead: Int
    ) {
        self.unforwarded = unforwarded
        self.oldestUnforwardedAge = oldestUnforwardedAge
        self.scheduled = scheduled
        self.oldestScheduledAge = oldestScheduledAge
        self.held = held
        self.dead = dead
    }
}
