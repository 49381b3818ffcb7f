internal import Database

/// Which stored events are asked for.
///
/// Every given condition must hold.
public struct EventLogQuery: Sendable, Equatable {
    /// Events behind this position; 0 for all of them.
    public var after: Int64 = 0
    /// How many at most, 1 to 1,000.
    public var limit = 100
    /// One of these types; any when empty.
    public var types: [String] = []
    /// This subject.
    public var subject: String?
    /// This source.
    public var source: String?

    /// From the beginning, without conditions.
    public init() {}
}

/// Stored events in order.
public struct EventLogPage: Sendable, Equatable {
    /// The envelopes, byte for byte as they are stored.
    public var envelopes: [[UInt8]]
    /// Where the next page begins: everything up to here has been looked at.
    public var next: Int64
    /// The position of the last event in the store; whoever has come to it has seen everything.
    public var head: Int64

    /// Makes a page.
    public init(envelopes: [[UInt8]], next: Int64, head: Int64) {
        self.envelopes = envelopes
        self.next = next
        self.head = head
    }
}

/// Why there is no page.
public enum EventLogError: Error, Sendable, Equatable {
    /// Retention has removed events behind the position that was asked for, all of them up to `through`.
    case gone(through: Int64)
    /// The position lies behind the last event, which is at `head`: the store is not the one that gave it out, or has
    /// been restored from an older copy.
    case ahead(head: Int64)
    /// Too many wait already; ask again later or without waiting.
    case tooManyWaiters
}

/// The event store, for reading: what the event API answers from.
///
/// Thread-safe. Reads run beside the writer and never hold it up.
public final class EventLog: Sendable {
    /// The most events on a page.
    public static let maximumLimit = 1000
    /// A page ends before it has more bytes than this, unless its first event alone has.
    static let maximumBytes = 4 << 20
    /// A filter looks at this many events in one go.
    static let scan = 10_000

    /// The name in `warren_offsets` of the position through which events may have been removed.
    static let retentionName = "retention"

    private let database: Database
    private let bell: CommitBell

    init(database: Database, bell: CommitBell) {
        self.database = database
        self.bell = bell
    }

    /// A page; where there is none yet, waits for one.
    ///
    /// A waiting call is woken by the commit that brings the next event - there is no polling - and returns an empty page
    /// when the time is up or the service stops.
    ///
    /// - Parameters:
    ///   - query: which events.
    ///   - wait: how long to wait while there are none.
    /// - Throws: `EventLogError`; `DatabaseError`.
    public func page(_ query: EventLogQuery, wait: Duration = .zero) async throws -> EventLogPage {
        let deadline = ContinuousClock.Instant.now + wait
        var query = query
        query.limit = max(1, min(Self.maximumLimit, query.limit))
        while true {
            let heard = bell.rings
            let page = try await read(query)
            guard page.envelopes.isEmpty, !Task.isCancelled, !bell.isClosed else { return page }
            query.after = page.next
            // A filter has passed over many; the caller goes on where it got to.
            if page.next < page.head {
                if wait == .zero { return page }
                if .now < deadline { continue }
            }
            guard .now < deadline else { return page }
            guard await bell.wait(since: heard, until: deadline) == .ended else { throw EventLogError.tooManyWaiters }
        }
    }

    /// The position of the last event; 0 in an empty store.
    ///
    /// - Throws: `DatabaseError`.
    public func head() async throws -> Int64 {
        try await database.read { transaction in
            try Self.position("SELECT MAX(position) FROM warren_events", [], in: transaction) ?? 0
        }
    }

    /// The event types in the store, and how often each occurs.
    ///
    /// - Throws: `DatabaseError`.
    public func types() async throws -> [(type: String, count: Int)] {
        try await database.read { transaction in
            try transaction.query("SELECT type, COUNT(*) FROM warren_events GROUP BY type ORDER BY type").map { row in
                (type: try row[0], count: try row[1])
            }
        }
    }

    /// Ends all waiting, for good: the service stops.
    public func stopWaiting() {
        bell.close()
    }

    private func read(_ query: EventLogQuery) async throws -> EventLogPage {
        try await database.read { transaction in
            let gone: Int64 =
                try transaction.first(
                    "SELECT position FROM warren_offsets WHERE name = $1",
                    Self.retentionName
                ).map { try $0[0] } ?? 0
            guard query.after >= gone else { throw EventLogError.gone(through: gone) }
            let head = try Self.position("SELECT MAX(position) FROM warren_events", [], in: transaction) ?? 0
            guard query.after <= head else { throw EventLogError.ahead(head: head) }
            let bound = query.isFiltered ? try Self.scanBound(after: query.after, in: transaction) : head
            let (condition, arguments) = query.condition(through: bound)
            let sizes = try transaction.query(
                """
                SELECT position, LENGTH(envelope) FROM warren_events
                WHERE \(condition) ORDER BY position LIMIT \(query.limit)
                """,
                arguments: arguments
            )
            var bytes = 0
            var last: Int64?
            var isCut = sizes.count == query.limit
            for row in sizes {
                let size: Int = try row[1]
                if last != nil, bytes + size > Self.maximumBytes {
                    isCut = true
                    break
                }
                bytes += size
                last = try row[0]
            }
            guard let last else { return EventLogPage(envelopes: [], next: bound, head: head) }
            let (pageCondition, pageArguments) = query.condition(through: last)
            let envelopes: [[UInt8]] = try transaction.query(
                "SELECT envelope FROM warren_events WHERE \(pageCondition) ORDER BY position",
                arguments: pageArguments
            ).map { try $0[0] }
            return EventLogPage(envelopes: envelopes, next: isCut ? last : bound, head: head)
        }
    }

    private static func scanBound(after: Int64, in transaction: Transaction) throws -> Int64 {
        try position(
            """
            SELECT MAX(position) FROM (
                SELECT position FROM warren_events WHERE position > $1 ORDER BY position LIMIT \(scan)) AS scanned
            """,
            [after],
            in: transaction
        ) ?? after
    }

    private static func position(
        _ sql: String,
        _ arguments: [(any DatabaseConvertible)?],
        in transaction: Transaction
    ) throws -> Int64? {
        guard let row = try transaction.first(sql, arguments: arguments) else { return nil }
        return try row[0]
    }
}

extension EventLogQuery {
    fileprivate var isFiltered: Bool { !types.isEmpty || subject != nil || source != nil }

    /// What the rows must satisfy.
    ///
    /// The rows are read in the order of their positions; the empty strings keep an engine from going by the index of
    /// subjects and sorting.
    fileprivate func condition(through last: Int64) -> (String, [(any DatabaseConvertible)?]) {
        var terms = ["position > $1", "position <= $2"]
        var arguments: [(any DatabaseConvertible)?] = [after, last]
        func placeholder(_ value: String) -> String {
            arguments.append(value)
            return "$\(arguments.count)"
        }
        if !types.isEmpty { terms.append("type IN (\(types.map(placeholder).joined(separator: ", ")))") }
        if let subject { terms.append("subject || '' = \(placeholder(subject))") }
        if let source { terms.append("source || '' = \(placeholder(source))") }
        return (terms.joined(separator: " AND "), arguments)
    }
}
