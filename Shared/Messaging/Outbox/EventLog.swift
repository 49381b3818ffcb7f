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
    static let budget = ByteBudget(4 << 20)
    /// A filter by type or source looks at this many events in one read.
    static let scan = 10_000
    /// How long a filtered page is looked for beyond its first read.
    static let patience: Duration = .milliseconds(100)

    /// The name in `warren_offsets` of the position through which events may have been removed.
    static let retentionName = "retention"

    private let database: Database
    private let bell: CommitSignal
    private let patience: Duration

    init(database: Database, bell: CommitSignal, patience: Duration = EventLog.patience) {
        self.database = database
        self.bell = bell
        self.patience = patience
    }

    /// A page; where there is none yet, waits for one.
    ///
    /// A waiting call is woken by the commit that brings the next event - there is no polling - and returns an empty page
    /// when the time is up or the service stops.
    ///
    /// Every page is quick, however large the store is and however rare what is asked for. A subject is found by its
    /// index. Types and sources have none, since an append would pay for it: their events are looked through, 10,000 in one
    /// read (a few milliseconds) and for a tenth of a second without waiting; a page that ends there may be empty, and says
    /// in `next` where to go on.
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
            let page = try await gather(query)
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

    /// The position of the last event, whether retention has removed it or not; 0 where there was none.
    ///
    /// - Throws: `DatabaseError`.
    public func head() async throws -> Int64 {
        try await database.read { transaction in
            max(try Self.lastPosition(in: transaction), try Self.goneThrough(in: transaction))
        }
    }

    /// The event types in the store, and how often each occurs.
    ///
    /// All events are looked through, in short reads: what is appended or removed meanwhile may be counted or not.
    ///
    /// - Throws: `DatabaseError`.
    public func types() async throws -> [(type: String, count: Int)] {
        var counts: [String: Int] = [:]
        var after: Int64 = 0
        while true {
            let (bound, slice) = try await database.read { [after] transaction in
                let bound = try Self.scanBound(after: after, in: transaction)
                let rows = try transaction.query(
                    "SELECT type, COUNT(*) FROM warren_events WHERE position > $1 AND position <= $2 GROUP BY type",
                    after,
                    bound
                )
                return (bound, try rows.map { (type: try $0[0] as String, count: try $0[1] as Int) })
            }
            for (type, count) in slice { counts[type, default: 0] += count }
            guard bound > after else { break }
            after = bound
        }
        return counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// Ends all waiting, for good: the service stops.
    public func stopWaiting() {
        bell.close()
    }

    /// What one read found.
    private struct Slice: Sendable {
        var page: EventLogPage
        var budget = EventLog.budget
        /// Whether there is no room for more, rather than no more to be found.
        var isFull = false
    }

    /// Reads on until the page is full, everything has been looked at, or it takes too long.
    private func gather(_ query: EventLogQuery) async throws -> EventLogPage {
        var slice = try await read(query)
        let end = ContinuousClock.Instant.now + patience
        while !slice.isFull, slice.page.next < slice.page.head, .now < end, !Task.isCancelled {
            var rest = query
            rest.after = slice.page.next
            rest.limit -= slice.page.envelopes.count
            let more: Slice
            do {
                more = try await read(rest, behind: slice.budget)
            } catch is EventLogError {
                // Retention has come by; who asks for the next page is told.
                break
            }
            slice.page.envelopes += more.page.envelopes
            slice.page.next = more.page.next
            slice.page.head = more.page.head
            slice.budget = more.budget
            slice.isFull = more.isFull
        }
        return slice.page
    }

    /// - Parameter budget: what the page has already.
    private func read(_ query: EventLogQuery, behind budget: ByteBudget = EventLog.budget) async throws -> Slice {
        try await database.read { transaction in
            let gone = try Self.goneThrough(in: transaction)
            guard query.after >= gone else { throw EventLogError.gone(through: gone) }
            let head = max(try Self.lastPosition(in: transaction), gone)
            guard query.after <= head else { throw EventLogError.ahead(head: head) }
            let nothing = Slice(page: EventLogPage(envelopes: [], next: head, head: head), budget: budget)
            let sources = try Self.sources(for: query, in: transaction)
            if sources?.isEmpty == true { return nothing }
            let bound = query.isScanned ? try Self.scanBound(after: query.after, in: transaction) : head
            let (condition, arguments) = query.condition(through: bound, sources: sources)
            let sizes = try transaction.query(
                """
                SELECT position, LENGTH(envelope) FROM warren_events
                WHERE \(condition) ORDER BY position LIMIT \(query.limit)
                """,
                arguments: arguments
            )
            var slice = nothing
            slice.page.next = bound
            slice.isFull = sizes.count == query.limit
            var last: Int64?
            for row in sizes {
                guard slice.budget.take(try row[1]) else {
                    slice.isFull = true
                    break
                }
                last = try row[0]
            }
            if slice.isFull { slice.page.next = last ?? query.after }
            guard let last else { return slice }
            let (pageCondition, pageArguments) = query.condition(through: last, sources: sources)
            slice.page.envelopes = try transaction.query(
                "SELECT envelope FROM warren_events WHERE \(pageCondition) ORDER BY position",
                arguments: pageArguments
            ).map { try $0[0] }
            return slice
        }
    }

    /// The sources to look under, by the index of subjects; nil where that needs not be known.
    private static func sources(for query: EventLogQuery, in transaction: Transaction) throws -> [String]? {
        if let source = query.source {
            let isThere = try transaction.first("SELECT 1 FROM warren_events WHERE source = $1 LIMIT 1", source) != nil
            return isThere ? [source] : []
        }
        guard query.subject != nil else { return nil }
        // A store has one source, or a few.
        var sources: [String] = []
        while let row = try transaction.first(
            "SELECT MIN(source) FROM warren_events WHERE source > $1",
            sources.last ?? ""
        ), let source: String = try row[0] {
            sources.append(source)
        }
        return sources
    }

    private static func lastPosition(in transaction: Transaction) throws -> Int64 {
        try position("SELECT MAX(position) FROM warren_events", [], in: transaction) ?? 0
    }

    /// The position through which events are missing; behind it there may be none at all.
    private static func goneThrough(in transaction: Transaction) throws -> Int64 {
        try position("SELECT position FROM warren_offsets WHERE name = $1", [retentionName], in: transaction) ?? 0
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
    /// Whether what is asked for has to be looked for among all events.
    fileprivate var isScanned: Bool { subject == nil && (!types.isEmpty || source != nil) }

    /// What the rows must satisfy.
    ///
    /// Without a subject the rows are read in the order of their positions; the empty string keeps an engine from going by
    /// the index of subjects and sorting.
    ///
    /// - Parameter sources: where the subject may be.
    fileprivate func condition(
        through last: Int64,
        sources: [String]?
    ) -> (String, [(any DatabaseConvertible)?]) {
        var terms = ["position > $1", "position <= $2"]
        var arguments: [(any DatabaseConvertible)?] = [after, last]
        func placeholder(_ value: String) -> String {
            arguments.append(value)
            return "$\(arguments.count)"
        }
        if let subject {
            let sources = (sources ?? []).map(placeholder).joined(separator: ", ")
            terms.append(
                """
                position IN (SELECT position FROM warren_events WHERE source IN (\(sources))
                    AND subject = \(placeholder(subject)) AND position > $1 AND position <= $2)
                """
            )
        } else if let source {
            terms.append("source || '' = \(placeholder(source))")
        }
        if !types.isEmpty { terms.append("type IN (\(types.map(placeholder).joined(separator: ", ")))") }
        return (terms.joined(separator: " AND "), arguments)
    }
}
