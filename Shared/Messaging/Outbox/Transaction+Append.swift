public import Database
public import Events
internal import Telemetry

/// What `append` needs beside the transaction.
///
/// Unchecked: it belongs to its transaction, and so to the thread that the transaction stays on.
final class AppendContext: @unchecked Sendable {
    let store: EventStore
    var cause: Envelope?
    let local: LocalDispatch?
    /// What has been appended, for the forwarder.
    var stored: [StoredEvent] = []
    /// What has local handlers.
    var appended: [LocalDispatch.Appended] = []

    init(store: EventStore, cause: Envelope?, local: LocalDispatch?) {
        self.store = store
        self.cause = cause
        self.local = local
    }
}

extension Transaction {
    /// Appends an event to the event store: published if and only if this transaction commits.
    ///
    /// Inside a delivery the cause and the correlation id are the delivery's; outside, `correlationID` starts a flow and
    /// is the event's subject unless given. Events of one subject are numbered from 1 in the order of their appending.
    ///
    /// - Returns: what the event is known by from now on, for an answer that names it or a column that refers to it.
    /// - Throws: `DatabaseError` with code `.misuse` outside of `EventStore.write` and `Delivery.commit`, and in a service that
    ///   only consumes; `EventFault`, which names the field, for what no subscriber could read: an attribute that is empty,
    ///   longer than 255 bytes or holds control characters (type, subject, correlation id); data with U+0000 or nested too
    ///   deep; more bytes than every subscriber's limit.
    @discardableResult
    public func append(_ event: some Event, correlationID: String? = nil) throws -> EventIdentity {
        guard let context = context as? AppendContext else {
            throw DatabaseError(
                code: .misuse,
                reason: "append works inside EventStore.write and Delivery.commit only; use one of them"
            )
        }
        guard context.store.isPublished else {
            throw DatabaseError(
                code: .misuse,
                reason: "append needs a service that publishes; this one is set up as .consumesOnly"
            )
        }
        let type = Swift.type(of: event).type
        let sequence = try lastSequence(source: context.store.source, subject: event.subject) + 1
        let now = WallClock.milliseconds()
        let envelope = Envelope(
            id: UUIDv7.make(),
            source: context.store.source,
            type: type,
            subject: event.subject,
            time: Timestamp(milliseconds: now).description,
            sequence: UInt64(sequence),
            correlationID: correlationID ?? context.cause?.correlationID ?? event.subject,
            causationID: context.cause?.id,
            traceparent: context.cause?.traceparent,
            data: try event.encodedData()
        )
        let bytes = try envelope.encoded(within: context.store.limits)
        let position = try insert(
            """
            INSERT INTO warren_events (id, source, type, subject, sequence, time, envelope)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            key: "position",
            envelope.id,
            envelope.source,
            type.rawValue,
            event.subject,
            sequence,
            now,
            bytes
        )
        if context.stored.isEmpty { afterCommit { [store = context.store] in store.onCommit(context.stored) } }
        context.stored.append(
            StoredEvent(
                position: position,
                id: envelope.id,
                type: type.rawValue,
                subject: SubjectKey(source: envelope.source, subject: event.subject),
                sequence: sequence,
                time: now,
                envelope: bytes,
                isBlocked: false
            )
        )
        let isHeard = context.local?.hasHandlers(of: type) == true
        if isHeard { context.appended.append(LocalDispatch.Appended(event: event, envelope: envelope)) }
        return EventIdentity(
            id: envelope.id,
            source: envelope.source,
            subject: event.subject,
            sequence: UInt64(sequence)
        )
    }

    /// The last number that a subject has given; 0 for a new one.
    ///
    /// Its last event has it, and, where retention has removed that one, `warren_subjects`, which is not asked otherwise.
    private func lastSequence(source: String, subject: String) throws -> Int64 {
        try first(
            """
            SELECT COALESCE(
                (SELECT sequence FROM warren_events WHERE source = $1 AND subject = $2 ORDER BY sequence DESC LIMIT 1),
                (SELECT sequence FROM warren_subjects WHERE source = $1 AND subject = $2), 0)
            """,
            source,
            subject
        ).map { try $0[0] } ?? 0
    }
}
