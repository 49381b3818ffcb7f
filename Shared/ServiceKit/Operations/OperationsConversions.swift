import FoundationEssentials
import JSON
import Messaging
import Telemetry

extension OperationsAPI.Feed {
    init(_ feed: EventFeed) async throws {
        self.init(name: feed.name, position: try await feed.position(), problem: feed.problem)
    }
}

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

extension DeadLetterCursor {
    /// An id, `17`; where listings go by time with the moment of the last change before it,
    /// `2026-01-01T00:00:00.000Z/17`.
    var text: String {
        (updatedAt.map { "\(Timestamp(milliseconds: $0))/" } ?? "") + String(id)
    }

    /// Reads what `text` writes.
    init?(text: String, hasTime: Bool) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let id = parts.last.flatMap({ OperationsQuery.id(String($0)) }), parts.count == (hasTime ? 2 : 1) else {
            return nil
        }
        guard hasTime else {
            self.init(id: id)
            return
        }
        guard let time = Timestamp(rfc3339: String(parts[0])) else { return nil }
        self.init(id: id, updatedAt: time.milliseconds)
        guard self.text == text else { return nil }
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
            deliveryID: entry.deliveryID > 0 ? String(entry.deliveryID) : nil,
            operationID: entry.operationID.map { String($0) },
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
