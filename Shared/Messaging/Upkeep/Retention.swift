internal import Database
internal import Events
internal import Telemetry

/// Removes old events from the event store and old receipts from the table of deliveries.
///
/// **Events** go when they are older than the retention and forwarded. The last event of each subject stays, since the
/// subject's next sequence number continues from it. The position through which events may be missing is stored before
/// the first of them goes, so that a reader gets `410` and never a gap.
///
/// **Deliveries** go when they are receipts (`processed`) older than their retention, and never otherwise: a scheduled,
/// held, dead or discarded delivery may still be handled. A receipt must outlive every way in which its event can come
/// again: the feed of its source (so the retention of deliveries is longer than that of events, by a day at least), a
/// broker that redelivers what a crash left unacknowledged (so nothing goes in the first hour after a start, when the
/// queue brings what was left), and a forwarder's dead letter that an operator retries later - for money, keep receipts
/// for ever.
///
/// It works in slices, each one short transaction of the writer, and looks for what can go on a reader.
struct Retention: Sendable {
    /// Rows that one transaction removes at most.
    static let slice = 500
    /// An hour: what a crash left unacknowledged has come again by then.
    static let usualInterval: Duration = .seconds(3600)

    let database: Database
    /// How long events are kept; nil for ever.
    let events: Duration?
    /// How long receipts are kept; nil for ever.
    let deliveries: Duration?
    let logger: Logger
    /// Between two passes, and before the first.
    var interval = Self.usualInterval
    /// What has been done since the start, for metrics.
    let record = RetentionRecord()

    /// What a pass removed.
    struct Removed: Equatable, Sendable {
        var events = 0
        var deliveries = 0
    }

    /// Runs until cancelled.
    func run() async {
        guard events != nil || deliveries != nil else { return }
        let pause = Signal()
        while !Task.isCancelled {
            await pause.wait(until: .now + interval)
            if Task.isCancelled { return }
            do {
                let removed = try await pass(now: WallClock.milliseconds())
                // One that was cut short by the service's end is none.
                if Task.isCancelled { return }
                record.passed(at: WallClock.milliseconds())
                if removed != Removed() {
                    logger.info(
                        "retention removed what is older than it has to be kept",
                        [LogField("events", removed.events), LogField("deliveries", removed.deliveries)]
                    )
                }
            } catch {
                record.failed()
                logger.error("retention cannot remove what is old", [LogField("error", error: error)])
            }
        }
    }

    /// Removes everything that may go.
    func pass(now: Int64) async throws -> Removed {
        var removed = Removed()
        if let events { removed.events = try await removeEvents(before: now - Int64(events / .milliseconds(1))) }
        if let deliveries {
            removed.deliveries = try await removeReceipts(before: now - Int64(deliveries / .milliseconds(1)))
        }
        return removed
    }

    // MARK: Events

    /// What may go: forwarded, old, and not the last of its subject.
    private static let removable = """
        time < $1 AND position <= COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0)
            AND EXISTS (
                SELECT 1 FROM warren_events AS later WHERE later.source = warren_events.source
                    AND later.subject = warren_events.subject AND later.sequence > warren_events.sequence)
        """

    private func removeEvents(before cutoff: Int64) async throws -> Int {
        try await moveHorizon(before: cutoff)
        var removed = 0
        var cursor: Int64 = 0
        while !Task.isCancelled {
            let positions = try await database.read { [cursor] transaction -> [Int64] in
                try transaction.query(
                    """
                    SELECT position FROM warren_events
                    WHERE \(Self.removable) AND position > $2
                        AND position <= COALESCE((SELECT position FROM warren_offsets WHERE name = $3), 0)
                    ORDER BY position LIMIT \(Self.slice)
                    """,
                    cutoff,
                    cursor,
                    EventLog.retentionName
                ).map { try $0[0] }
            }
            guard let first = positions.first, let last = positions.last else { break }
            let count = try await database.write { transaction in
                try transaction.execute(
                    "DELETE FROM warren_events WHERE \(Self.removable) AND position >= $2 AND position <= $3",
                    cutoff,
                    first,
                    last
                )
            }
            removed += count
            record.removed(events: count)
            cursor = last
        }
        return removed
    }

    /// Stores the position through which events may be missing from now on: that of the last event before the first one
    /// that is too young or not forwarded.
    private func moveHorizon(before cutoff: Int64) async throws {
        let horizon = try await database.read { transaction -> Int64? in
            try transaction.first(
                """
                SELECT MAX(position) FROM warren_events
                WHERE position <= COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0)
                    AND position < COALESCE((SELECT MIN(position) FROM warren_events WHERE time >= $1
                        AND position > COALESCE((SELECT position FROM warren_offsets WHERE name = $2), 0)),
                        \(Int64.max))
                """,
                cutoff,
                EventLog.retentionName
            )?[0]
        }
        guard let horizon else { return }
        try await database.write { transaction in
            _ = try transaction.execute(
                """
                INSERT INTO warren_offsets (name, position, updated_at) VALUES ($1, $2, $3)
                ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
                    WHERE excluded.position > warren_offsets.position
                """,
                EventLog.retentionName,
                horizon,
                WallClock.milliseconds()
            )
        }
    }

    // MARK: Receipts

    private func removeReceipts(before cutoff: Int64) async throws -> Int {
        var removed = 0
        var cursor: Int64 = 0
        while !Task.isCancelled {
            let slice = try await database.read { [cursor] transaction in
                try DeliveryTable.receipts(after: cursor, olderThan: cutoff, limit: Self.slice, in: transaction)
            }
            guard let last = slice.last, !slice.isYoung else { break }
            cursor = last
            guard let first = slice.old.first, let end = slice.old.last else { continue }
            let count = try await database.write { transaction in
                try DeliveryTable.removeReceipts(from: first, through: end, olderThan: cutoff, in: transaction)
            }
            removed += count
            record.removed(receipts: count)
        }
        return removed
    }
}
