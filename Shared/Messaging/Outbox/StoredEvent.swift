internal import Events

/// An event as the forwarder reads it.
///
/// An object, because it is handed on many times.
final class StoredEvent: Sendable, Equatable {
    let position: Int64
    let id: String
    let type: String
    let subject: SubjectKey
    let sequence: Int64
    let time: Int64
    let correlationID: String?
    let traceparent: String?
    let envelope: [UInt8]
    /// An earlier event of the subject lies in the table because the broker did not take it.
    let isBlocked: Bool
    /// An earlier process may have published it.
    let isRepeat: Bool

    init(
        position: Int64,
        id: String,
        type: String,
        subject: SubjectKey,
        sequence: Int64,
        time: Int64,
        correlationID: String?,
        traceparent: String?,
        envelope: [UInt8],
        isBlocked: Bool,
        isRepeat: Bool = false
    ) {
        self.position = position
        self.id = id
        self.type = type
        self.subject = subject
        self.sequence = sequence
        self.time = time
        self.correlationID = correlationID
        self.traceparent = traceparent
        self.envelope = envelope
        self.isBlocked = isBlocked
        self.isRepeat = isRepeat
    }

    /// An event as the store has it: what has no column is read out of its envelope.
    convenience init(
        position: Int64,
        id: String,
        type: String,
        subject: SubjectKey,
        sequence: Int64,
        time: Int64,
        stored envelope: [UInt8],
        isBlocked: Bool,
        isRepeat: Bool = false
    ) {
        self.init(
            position: position,
            id: id,
            type: type,
            subject: subject,
            sequence: sequence,
            time: time,
            correlationID: Envelope.attribute("correlationid", ofEncoded: envelope),
            traceparent: Envelope.attribute("traceparent", ofEncoded: envelope),
            envelope: envelope,
            isBlocked: isBlocked,
            isRepeat: isRepeat
        )
    }

    static func == (left: StoredEvent, right: StoredEvent) -> Bool {
        left.position == right.position && left.id == right.id
    }
}
