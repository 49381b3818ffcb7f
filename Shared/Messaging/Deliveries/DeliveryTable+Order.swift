internal import Database

/// The order of a subject: what stands in the way of what, and what is let go.
extension DeliveryTable {
    /// Whether certainly no earlier delivery of the subject stands in the way; the database is not asked.
    func isClear(_ subject: SubjectKey) -> Bool {
        ordering == .none || waiting.isClear(subject)
    }

    /// Whether an earlier delivery of the subject stands in the way.
    ///
    /// Called in transactions of the writer only.
    func isBlocked(_ subject: SubjectKey, in transaction: Transaction) throws -> Bool {
        guard !isClear(subject) else { return false }
        try waiting.refresh(for: subscriber, in: transaction)
        let row = try transaction.first(
            """
            SELECT 1 FROM warren_deliveries
            WHERE subscriber = $1 AND source = $2 AND subject = $3
                AND status <> 'processed' AND status <> 'discarded' AND (status <> 'dead' OR $4 = 1)
            LIMIT 1
            """,
            subscriber,
            subject.source,
            subject.subject,
            afterDeadLetter == .hold
        )
        return row != nil
    }

    /// Lets the next held delivery of a subject go, if nothing stands before it any more.
    /// - Returns: whether one was let go.
    func releaseNext(_ subject: SubjectKey, now: Int64, in transaction: Transaction) throws -> Bool {
        guard ordering == .perSubject else { return false }
        let changes = try transaction.execute(
            """
            UPDATE warren_deliveries SET status = 'scheduled', due_at = $5, updated_at = $5
            WHERE id = (
                SELECT id FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded' AND status = 'held'
                ORDER BY COALESCE(sequence, 0), id LIMIT 1)
            AND NOT EXISTS (
                SELECT 1 FROM warren_deliveries
                WHERE subscriber = $1 AND source = $2 AND subject = $3
                    AND status <> 'processed' AND status <> 'discarded'
                    AND (status = 'scheduled' OR (status = 'dead' AND $4 = 1)))
            """,
            subscriber,
            subject.source,
            subject.subject,
            afterDeadLetter == .hold,
            now
        )
        return changes == 1
    }

    /// Whether an earlier delivery of its subject waits, so that a dead letter which is retried has to be held: several
    /// dead letters of one subject are there where `afterDeadLetter` lets successors pass, or a discard was taken back.
    ///
    /// Messages that could not be read have no subject, and timeouts go by their time.
    func isPreceded(_ letter: DeadLetter, in transaction: Transaction) throws -> Bool {
        guard ordering == .perSubject, !letter.source.isEmpty else { return false }
        let row = try transaction.first(
            """
            SELECT 1 FROM warren_deliveries AS earlier, warren_deliveries AS this
            WHERE this.id = $1 AND earlier.subscriber = $2 AND earlier.source = $3 AND earlier.subject = $4
                AND earlier.status <> 'processed' AND earlier.status <> 'discarded'
                AND (earlier.status <> 'dead' OR $5 = 1) AND earlier.id <> this.id
                AND (COALESCE(earlier.sequence, 0), earlier.id) < (COALESCE(this.sequence, 0), this.id)
                AND NOT EXISTS (
                    SELECT 1 FROM warren_timeouts WHERE delivery_id = this.id OR delivery_id = earlier.id)
            LIMIT 1
            """,
            letter.id,
            subscriber,
            letter.source,
            letter.subject,
            afterDeadLetter == .hold
        )
        return row != nil
    }

    /// The subjects of up to `limit` deliveries that wait.
    static func waitingSubjects(
        of subscriber: String,
        limit: Int,
        in transaction: Transaction
    ) throws -> [SubjectKey] {
        try transaction.query(
            """
            SELECT source, subject FROM warren_deliveries
            WHERE subscriber = $1 AND status <> 'processed' AND status <> 'discarded' LIMIT $2
            """,
            subscriber,
            limit
        ).map { SubjectKey(source: try $0[0], subject: try $0[1]) }
    }
}
