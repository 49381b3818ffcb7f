internal import Database
internal import Events
internal import Telemetry

/// Removes old events from the event store and old receipts from the table of deliveries.
///
/// **Events** go when they are older than the retention and forwarded, in the order of the store: up to the first that has
/// to stay. What they numbered goes on in `warren_subjects`, which gets the last number of each subject in the transaction
/// that removes the event, and so does the position through which events are missing: a reader gets `410` and never a gap.
/// So a pass costs what it removes, however many events and subjects there are.
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
    /// Tells how far the wall clock, by which rows are stamped, may be trusted.
    var clock = SteadyClock()
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
        clock.look(memory: memory)
        if let events { removed.events = try await removeEvents(before: cutoff(events, now: now)) }
        if let deliveries {
            removed.deliveries = try await removeReceipts(before: cutoff(deliveries, now: now), now: now)
        }
        return removed
    }

    /// How long what was written before a step of the wall clock can matter; nil for ever.
    var memory: Duration? { events.flatMap { events in deliveries.map { max(events, $0) } } }

    /// What was written before this moment, by the wall clock, is older than it has to be kept, whatever that clock has
    /// done meanwhile.
    private func cutoff(_ kept: Duration, now: Int64) -> Int64 {
        now - Int64(kept / .milliseconds(1)) - clock.doubt(over: kept)
    }

    // MARK: Events

    private func removeEvents(before cutoff: Int64) async throws -> Int {
        var removed = 0
        while !Task.isCancelled {
            let times = try await database.read { transaction in
                try transaction.query(
                    """
                    SELECT position, time FROM warren_events
                    WHERE position <= COALESCE((SELECT position FROM warren_offsets WHERE name = 'forwarder'), 0)
                    ORDER BY position LIMIT \(Self.slice)
                    """
                ).map { (position: try $0[0] as Int64, time: try $0[1] as Int64) }
            }
            // An event from the future was written when the clock was ahead: those behind it say how old it is.
            let now = WallClock.milliseconds()
            var old = times.prefix { $0.time < cutoff || $0.time > now }
            while let last = old.last, last.time >= cutoff { old.removeLast() }
            guard let last = old.last?.position else { break }
            let count = try await database.write { transaction in
                try Self.removeEvents(through: last, now: WallClock.milliseconds(), in: transaction)
            }
            removed += count
            record.removed(events: count)
            guard times.count == Self.slice, old.count == times.count else { break }
        }
        return removed
    }

    /// Removes the first events of the store, and keeps what is left of them: the last numbers of their subjects, and the
    /// position through which they are missing.
    private static func removeEvents(through last: Int64, now: Int64, in transaction: Transaction) throws -> Int {
        try transaction.execute(
            """
            INSERT INTO warren_offsets (name, position, updated_at) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET position = excluded.position, updated_at = excluded.updated_at
                WHERE excluded.position > warren_offsets.position
            """,
            EventLog.retentionName,
            last,
            now
        )
        try transaction.execute(
            """
            INSERT INTO warren_subjects (source, subject, sequence)
                SELECT source, subject, MAX(sequence) FROM warren_events WHERE position <= $1 GROUP BY source, subject
            ON CONFLICT (source, subject) DO UPDATE SET sequence = excluded.sequence
                WHERE excluded.sequence > warren_subjects.sequence
            """,
            last
        )
        return try transaction.execute("DELETE FROM warren_events WHERE position <= $1", last)
    }

    // MARK: Receipts

    private func removeReceipts(before cutoff: Int64, now: Int64) async throws -> Int {
        var removed = 0
        var cursor: Int64 = 0
        while !Task.isCancelled {
            let slice = try await database.read { [cursor] transaction in
                try DeliveryTable.receipts(
                    after: cursor,
                    olderThan: cutoff,
                    now: now,
                    limit: Self.slice,
                    in: transaction
                )
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
