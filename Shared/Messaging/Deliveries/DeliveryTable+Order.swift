internal import Database

/// The order of a subject: what stands in the way of what, and what is let go.
extension DeliveryTable {
    /// Whether certainly no earlier delivery of the subject stands in the way; the database is not asked.
    func isClear(_ subject: SubjectKey) -> Bool {
        ordering == .none || subject.isNone || waiting.isClear(subject)
    }

    /// What stands in the way of a later delivery of its subject.
    ///
    /// Written so that one step in `warren_deliveries_line` answers it, however many wait: `dead` comes before `held` and
    /// `scheduled` there.
    var obstacles: String {
        afterDeadLetter == .hold
            ? "status <> 'processed' AND status <> 'discarded'"
            : "status <> 'processed' AND status <> 'discarded' AND status > 'dead'"
    }

    /// Whether an earlier delivery of the subject stands in the way.
    ///
    /// Called in transactions of the writer only.
    func isBlocked(_ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        guard !isClear(subject) else { return false }
        try learnWhatWaits(in: transaction)
        let isBlocked = try hasObstacle(subject, in: transaction)
        if !isBlocked { waiting.clear(subject, in: transaction) }
        return isBlocked
    }

    /// Reads on in what waits, if not all of it is known.
    ///
    /// Called in transactions of the writer only.
    func learnWhatWaits(in transaction: Transaction) throws {
        try waiting.readOn(in: transaction) { place, limit in
            try subjectsThatWait(after: place, limit: limit, in: transaction)
        }
    }

    private func hasObstacle(_ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        try transaction.first(
            """
            SELECT 1 FROM warren_deliveries
            WHERE subscriber = $1 AND source = $2 AND subject = $3 AND \(obstacles) LIMIT 1
            """,
            subscriber,
            subject.source,
            subject.subject
        ) != nil
    }

    /// Lets the next held delivery of a subject go, if nothing stands before it any more.
    ///
    /// Two steps in an index, however many are held. It counts as at work from here on, so that its attempt costs no commit
    /// before it runs: what a crash finds between is suspected, and not charged.
    ///
    /// - Parameter isBegun: false where nothing may count as at work yet.
    /// - Returns: whether one was let go.
    func releaseNext(
        _ subject: SubjectKey,
        isBegun: Bool = true,
        now: Int64,
        in transaction: Transaction
    ) throws -> Bool {
        try letNextGo(subject, isBegun: isBegun, now: now, returning: "id", in: transaction) != nil
    }

    /// Does what `releaseNext` does where an attempt has ended well, and reads the row with its event: it can run at once.
    func releaseNextToRun(_ subject: SubjectKey, now: Int64, in transaction: Transaction) throws -> Due? {
        let columns = "\(Due.columns), body"
        guard let row = try letNextGo(subject, isBegun: true, now: now, returning: columns, in: transaction) else {
            return nil
        }
        var due = try Due(row, lead: clock.lead)
        due.body = try row["body"]
        return due
    }

    private func letNextGo(
        _ subject: SubjectKey,
        isBegun: Bool,
        now: Int64,
        returning columns: String,
        in transaction: Transaction
    ) throws -> Row? {
        guard ordering == .perSubject, !subject.isNone else { return nil }
        let row = try transaction.first(
            """
            UPDATE warren_deliveries SET status = 'scheduled', due_at = $5, updated_at = $6, running_since = $7
            WHERE id = (
                SELECT id FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded' AND status = 'held'
                ORDER BY COALESCE(sequence, 0), COALESCE(place, id) LIMIT 1)
            AND NOT EXISTS (
                SELECT 1 FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded' AND status = 'scheduled')
            AND ($4 = 0 OR NOT EXISTS (
                SELECT 1 FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded' AND status = 'dead'))
            RETURNING \(columns)
            """,
            subscriber,
            subject.source,
            subject.subject,
            afterDeadLetter == .hold,
            clock.steady(now),
            now,
            isBegun ? now : nil
        )
        if row == nil, try !hasObstacle(subject, in: transaction) { waiting.clear(subject, in: transaction) }
        return row
    }

    /// Whether a row that is to be due has to be held: an earlier delivery of its subject waits, or another one is scheduled,
    /// perhaps at work, and two of a subject must not be.
    ///
    /// Several dead letters of one subject are there where `afterDeadLetter` lets successors pass, or a discard was taken back.
    /// What has no subject has no order, and timeouts go by their time.
    func hasToWait(_ id: Int64, _ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        guard ordering == .perSubject, !subject.isNone else { return false }
        return try has(.scheduled, beside: id, subject, in: transaction)
            || isPreceded(id, subject, in: transaction)
    }

    /// Holds a row that is due although an earlier delivery of its subject waits: it was scheduled while order did not matter,
    /// or a discard was taken back since.
    ///
    /// - Returns: whether it was held; then what can go instead has been let go.
    func holdBehindEarlier(_ due: Due, now: Int64, in transaction: Transaction) throws -> Bool {
        guard ordering == .perSubject, !due.subjectKey.isNone, due.source != timeoutSource,
            try isPreceded(due.id, due.subjectKey, in: transaction)
        else { return false }
        let changes = try transaction.execute(
            """
            UPDATE warren_deliveries SET status = 'held', due_at = NULL, running_since = NULL, updated_at = $3
            WHERE id = $1 AND generation = $2 AND status = 'scheduled'
            """,
            due.id,
            due.life.generation,
            now
        )
        if changes == 1 { _ = try releaseNext(due.subjectKey, now: now, in: transaction) }
        return changes == 1
    }

    /// Holds a row that is due where it has to wait, and lets go what can.
    ///
    /// - Returns: whether it is held.
    func holdIfItHasTo(_ id: Int64, _ subject: SubjectKey, now: Int64, in transaction: Transaction) throws -> Bool {
        guard try hasToWait(id, subject, in: transaction) else { return false }
        try transaction.execute("UPDATE warren_deliveries SET status = 'held', due_at = NULL WHERE id = $1", id)
        _ = try releaseNext(subject, now: now, in: transaction)
        return true
    }

    /// Whether an earlier delivery of the subject than that row waits: a step in the index for each state.
    private func isPreceded(_ id: Int64, _ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        let states: [DeliveryState] = afterDeadLetter == .hold ? [.scheduled, .held, .dead] : [.scheduled, .held]
        return try states.contains { state in
            try has(
                state,
                beside: id,
                subject,
                where: """
                    AND COALESCE(other.sequence, 0) <= COALESCE(this.sequence, 0)
                    AND (COALESCE(other.sequence, 0) < COALESCE(this.sequence, 0)
                        OR COALESCE(other.place, other.id) < COALESCE(this.place, this.id))
                    """,
                in: transaction
            )
        }
    }

    private func has(
        _ state: DeliveryState,
        beside id: Int64,
        _ subject: SubjectKey,
        where condition: String = "",
        in transaction: Transaction
    ) throws -> Bool {
        try transaction.first(
            """
            SELECT 1 FROM warren_deliveries AS other, warren_deliveries AS this
            WHERE this.id = $1 AND other.subscriber = $2 AND other.source = $3 AND other.subject = $4
                AND other.status <> 'processed' AND other.status <> 'discarded' AND other.status = $5
                AND other.id <> this.id \(condition)
                AND NOT EXISTS (SELECT 1 FROM warren_timeouts WHERE delivery_id = this.id OR delivery_id = other.id)
            LIMIT 1
            """,
            id,
            subscriber,
            subject.source,
            subject.subject,
            state.rawValue
        ) != nil
    }

    /// The next subjects of which a delivery stands in the way of later ones, in the order of an index; timeouts are left
    /// out, since each stands for itself.
    ///
    /// It steps from subject to subject, however many deliveries each has.
    func subjectsThatWait(
        after place: SubjectKey?,
        limit: Int,
        in transaction: Transaction
    ) throws -> WaitingSubjects.Slice {
        var slice = WaitingSubjects.Slice(place: place)
        for _ in 0..<limit {
            guard let next = try nextSubject(after: slice.place, in: transaction) else {
                slice.isEnd = true
                break
            }
            slice.place = next
            guard next.source != timeoutSource, !next.isNone else { continue }
            if try afterDeadLetter == .hold || hasObstacle(next, in: transaction) { slice.subjects.append(next) }
        }
        return slice
    }

    /// The next subject of which a delivery waits.
    func nextSubject(after place: SubjectKey?, in transaction: Transaction) throws -> SubjectKey? {
        // Behind the timeouts: there may be one for every order.
        if let place, place.source == timeoutSource {
            return try transaction.first(
                """
                SELECT source, subject FROM warren_deliveries
                WHERE subscriber = $1 AND source > $2 AND status <> 'processed' AND status <> 'discarded'
                ORDER BY source, subject LIMIT 1
                """,
                subscriber,
                place.source
            ).map { SubjectKey(source: try $0[0], subject: try $0[1]) }
        }
        return try transaction.first(
            """
            SELECT source, subject FROM warren_deliveries
            WHERE subscriber = $1 AND (source, subject) > ($2, $3) AND status <> 'processed' AND status <> 'discarded'
            ORDER BY source, subject LIMIT 1
            """,
            subscriber,
            place?.source ?? "",
            place?.subject ?? ""
        ).map { SubjectKey(source: try $0[0], subject: try $0[1]) }
    }
}
