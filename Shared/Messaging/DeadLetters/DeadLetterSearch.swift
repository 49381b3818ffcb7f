internal import Database

/// How a filter is answered: which indexes are walked, in which order, and how far.
///
/// Every walk follows one index in the order of the result, so that a page costs what is on it, wherever in a million
/// rows it lies:
///
/// | filter | index |
/// | --- | --- |
/// | state alone | `warren_deliveries_state` |
/// | type, error class | `warren_deliveries_kind`, one walk for each kind that there is, merged |
/// | subject | `warren_deliveries_subject` |
/// | time | `warren_deliveries_changed` |
///
/// What no index answers - text, and what is left of combinations - is compared row by row, for a bounded number of
/// rows; where the bound is met before the page is full, the result says up to where it has looked.
struct DeadLetterSearch {
    /// Rows that one page compares at most.
    static let comparedRows = 10_000
    /// Kinds whose walks are merged at most; where there are more, rows are compared.
    static let mergedKinds = 64

    /// The order of a result.
    enum Order {
        case newestFirst
        case oldestFirst
        case lastChangedFirst
    }

    /// A place in that order.
    struct Key: Equatable {
        /// When the row last changed; 0 where the order does not go by it.
        var time: Int64 = 0
        var id: Int64
    }

    /// A row that was found.
    struct Hit {
        var key: Key
        var id: Int64
        var generation: Int
        var updatedAt: Int64
    }

    /// What was found.
    struct Found {
        /// In order; as many as were asked for at most.
        var hits: [Hit] = []
        /// Where to go on; nil when all has been looked through.
        var next: Key?
        /// Whether it ends before the limit because the bound was met.
        var isCutShort = false
    }

    let filter: DeadLetterFilter
    let order: Order
    /// Rows up to this id only.
    var lastID: Int64?
    /// Rows that have not changed since this moment only.
    var unchangedSince: Int64?

    /// Finds up to `limit` rows behind a place.
    ///
    /// - Parameter compared: how many rows may be compared for it.
    func find(
        after: Key?,
        limit: Int,
        compared: Int = comparedRows,
        in transaction: Transaction
    ) throws -> Found {
        let walks = try walks(in: transaction)
        var hits: [Hit] = []
        var horizon: Key?
        for walk in walks {
            let floor = try walk.floor(after: after, compared: compared / walks.count, in: transaction)
            let found = try walk.hits(after: after, floor: floor, limit: limit + 1, in: transaction)
            hits += found
            // Behind a full page of its own a walk hides nothing from this page.
            if let floor, found.count <= limit, horizon.map({ comes(floor, before: $0) }) ?? true { horizon = floor }
        }
        hits.sort { comes($0.key, before: $1.key) }
        if let horizon { hits.removeAll { comes(horizon, before: $0.key) } }
        if hits.count > limit {
            hits.removeLast(hits.count - limit)
            return Found(hits: hits, next: hits.last?.key)
        }
        return Found(hits: hits, next: horizon, isCutShort: horizon != nil)
    }

    /// Whether one place lies before another.
    func comes(_ one: Key, before other: Key) -> Bool {
        order == .oldestFirst
            ? (one.time, one.id) < (other.time, other.id) : (one.time, one.id) > (other.time, other.id)
    }

    /// The walks that answer the filter, one for each state at least.
    func walks(in transaction: Transaction) throws -> [DeliveryTable.Walk] {
        let states = filter.states.isEmpty ? DeliveryState.allCases : filter.states
        return try DeliveryState.allCases.filter { $0 != .processed && states.contains($0) }.flatMap { state in
            try walks(of: state, in: transaction)
        }
    }

    private func walks(of state: DeliveryState, in transaction: Transaction) throws -> [DeliveryTable.Walk] {
        var walk = DeliveryTable.Walk(
            of: state,
            filter,
            order: order,
            lastID: lastID,
            unchangedSince: unchangedSince
        )
        if let subject = filter.subject,
            try order != .lastChangedFirst || DeliveryTable.isShort(subject, state, in: transaction)
        {
            walk.follow(subject: subject)
            return [walk]
        }
        if order == .lastChangedFirst {
            walk.followChanges()
            return [walk]
        }
        guard DeadLetterGroupCounts.counts(state), !filter.types.isEmpty || filter.errorClass != nil,
            let kinds = try DeadLetterGroupCounts.kinds(
                of: state,
                in: filter,
                most: DeadLetterSearch.mergedKinds,
                in: transaction
            )
        else { return [walk] }
        return kinds.flatMap { walk.following(type: $0.type, errorClass: $0.errorClass) }
    }
}
