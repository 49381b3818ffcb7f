internal import Database
internal import Events
import Synchronization
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

    /// Where an attempt runs.
    struct Place: Sendable {
        let lane: Lanes.Lane
        /// Of a suspect that is to be alone.
        let turn: SuspectIsolation.Turn?
        /// Makes the place free, if it is not: called when an attempt has been taken from a handler that goes on.
        let leave: @Sendable () -> Void
    }

    let database: Database
    let events: EventStore
    let failures: FailureRecord
    let limits: EventLimits
    let clock: AttemptClock

    private var counters: CounterBox { failures.counters }
    private var logger: Logger { failures.logger }

    /// Runs one due row.
    ///
    /// - Returns: the next row of its subject, which the receipt of this one has let go.
    func run(
        _ row: DeliveryTable.Due,
        of table: DeliveryTable,
        _ work: Work,
        in place: Place
    ) async -> DeliveryTable.Due? {
        let startedAt = WallClock.milliseconds()
        let most = failures.policy.attempts
        if row.suspicion.company == .nobody, row.life.attempts >= most {
            let error = HandlerError.permanent(
                "process.ended",
                "the process ended during each of its \(most) attempts"
            )
            await fail(row, of: table, error, startedAt: startedAt)
            return nil
        }
        let due: DeliveryTable.Due
        do {
            due = try await begin(row, of: table, isAlone: place.turn?.isAlone ?? false, now: startedAt)
        } catch is Gone {
            return nil
        } catch {
            logger.error("an attempt cannot be begun", [LogField("error", error: error)])
            await pauseForDatabase()
            return nil
        }
        if due.isCharged, row.suspicion.level < Suspicion.highest {
            await place.turn?.beforeCompany { await uncharge(due, begunAt: startedAt) }
        }
        return await attempt(due, of: table, work, in: place, startedAt: startedAt)
    }

    /// Marks the attempt as begun where that has not been done with its release, and reads the event.
    private func begin(
        _ due: DeliveryTable.Due,
        of table: DeliveryTable,
        isAlone: Bool,
        now: Int64
    ) async throws -> DeliveryTable.Due {
        if due.isBegun, !due.body.isEmpty {
            // Read in the transaction that has let it go; the one that ends it asks whether it still is what it was.
            var due = due
            due.life.attempts += 1
            return due
        }
        if due.isBegun, due.suspicion.company != .nobody {
            return try await database.read(on: .reserved) { transaction in
                var due = due
                guard try DeliveryTable.readBegun(&due, in: transaction) else { throw Gone() }
                return due
            }
        }
        let begun = try await database.write { transaction -> DeliveryTable.Due? in
            var due = due
            if try table.holdBehindEarlier(due, now: now, in: transaction) { return nil }
            return try table.begin(&due, isAlone: isAlone, now: now, in: transaction) ? due : nil
        }
        guard let begun else { throw Gone() }
        return begun
    }

    /// The row is no longer what it was when it was read, or has to wait.
    private struct Gone: Error {}

    private func attempt(
        _ due: DeliveryTable.Due,
        of table: DeliveryTable,
        _ work: Work,
        in place: Place,
        startedAt: Int64
    ) async -> DeliveryTable.Due? {
        let envelope: Envelope
        do throws(EventFault) {
            // A body that cannot be read now could not be read when it came in; the handler never sees it.
            envelope = try Envelope(decoding: due.body, limits: limits)
        } catch {
            await fail(due, of: table, HandlerError(error), startedAt: startedAt)
            return nil
        }
        let row = RowAttempt(due: due, table: table, attempt: self, startedAt: startedAt, leave: place.leave)
        let delivery = Delivery(
            envelope: envelope,
            attempt: due.life.attempts,
            tick: clock.now,
            database: database,
            events: events,
            as: row
        )
        place.lane.begin(delivery)
        do {
            try await perform(work, delivery, envelope, body: due.body, subscriber: table.subscriber)
            let outcome = try await delivery.end()
            guard place.lane.end(delivery) else { return nil }
            counters.add(to: outcome == .processed ? \.processed : \.duplicates)
            return outcome == .processed ? row.takeNext() : nil
        } catch {
            // What the end of the process interrupts has not failed.
            guard place.lane.end(delivery), !Task.isCancelled else { return nil }
            await fail(due, of: table, HandlerError(error), startedAt: startedAt)
            return nil
        }
    }

    private func perform(
        _ work: Work,
        _ delivery: Delivery,
        _ envelope: Envelope,
        body: [UInt8],
        subscriber name: String
    ) async throws {
        switch work {
        case .handle(let subscriber):
            guard let handler = subscriber.handler(of: envelope.type) else {
                throw HandlerError.permanent("event.unknown-type", "\(name) has no handler for \(envelope.type)")
            }
            try await handler(delivery)
        case .publish(let publish):
            try await publish(envelope, body)
            counters.add(to: \.published)
        }
    }

    fileprivate func fail(
        _ due: DeliveryTable.Due,
        of table: DeliveryTable,
        _ error: HandlerError,
        startedAt: Int64
    ) async {
        let failure = FailureRecord.Failure(error: error, startedAt: startedAt, endedAt: WallClock.milliseconds())
        let random = Double.random(in: 0...1)
        do {
            let outcome = try await database.write { [failures] transaction in
                try failures.update(due, failure, random: random, of: table, in: transaction)
            }
            guard let outcome else { return }
            counters.add(to: \.failedAttempts)
            failures.note(outcome)
        } catch {
            // The row is still scheduled and due: it runs again, one attempt cheaper than it was.
            logger.error("a failed attempt cannot be recorded", [LogField("error", error: error)])
            await pauseForDatabase()
        }
    }

    /// The suspect is not alone any more, so what ends the process may be something else.
    private func uncharge(_ due: DeliveryTable.Due, begunAt startedAt: Int64) async {
        do {
            try await database.write { transaction in
                try DeliveryTable.uncharge(due, begunAt: startedAt, in: transaction)
            }
        } catch {
            logger.error("a suspect stays charged", [LogField("error", error: error)])
        }
    }

    /// The row stays due, so it would run again at once, as fast as the database refuses it.
    private func pauseForDatabase() async {
        await Signal().wait(until: .now + .seconds(1))
    }
}

/// An attempt at a row of the table.
private final class RowAttempt: DeliveryAttempt {
    private let due: DeliveryTable.Due
    private let table: DeliveryTable
    private let attempt: RetryAttempt
    private let startedAt: Int64
    private let leave: @Sendable () -> Void
    /// The row that the receipt lets go.
    private let next = Mutex<DeliveryTable.Due?>(nil)

    init(
        due: DeliveryTable.Due,
        table: DeliveryTable,
        attempt: RetryAttempt,
        startedAt: Int64,
        leave: @escaping @Sendable () -> Void
    ) {
        self.due = due
        self.table = table
        self.attempt = attempt
        self.startedAt = startedAt
        self.leave = leave
    }

    func takeReceipt(in transaction: Transaction) throws -> Delivery.Outcome {
        let now = WallClock.milliseconds()
        guard try table.finish(due, now: now, in: transaction) else { return .duplicate }
        let released = try table.releaseNextToRun(due.subjectKey, now: now, in: transaction)
        next.withLock { $0 = released }
        return .processed
    }

    /// The row that the receipt has let go, once it is durable.
    func takeNext() -> DeliveryTable.Due? {
        next.withLock { exchange(&$0, with: nil) }
    }

    func timedOut() async {
        await attempt.fail(due, of: table, attempt.clock.timeout, startedAt: startedAt)
        leave()
    }
}
