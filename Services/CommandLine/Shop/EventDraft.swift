import Events
import Telemetry

/// What the test events of one call have in common.
struct EventDraft: Sendable {
    let type: EventType
    /// Absent: every event is about something new.
    var subject: String?
    /// Absent: every event has a new one.
    var id: String?
    /// Absent: where the type's contract says that it comes from, or `/warren-command`.
    var source: String?
    /// Absent: an example of the type.
    var data: [UInt8]?

    /// Where events of types without a known contract say that they come from.
    static let ownSource = "/warren-command"

    /// The next event.
    func envelope() throws -> Envelope {
        let subject = subject ?? UUIDv7.make()
        return Envelope(
            id: id ?? UUIDv7.make(),
            source: source ?? EventCatalogue.source(of: type) ?? Self.ownSource,
            type: type,
            subject: subject,
            time: Timestamp.now().description,
            correlationID: subject,
            data: try data ?? EventCatalogue.example(of: type, subject: subject) ?? Array("{}".utf8)
        )
    }
}
