import FoundationEssentials
import JSON
import Messaging
import Telemetry

extension OperationsAPI.DeadLetterSummary {
    init(_ letter: DeadLetter, service: String) {
        self.init(
            id: String(letter.id),
            service: service,
            subscriber: letter.subscriber,
            state: letter.state.rawValue,
            type: letter.type,
            subject: letter.subject,
            source: letter.source,
            eventID: letter.eventID,
            generation: letter.generation,
            attemptCount: letter.attemptCount,
            dueAt: letter.dueAt.map { Timestamp(milliseconds: $0).description },
            receivedAt: Timestamp(milliseconds: letter.receivedAt).description,
            updatedAt: Timestamp(milliseconds: letter.updatedAt).description,
            errorClass: letter.errorClass,
            error: letter.errorMessage
        )
    }
}

extension OperationsAPI.DeadLetterDetail {
    /// Throws when the stored properties are not JSON, which only a damaged table can bring about.
    init(_ letter: DeadLetter, service: String) throws {
        let text = String(validating: letter.body, as: UTF8.self)
        self.init(
            summary: OperationsAPI.DeadLetterSummary(letter, service: service),
            body: text,
            bodyBase64: text == nil ? Data(letter.body).base64EncodedString() : nil,
            properties: try StrictJSON.decode(JSONValue.self, from: Array(letter.properties.utf8)),
            attempts: letter.attempts.map { OperationsAPI.Attempt($0) }
        )
    }
}

extension OperationsAPI.Attempt {
    init(_ attempt: DeadLetter.Attempt) {
        self.init(
            generation: attempt.generation,
            attempt: attempt.attempt,
            startedAt: Timestamp(milliseconds: attempt.startedAt).description,
            durationMilliseconds: attempt.durationMilliseconds,
            host: attempt.host,
            errorClass: attempt.errorClass,
            error: attempt.message
        )
    }
}

extension OperationsAPI.DeadLetterGroup {
    init(_ group: DeadLetterGroup) {
        self.init(
            type: group.type,
            errorClass: group.errorClass,
            count: group.count,
            firstSeen: Timestamp(milliseconds: group.firstSeen).description,
            lastSeen: Timestamp(milliseconds: group.lastSeen).description,
            example: group.example
        )
    }
}

extension OperationsAPI.AuditEntry {
    init(_ entry: AuditEntry) {
        self.init(
            id: String(entry.id),
            at: Timestamp(milliseconds: entry.at).description,
            actor: entry.actor,
            action: entry.action,
            deliveryID: String(entry.deliveryID),
            reason: entry.reason
        )
    }
}

extension OperationsAPI.Backlog {
    init(_ backlog: Backlog, service: String) {
        self.init(
            service: service,
            unforwarded: backlog.unforwarded,
            oldestUnforwardedAge: backlog.oldestUnforwardedAge,
            scheduled: backlog.scheduled,
            oldestScheduledAge: backlog.oldestScheduledAge,
            held: backlog.held,
            dead: backlog.dead
        )
    }
}
