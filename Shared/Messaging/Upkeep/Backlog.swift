internal import Database
internal import Events
import Synchronization

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

/// Reads what waits, however much that is: the ends are looked up by indexes, and what has to be counted is counted in
/// slices of some milliseconds on a reader.
final class BacklogReader: Sendable {
    /// A number that took more than one slice to count stands for so many times as long as that took: counting is a few
    /// percent of one reader's time at most.
    private static let patience = 20

    private struct Counted {
        var count: Int
        var standsUntil: ContinuousClock.Instant
    }

    private let database: Database
    private let slice: Int
    private let counted = Mutex<[DeliveryState: Counted]>([:])

    /// - Parameter slice: rows that one read counts.
    init(database: Database, slice: Int = 50_000) {
        self.database = database
        self.slice = slice
    }

    /// What waits.
    ///
    /// - Throws: `DatabaseError`.
    func read(now: Int64) async throws -> Backlog {
        @Sendable func age(_ since: Int64?) -> Double? { since.map { Double(max(0, now - $0)) / 1000 } }
        let (scheduled, held) = (try await count(of: .scheduled), try await count(of: .held))
        return try await database.read { transaction in
            let offset: Int64 =
                try transaction.first("SELECT position FROM warren_offsets WHERE name = 'forwarder'")?[0] ?? 0
            let head: Int64 = try transaction.first("SELECT COALESCE(MAX(position), 0) FROM warren_events")?[0] ?? 0
            let oldestEvent: Int64? = try transaction.first(
                """
                SELECT MIN(time) FROM (
                    SELECT time FROM warren_events WHERE position > $1 ORDER BY position LIMIT 1000) AS oldest
                """,
                offset
            )?[0]
            return Backlog(
                // Positions have no gaps: what is undone gives its positions back.
                unforwarded: Int(max(0, head - offset)),
                oldestUnforwardedAge: age(oldestEvent),
                scheduled: scheduled,
                oldestScheduledAge: age(try DeliveryTable.oldestScheduled(in: transaction)),
                held: held,
                dead: try DeadLetters.keptCount(DeadLetterFilter(), in: transaction) ?? 0
            )
        }
    }

    private func count(of state: DeliveryState) async throws -> Int {
        let began = ContinuousClock.now
        if let known = counted.withLock({ $0[state] }), began < known.standsUntil { return known.count }
        var count = 0
        var place: Int64? = 0
        while let after = place {
            let found = try await database.read { [slice] transaction in
                try DeliveryTable.count(of: state, after: after, limit: slice, in: transaction)
            }
            count += found.count
            place = found.count == slice ? found.last : nil
        }
        let ended = ContinuousClock.now
        let known = Counted(
            count: count,
            standsUntil: count < slice ? began : ended + (ended - began) * Self.patience
        )
        counted.withLock { $0[state] = known }
        return count
    }
}
