internal import AMQP
internal import Database
internal import Events
internal import Telemetry

/// Drains what the *broker* gave up on (delivery limit, reject, queue length) into the dead-letter table, with the
/// reason that the broker gives.
///
/// A net: the service itself never rejects.
struct BrokerDeadLetters: Sendable {
    /// How long the queue waits for it after the start.
    static let patience = Duration.seconds(30)

    let table: DeliveryTable
    let database: Database
    let limits: EventLimits
    let failures: FailureRecord
    /// What lay there when the service started is in the table.
    let drained = Flag()
    private let copies = UnreadableCopies()
    private var logger: Logger { failures.logger }

    init(table: DeliveryTable, database: Database, limits: EventLimits, failures: FailureRecord) {
        self.table = table
        self.database = database
        self.limits = limits
        self.failures = failures
    }

    /// Drains the connection until it stops consuming.
    func drain(_ source: any ConsumingConnection) async {
        let watching = Task {
            for await state in source.states where state == .ready && source.readyMessages == 0 { drained.set() }
        }
        for await burst in source.bursts {
            await receive(burst) { tag in
                source.ack(tag)
                // Tags count the deliveries of a connection.
                if tag.number >= source.readyMessages { drained.set() }
            }
        }
        watching.cancel()
    }

    /// Waits until what the broker had given up on before the service started is in the table, or for a while.
    ///
    /// The queue is handled after that: otherwise the later events of such a delivery's subject would not find it there, and
    /// pass it, and another copy of it would count as new.
    func untilDrained() async {
        guard await !drained.wait(until: .now + BrokerDeadLetters.patience), !Task.isCancelled else { return }
        logger.warning(
            "the broker's dead letters are not in the table yet; the queue is handled all the same",
            [LogField("waited.seconds", Int(BrokerDeadLetters.patience.components.seconds))]
        )
    }

    /// Writes a burst; `acknowledge` is called for each message after its commit.
    private func receive(
        _ burst: [IncomingMessage],
        acknowledge: @escaping @Sendable (IncomingMessage.Tag) -> Void
    ) async {
        for message in burst {
            let now = WallClock.milliseconds()
            let arrival = Arrival(message, limits: limits, now: now, for: "")
            let reason = BrokerDeadLetters.reason(of: message.message.properties.headers)
            let error = HandlerError.permanent("broker.\(reason)", "the broker gave up on the message: \(reason)")
            let failure = FailureRecord.Failure(error: error, startedAt: now, endedAt: now)
            guard let outcome = await store(arrival, failure, connection: message.tag.connection) else { return }
            if let outcome { failures.note(outcome) }
            acknowledge(message.tag)
        }
    }

    /// Writes one, and repeats it until the database takes it: unacknowledged, it would come again only with the next
    /// connection.
    ///
    /// - Returns: what has become of it, nil if it was here before, as which it may have become anything; nothing at all when
    ///   the service stops first, and then it does come again.
    private func store(
        _ arrival: Arrival,
        _ failure: FailureRecord.Failure,
        connection: UInt64
    ) async -> FailureRecord.Outcome?? {
        await persistently(logger, "a message that the broker gave up on cannot be stored") {
            try await database.write { [table, failures, copies] transaction -> FailureRecord.Outcome? in
                if arrival.isSuspect, case .unreadable(_, let alike) = arrival.content,
                    try copies.match(arrival, alike: alike, of: table, connection: connection, in: transaction)
                {
                    return nil
                }
                // A row that is there already knows more than the broker does.
                let outcome = try failures.insert(arrival.record, failure, random: 0, of: table, in: transaction)
                if let outcome {
                    transaction.afterCommit { copies.wrote(outcome.id, connection: connection) }
                }
                return outcome
            }
        }
    }

    /// The `reason` of the latest entry of `x-death` (RabbitMQ, "Dead Letter Exchanges").
    private static func reason(of headers: FieldTable?) -> String {
        if case .array(let deaths)? = headers?["x-death"], case .table(let latest)? = deaths.first,
            let reason = latest["reason"]?.text
        {
            return reason
        }
        return headers?["x-first-death-reason"]?.text ?? "dead-lettered"
    }
}
