internal import Database
internal import Events
internal import Telemetry

/// Writes down a failed attempt: what becomes of the delivery, the attempt itself, the counters, the log.
struct FailureRecord: Sendable {
    /// A failed attempt.
    struct Failure: Sendable {
        var error: HandlerError
        /// Milliseconds since 1970.
        var startedAt: Int64
        var endedAt: Int64
    }

    /// What has become of it.
    struct Outcome: Sendable {
        /// The row.
        var id: Int64
        var life: DeliveryLife
        /// What is recorded: a deferral may have come to its end.
        var error: HandlerError
        var type: String
        var subject: String
        var attempt: Int
    }

    let policy: RetryPolicy
    /// How long a delivery may be put off; nil for ever.
    let deferralLimit: Duration?
    let counters: CounterBox
    let logger: Logger

    /// Writes a delivery whose first attempt failed.
    ///
    /// - Returns: nil when it is here already: a copy was quicker, and that one has said so.
    func insert(
        _ record: DeliveryRecord,
        _ failure: Failure,
        random: Double,
        of table: DeliveryTable,
        in transaction: Transaction
    ) throws -> Outcome? {
        var life = DeliveryLife(state: .scheduled, attempts: 1)
        let now = WallClock.milliseconds()
        let error = fail(&life, failure, now: now, random: random)
        let id = try table.insert(record, life: life, error: error, now: now, in: transaction)
        guard let id else { return nil }
        try keep(failure, error, number: 1, generation: 0, of: id, table, in: transaction)
        return Outcome(id: id, life: life, error: error, type: record.type, subject: record.subject, attempt: 1)
    }

    /// Writes down the failure of a row's attempt, and lets go what it held if it is dead and does not hold any more.
    ///
    /// - Returns: nil when the row is no longer what the attempt began with.
    func update(
        _ due: DeliveryTable.Due,
        _ failure: Failure,
        random: Double,
        of table: DeliveryTable,
        in transaction: Transaction
    ) throws -> Outcome? {
        var life = due.life
        // The wall clock may have stepped since the row was read.
        if let since = life.deferredSince { life.deferredSince = since + table.clock.lead - due.lead }
        let now = WallClock.milliseconds()
        let error = fail(&life, failure, now: now, random: random)
        guard try table.fail(due, life: life, error: error, now: now, in: transaction) else { return nil }
        try keep(
            failure,
            error,
            number: due.life.attempts,
            generation: due.life.generation,
            of: due.id,
            table,
            in: transaction
        )
        if life.state == .dead, table.afterDeadLetter == .proceed {
            _ = try table.releaseNext(due.subjectKey, now: now, in: transaction)
        }
        return Outcome(
            id: due.id,
            life: life,
            error: error,
            type: due.type,
            subject: due.subject,
            attempt: due.life.attempts
        )
    }

    /// Counts what has become of a failed attempt and says so, by the id that it has as a dead letter.
    ///
    /// After the commit.
    func note(_ outcome: Outcome) {
        let isDead = outcome.life.state == .dead
        if isDead { counters.add(to: \.deadLettered) }
        let fields = [
            LogField("messaging.delivery.id", outcome.id),
            LogField("messaging.event.type", outcome.type),
            LogField("messaging.event.subject", outcome.subject),
            LogField("messaging.attempt", outcome.attempt),
            LogField("error.class", outcome.error.errorClass),
            LogField("error.message", outcome.error.message),
        ]
        if isDead {
            logger.warning("delivery is dead", fields)
        } else {
            logger.info("delivery failed and is scheduled again", fields)
        }
    }

    /// - Parameter now: by the wall clock as it is in this transaction, which also turns it into what the row says: the clock may
    ///   have stepped since the attempt ended.
    private func fail(
        _ life: inout DeliveryLife,
        _ failure: Failure,
        now: Int64,
        random: Double
    ) -> HandlerError {
        var error = failure.error
        if case .deferred(let until) = error.kind {
            let (moved, isTooFar) = until.addingReportingOverflow(now - failure.endedAt)
            error = error.deferred(until: isTooFar ? until : moved)
        }
        return life.fail(error, policy: policy, deferralLimit: deferralLimit, now: now, random: random)
    }

    private func keep(
        _ failure: Failure,
        _ error: HandlerError,
        number: Int,
        generation: Int,
        of id: Int64,
        _ table: DeliveryTable,
        in transaction: Transaction
    ) throws {
        let attempt = DeliveryTable.Attempt(
            startedAt: failure.startedAt,
            durationMilliseconds: failure.endedAt - failure.startedAt,
            error: error
        )
        try table.record(attempt, number: number, generation: generation, of: id, in: transaction)
    }
}
