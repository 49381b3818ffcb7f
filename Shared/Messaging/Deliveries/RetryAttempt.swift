internal import Database
internal import Events
internal import Telemetry

/// One attempt at a row of the table: begin, do, and write down how it ended.
struct RetryAttempt: Sendable {
    /// What an attempt does with an event.
    enum Work: Sendable {
        /// Calls the service's handler.
        case handle(Subscriber)
        /// Publishes the event; returns when the broker has confirmed it.
        case publish(@Sendable (Envelope, [UInt8]) async throws -> Void)
    }

    let database: Database
    let events: EventStore
    let policy: RetryPolicy
    /// How long a delivery may be put off; nil for ever.
    let deferralLimit: Duration?
    let limits: EventLimits
    let counters: CounterBox
    let logger: Logger

    /// Runs one due row.
    func run(_ row: DeliveryTable.Due, of table: DeliveryTable, _ work: Work) async {
        var due = row
        let startedAt = WallClock.milliseconds()
        if row.isSuspect, row.life.attempts >= policy.attempts {
            let error = HandlerError.permanent(
                "process.ended",
                "the process ended during each of its \(policy.attempts) attempts"
            )
            return await fail(row, of: table, error, startedAt: startedAt)
        }
        do {
            due = try await begin(due, of: table, now: startedAt)
        } catch is Gone {
            return
        } catch {
            logger.error("an attempt cannot be begun", [LogField("error", error: error)])
            return await pauseForDatabase()
        }
        do {
            switch try await attempt(due, of: table, work) {
            case .processed: counters.add(to: \.processed)
            case .duplicate, .blocked: counters.add(to: \.duplicates)
            }
        } catch {
            await fail(due, of: table, HandlerError(error), startedAt: startedAt)
        }
    }

    /// Marks the attempt as begun where that has not been done with its release, and reads the event.
    private func begin(_ due: DeliveryTable.Due, of table: DeliveryTable, now: Int64) async throws -> DeliveryTable.Due
    {
        if due.isBegun, !due.isSuspect {
            return try await database.read(on: .reserved) { transaction in
                var due = due
                guard try DeliveryTable.readBegun(&due, in: transaction) else { throw Gone() }
                return due
            }
        }
        return try await database.write { transaction in
            var due = due
            guard try table.begin(&due, now: now, in: transaction) else { throw Gone() }
            return due
        }
    }

    /// The row is no longer what it was when it was read.
    private struct Gone: Error {}

    private func attempt(
        _ due: DeliveryTable.Due,
        of table: DeliveryTable,
        _ work: Work
    ) async throws -> Delivery.Outcome {
        let subject = SubjectKey(source: due.source, subject: due.subject)
        let takeReceipt: @Sendable (Transaction) throws -> Delivery.Outcome = { transaction in
            let now = WallClock.milliseconds()
            guard try table.finish(due, now: now, in: transaction) else { return .duplicate }
            _ = try table.releaseNext(subject, now: now, in: transaction)
            return .processed
        }
        // A body that cannot be read now could not be read when it came in; the handler never sees it.
        let envelope = try Envelope(decoding: due.body, limits: limits)
        let delivery = Delivery(
            envelope: envelope,
            attempt: due.life.attempts,
            database: database,
            events: events,
            takeReceipt: takeReceipt
        )
        switch work {
        case .handle(let subscriber):
            guard let handler = subscriber.handler(of: envelope.type) else {
                throw HandlerError.permanent(
                    "event.unknown-type",
                    "\(table.subscriber) has no handler for \(envelope.type)"
                )
            }
            try await handler(delivery)
        case .publish(let publish):
            try await publish(envelope, due.body)
            counters.add(to: \.published)
        }
        return try await delivery.end()
    }

    private func fail(
        _ due: DeliveryTable.Due,
        of table: DeliveryTable,
        _ error: HandlerError,
        startedAt: Int64
    ) async {
        let ended = WallClock.milliseconds()
        var life = due.life
        // The wall clock may have stepped since the row was read.
        if let since = life.deferredSince { life.deferredSince = since + table.clock.lead - due.lead }
        let error = life.fail(
            error,
            policy: policy,
            deferralLimit: deferralLimit,
            now: ended,
            random: .random(in: 0...1)
        )
        do {
            let isRecorded = try await database.write { [life] transaction in
                guard try table.fail(due, life: life, error: error, now: ended, in: transaction) else { return false }
                let attempt = DeliveryTable.Attempt(
                    startedAt: startedAt,
                    durationMilliseconds: ended - startedAt,
                    error: error
                )
                try table.record(
                    attempt,
                    number: due.life.attempts,
                    generation: due.life.generation,
                    of: due.id,
                    in: transaction
                )
                if life.state == .dead, table.afterDeadLetter == .proceed {
                    let subject = SubjectKey(source: due.source, subject: due.subject)
                    _ = try table.releaseNext(subject, now: ended, in: transaction)
                }
                return true
            }
            guard isRecorded else { return }
            counters.add(to: \.failedAttempts)
            if life.state == .dead { counters.add(to: \.deadLettered) }
            logger.noteFailure(
                error,
                life,
                of: due.id,
                type: due.type,
                subject: due.subject,
                attempt: due.life.attempts
            )
        } catch {
            // The row is still scheduled and due: it runs again, one attempt cheaper than it was.
            logger.error("a failed attempt cannot be recorded", [LogField("error", error: error)])
            await pauseForDatabase()
        }
    }

    /// The row stays due, so it would run again at once, as fast as the database refuses it.
    private func pauseForDatabase() async {
        await Signal().wait(until: .now + .seconds(1))
    }
}
