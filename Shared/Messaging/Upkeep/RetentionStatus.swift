internal import Database
internal import Events
import Synchronization

/// What retention has removed since the start, and what is left for readers of the event store.
public struct RetentionStatus: Sendable, Equatable {
    /// Events that were removed since the start.
    public var removedEvents = 0
    /// Receipts of processed deliveries that were removed since the start.
    public var removedReceipts = 0
    /// Passes that failed since the start.
    public var failures = 0
    /// When the last pass ended well, in milliseconds since 1970; nil before the first since the start, which comes an
    /// hour after it.
    public var lastPass: Int64?
    /// The position through which events may be missing; 0 when none was ever removed.
    public var goneThrough: Int64 = 0
    /// The age in seconds of the oldest event that a reader can still ask for; nil when there is none.
    public var oldestEventAge: Double?

    /// Makes a status of a service that has removed nothing.
    public init() {}
}

/// Notes what retention does, from any thread.
final class RetentionRecord: Sendable {
    private let status = Mutex(RetentionStatus())

    var value: RetentionStatus { status.withLock { $0 } }

    func removed(events: Int = 0, receipts: Int = 0) {
        status.withLock { status in
            status.removedEvents += events
            status.removedReceipts += receipts
        }
    }

    func passed(at moment: Int64) {
        status.withLock { $0.lastPass = moment }
    }

    func failed() {
        status.withLock { $0.failures += 1 }
    }
}

extension Retention {
    /// What has been removed, and what is left.
    ///
    /// - Throws: `DatabaseError`.
    func status(now: Int64) async throws -> RetentionStatus {
        var status = record.value
        let (gone, oldest) = try await database.read { transaction -> (Int64, Int64?) in
            let gone: Int64 =
                try transaction.first(
                    "SELECT position FROM warren_offsets WHERE name = $1",
                    EventLog.retentionName
                ).map { try $0[0] } ?? 0
            let oldest: Int64? = try transaction.first(
                "SELECT time FROM warren_events WHERE position > $1 ORDER BY position LIMIT 1",
                gone
            ).map { try $0[0] }
            return (gone, oldest)
        }
        status.goneThrough = gone
        status.oldestEventAge = oldest.map { Double(max(0, now - $0)) / 1000 }
        return status
    }
}

extension MessagingRuntime {
    /// What retention has removed, and what is left.
    ///
    /// - Throws: `DatabaseError`.
    public func retentionStatus() async throws -> RetentionStatus {
        try await retention.status(now: WallClock.milliseconds())
    }

    /// Removes everything that may go, at once: what the service does by itself each hour.
    ///
    /// - Throws: `DatabaseError`.
    package func retain() async throws {
        _ = try await retention.pass(now: WallClock.milliseconds())
    }
}
