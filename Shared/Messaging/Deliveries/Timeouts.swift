public import Database
public import Events
import Telemetry

/// Where timeouts of a service go: its own rows in the table of deliveries.
struct TimeoutDesk: Sendable {
    /// The service's table.
    var table: DeliveryTable
    /// Raised after the commit that brings or moves one.
    var onScheduled: Signal

    /// The source of a service's timeouts.
    ///
    /// Another than that of its events, so that a timeout that waits holds none of them.
    static func source(of service: String) -> String { "\(service)/timeouts" }
}

extension Transaction {
    /// Has this service's own handler of `E` called with `event` at a time: a timeout that survives restarts.
    ///
    /// It commits with the transaction or not at all, is one delivery with the retries and dead letters that every other
    /// has, and its handler is the one registered with `Subscriber.on`. Under one key there is at most one: scheduling
    /// again under a key whose timeout has not been handled moves it and replaces the event. Timeouts stand each for
    /// itself, whatever their subject.
    ///
    /// - Parameters:
    ///   - event: what the handler gets; it is not published.
    ///   - time: when, in milliseconds since 1970; a time that has passed means at once.
    ///   - key: what it is cancelled by, `payment-due:ORDER`.
    /// - Throws: `DatabaseError` with code `.misuse` outside of `EventStore.write` and `Delivery.commit`; `EventFault`
    ///   for what the handler could not read, as `append` has it.
    public func schedule(_ event: some Event, at time: Int64, key: String) throws {
        let (context, desk) = try timeoutDesk()
        try cancelScheduled(key: key)
        let type = Swift.type(of: event).type
        let now = WallClock.milliseconds()
        let envelope = Envelope(
            id: UUIDv7.make(),
            source: TimeoutDesk.source(of: context.store.source),
            type: type,
            subject: event.subject,
            time: Timestamp(milliseconds: now).description,
            correlationID: context.cause?.correlationID ?? event.subject,
            causationID: context.cause?.id,
            traceparent: context.cause?.traceparent,
            data: try event.encodedData()
        )
        let bytes = try envelope.encoded(within: context.store.limits)
        desk.table.waiting.change()
        let row = try first(
            """
            INSERT INTO warren_deliveries
                (subscriber, source, event_id, type, subject, status, due_at, received_at, updated_at, body, properties)
            VALUES ($1, $2, $3, $4, $5, 'scheduled', $6, $7, $8, $9, '{}')
            RETURNING id
            """,
            desk.table.subscriber,
            envelope.source,
            envelope.id,
            type.rawValue,
            envelope.subject,
            max(now, time),
            // It arrives when it is due: until then nothing is late, and its age counts from there.
            max(now, time),
            now,
            bytes
        )
        guard let row else { throw DatabaseError(code: .misuse, reason: "the timeout's row was not written") }
        let id: Int64 = try row[0]
        try execute("INSERT INTO warren_timeouts (key, delivery_id) VALUES ($1, $2)", key, id)
        afterCommit { desk.onScheduled.raise() }
    }

    /// Takes a timeout back.
    ///
    /// Its handler's effect and the cancelling exclude each other: a handler that is at work finds at its commit that
    /// there is nothing to commit to, and a timeout that has been handled cannot be cancelled.
    ///
    /// - Returns: whether it was still waiting. False where there is none under this key, and where it has been handled
    ///   or is a dead letter.
    /// - Throws: `DatabaseError` with code `.misuse` outside of `EventStore.write` and `Delivery.commit`.
    @discardableResult
    public func cancelScheduled(key: String) throws -> Bool {
        let (_, desk) = try timeoutDesk()
        guard let row = try first("DELETE FROM warren_timeouts WHERE key = $1 RETURNING delivery_id", key) else {
            return false
        }
        let id: Int64 = try row[0]
        let isWaiting = try first(
            "SELECT 1 FROM warren_deliveries WHERE id = $1 AND subscriber = $2 AND status = 'scheduled'",
            id,
            desk.table.subscriber
        )
        guard isWaiting != nil else { return false }
        try execute("DELETE FROM warren_attempts WHERE delivery_id = $1", id)
        try execute("DELETE FROM warren_deliveries WHERE id = $1", id)
        return true
    }

    private func timeoutDesk() throws -> (AppendContext, TimeoutDesk) {
        guard let context = context as? AppendContext, let desk = context.store.timeouts else {
            throw DatabaseError(
                code: .misuse,
                reason: "timeouts work inside EventStore.write and Delivery.commit of a running service only"
            )
        }
        return (context, desk)
    }
}
