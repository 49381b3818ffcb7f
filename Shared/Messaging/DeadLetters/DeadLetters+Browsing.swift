internal import Database

/// A place in a listing: where the next page begins.
public struct DeadLetterCursor: Sendable, Equatable {
    /// The last delivery of the page before.
    public var id: Int64
    /// When it had last changed, in milliseconds since 1970; where the filter has a time, whose listings go by it.
    public var updatedAt: Int64?

    /// Makes a place.
    public init(id: Int64, updatedAt: Int64? = nil) {
        self.id = id
        self.updatedAt = updatedAt
    }
}

/// A page of dead letters.
public struct DeadLetterPage: Sendable {
    /// The dead letters, without bodies, properties and attempts.
    public var items: [DeadLetter]
    /// Where the next page begins; nil after the last one.
    public var next: DeadLetterCursor?
    /// False when the search ended at its bound before the page was full: `next` leads on.
    public var isComplete: Bool

    /// Makes a page.
    public init(items: [DeadLetter], next: DeadLetterCursor?, isComplete: Bool = true) {
        self.items = items
        self.next = next
        self.isComplete = isComplete
    }
}

/// Dead letters by type and error class.
public struct DeadLetterGroups: Sendable {
    /// The groups, the most frequent first, 500 at most.
    public var items: [DeadLetterGroup]
    /// False when only the newest of those that match were counted.
    public var isComplete: Bool

    /// Makes groups.
    public init(items: [DeadLetterGroup], isComplete: Bool = true) {
        self.items = items
        self.isComplete = isComplete
    }
}

extension DeadLetterFilter {
    /// Whether a listing goes by the moment of the last change.
    public var hasTime: Bool { from != nil || until != nil }

    /// Whether numbers that are kept answer it: it names types, error class and counted states only.
    var isCounted: Bool {
        subject == nil && text == nil && !hasTime && !states.isEmpty
            && states.allSatisfy { DeadLetterGroupCounts.counts($0) || $0 == .processed }
    }
}

extension DeadLetters {
    /// Rows that are counted one by one at most, where no number is kept.
    static let groupedRows = 5_000

    /// A page: newest first, or, where the filter has a time, last changed first.
    ///
    /// It costs the same at any depth of a million rows. What no index answers is compared for a bounded number of rows;
    /// the page says when that ended it.
    ///
    /// - Parameters:
    ///   - filter: which ones.
    ///   - after: `next` of the page before, or made of its last item.
    ///   - limit: how many at most, 1 to 500.
    /// - Throws: `DatabaseError`.
    public func page(_ filter: DeadLetterFilter, after: DeadLetterCursor?, limit: Int) async throws -> DeadLetterPage {
        let search = DeadLetterSearch(filter: filter, order: filter.hasTime ? .lastChangedFirst : .newestFirst)
        return try await database.read { [lead = transitions.clock.lead] transaction in
            let place = after.map {
                DeadLetterSearch.Key(time: filter.hasTime ? $0.updatedAt ?? .max : 0, id: $0.id)
            }
            let found = try search.find(after: place, limit: max(1, min(500, limit)), in: transaction)
            return DeadLetterPage(
                items: try found.hits.compactMap { try DeliveryTable.letter($0.id, lead: lead, in: transaction) },
                next: found.next.map { DeadLetterCursor(id: $0.id, updatedAt: filter.hasTime ? $0.time : nil) },
                isComplete: !found.isCutShort
            )
        }
    }

    /// As many as are wanted, page after page, in the order of `page`.
    ///
    /// - Throws: `DatabaseError`.
    public func list(_ filter: DeadLetterFilter, after: DeadLetterCursor?, limit: Int) async throws -> [DeadLetter] {
        var letters: [DeadLetter] = []
        var place = after
        repeat {
            let page = try await page(filter, after: place, limit: limit - letters.count)
            letters += page.items
            place = page.next
        } while place != nil && letters.count < limit
        return letters
    }

    /// Dead letters by type and error class, the most frequent first.
    ///
    /// By state, type and error class they are counted exactly, from numbers that are kept. With any other condition the
    /// newest of those that match are counted, as far as a bounded number of rows goes, and the answer says so.
    ///
    /// - Throws: `DatabaseError`.
    public func groups(_ filter: DeadLetterFilter) async throws -> DeadLetterGroups {
        try await database.read { transaction in
            filter.isCounted
                ? DeadLetterGroups(items: try DeadLetters.keptGroups(filter, in: transaction))
                : try DeadLetters.countedGroups(filter, in: transaction)
        }
    }

    /// How many there are, where numbers are kept.
    static func keptCount(_ filter: DeadLetterFilter, in transaction: Transaction) throws -> Int? {
        guard filter.isCounted else { return nil }
        let condition = keptCondition(filter)
        return try transaction.first(
            "SELECT COALESCE(SUM(count), 0) FROM warren_dead_letter_groups WHERE \(condition.sql)",
            arguments: condition.arguments
        )?[0]
    }

    private static func keptCondition(_ filter: DeadLetterFilter) -> SearchCondition {
        var condition = SearchCondition()
        let states = filter.states.filter { DeadLetterGroupCounts.counts($0) }.map(\.rawValue)
        condition.add("status IN (\(states.map { _ in "?" }.joined(separator: ", ")))", states)
        condition.add(kindsOf: filter)
        return condition
    }

    private static func keptGroups(
        _ filter: DeadLetterFilter,
        in transaction: Transaction
    ) throws -> [DeadLetterGroup] {
        let condition = keptCondition(filter)
        let rows = try transaction.query(
            """
            SELECT type, error_class, SUM(count), MAX(last_seen) FROM warren_dead_letter_groups
            WHERE \(condition.sql) GROUP BY type, error_class ORDER BY SUM(count) DESC, type, error_class LIMIT 500
            """,
            arguments: condition.arguments
        )
        return try rows.map { row in
            let type: String = try row[0]
            let errorClass: String = try row[1]
            var one = filter
            (one.types, one.errorClass) = ([type], errorClass)
            let latest = try DeadLetterSearch(filter: one, order: .newestFirst)
                .find(after: nil, limit: 1, in: transaction).hits.first
            let first = try DeadLetterSearch(filter: one, order: .oldestFirst)
                .find(after: nil, limit: 1, in: transaction).hits.first
            return DeadLetterGroup(
                type: type,
                errorClass: errorClass,
                count: try row[2],
                firstSeen: try first.flatMap { try DeliveryTable.letter($0.id, in: transaction)?.receivedAt } ?? row[3],
                lastSeen: try row[3],
                example: try latest.flatMap { try DeliveryTable.letter($0.id, in: transaction)?.errorMessage } ?? ""
            )
        }
    }

    /// Counts the newest that match, as many as may be compared.
    private static func countedGroups(
        _ filter: DeadLetterFilter,
        in transaction: Transaction
    ) throws -> DeadLetterGroups {
        struct Kind: Hashable {
            var type: String
            var errorClass: String
        }
        let search = DeadLetterSearch(filter: filter, order: filter.hasTime ? .lastChangedFirst : .newestFirst)
        let walks = try search.walks(in: transaction)
        var groups: [Kind: (group: DeadLetterGroup, latest: Int64)] = [:]
        var isComplete = true
        for walk in walks {
            let counted = try walk.counted(rows: groupedRows / walks.count, in: transaction)
            if !counted.isComplete { isComplete = false }
            for row in counted.rows {
                let kind = Kind(type: try row["type"], errorClass: try row["error_class"])
                let latest: Int64 = try row["latest"]
                var entry =
                    groups[kind] ?? (
                        DeadLetterGroup(
                            type: kind.type,
                            errorClass: kind.errorClass,
                            count: 0,
                            firstSeen: .max,
                            lastSeen: 0,
                            example: ""
                        ), 0
                    )
                entry.group.count += try row["count"]
                entry.group.firstSeen = min(entry.group.firstSeen, try row["first_seen"])
                entry.group.lastSeen = max(entry.group.lastSeen, try row["last_seen"])
                entry.latest = max(entry.latest, latest)
                groups[kind] = entry
            }
        }
        let all = groups.values.sorted {
            ($1.group.count, $0.group.type, $0.group.errorClass) < ($0.group.count, $1.group.type, $1.group.errorClass)
        }
        return DeadLetterGroups(
            items: try all.prefix(500).map { entry in
                var group = entry.group
                group.example = try DeliveryTable.letter(entry.latest, in: transaction)?.errorMessage ?? ""
                return group
            },
            isComplete: isComplete
        )
    }
}
