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
        let due = max(now, time)
        let record = DeliveryRecord(
            key: DeliveryKey(source: envelope.source, eventID: envelope.id),
            type: type.rawValue,
            subjectKey: SubjectKey(source: envelope.source, subject: event.subject),
            // It arrives when it is due: until then nothing is late, and its age counts from there.
            receivedAt: due,
            body: bytes,
            properties: StoredProperties(json: "{}")
        )
        try desk.table.insertTimeout(record, key: key, due: due, now: now, in: self)
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
        return try desk.table.removeTimeout(key: key, in: self)
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
