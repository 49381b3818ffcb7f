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
    let counters: CounterBox
    let logger: Logger
    /// What lay there when the service started is in the table.
    let drained = Flag()

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
            guard let isNew = await store(arrival, error, now: now) else { return }
            if isNew {
                counters.add(to: \.deadLettered)
                logger.warning(
                    "broker gave up on a delivery",
                    [
                        LogField("messaging.event.type", arrival.record.type),
                        LogField("error.class", error.errorClass),
                    ]
                )
            }
            acknowledge(message.tag)
        }
    }

    /// Writes one, and repeats it until the database takes it: unacknowledged, it would come again only with the next
    /// connection.
    ///
    /// - Returns: whether it was not here before; nil when the service stops first, and then it does come again.
    private func store(_ arrival: Arrival, _ error: HandlerError, now: Int64) async -> Bool? {
        let pause = Signal()
        while !Task.isCancelled {
            do {
                return try await database.write { [table] transaction in
                    let life = DeliveryLife(state: .dead, attempts: 1)
                    // A row that is there already knows more than the broker does.
                    let id = try table.insert(arrival.record, life: life, error: error, now: now, in: transaction)
                    guard let id else { return false }
                    let attempt = DeliveryTable.Attempt(startedAt: now, durationMilliseconds: 0, error: error)
                    try table.record(attempt, number: 1, generation: 0, of: id, in: transaction)
                    return true
                }
            } catch {
                logger.error("a message that the broker gave up on cannot be stored", [LogField("error", error: error)])
                if let error = error as? DatabaseError, error.code == .closed { return nil }
                await pause.wait(until: .now + .seconds(1))
            }
        }
        return nil
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
