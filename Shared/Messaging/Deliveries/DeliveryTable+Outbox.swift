internal import Database
internal import Events

/// What the forwarder reads: events of the store, and whether something of them waits here.
extension DeliveryTable {
    /// Reads events that are due.
    ///
    /// - Parameters:
    ///   - position: what has been read already.
    ///   - limit: how many at most.
    ///   - budget: what is held already. What has no room in it is left for the next time; one event always has.
    ///   - isRepeat: whether an earlier process may have read them already. What it handed to the table stays there,
    ///     whatever has become of it: an operator may have discarded it.
    ///   - lastRepeat: the last position that an earlier process can have published.
    /// - Returns: the events, and whether there may be more.
    func events(
        after position: Int64,
        limit: Int,
        within budget: ByteBudget,
        isRepeat: Bool,
        lastRepeat: Int64,
        in transaction: Transaction
    ) throws -> (events: [StoredEvent], hasMore: Bool) {
        var budget = budget
        var isFull = false
        let rows = try transaction.query(
            """
            SELECT position, id, source, type, subject, sequence, time, EXISTS (
                SELECT 1 FROM warren_deliveries
                WHERE subscriber = $1 AND source = warren_events.source AND subject = warren_events.subject
                    AND status <> 'processed' AND status <> 'discarded')
                OR ($4 = 1 AND EXISTS (
                    SELECT 1 FROM warren_deliveries
                    WHERE subscriber = $1 AND source = warren_events.source AND event_id = warren_events.id)) AS blocked,
                envelope
            FROM warren_events WHERE position > $2 ORDER BY position LIMIT $3
            """,
            subscriber,
            position,
            limit,
            isRepeat ? 1 : 0
        ) { row in
            if case .blob(let envelope)? = row.values.last { isFull = !budget.take(envelope.count) }
            return !isFull
        }
        let events = try rows.map { row in
            let position: Int64 = try row[0]
            return StoredEvent(
                position: position,
                id: try row[1],
                type: try row[3],
                subject: SubjectKey(source: try row[2], subject: try row[4]),
                sequence: try row[5],
                time: try row[6],
                stored: try row[8],
                isBlocked: try row[7],
                isRepeat: position <= lastRepeat
            )
        }
        return (events, isFull || events.count == limit)
    }
}
