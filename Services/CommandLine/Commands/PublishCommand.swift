import Events
import JSON
import ServiceKit

/// `warren publish`: test events, as any service would publish them.
enum PublishCommand {
    static let command = Command(
        name: "publish",
        summary: "Publish a test event, confirmed by the broker.",
        discussion: """
            The event is a CloudEvents envelope of any type on the exchange warren.events; the command ends well when \
            the broker has it in at least one queue. One that no queue listens to is kept nowhere, and ends with 1.

            An event of the shop comes from the source that its contract names and has an example as its payload; what \
            its contract (Shared/ShopEvents/asyncapi.yaml) forbids, another --source too, is not sent without --force. Any other comes from \(EventDraft.ownSource) and has the \
            payload {}. With --subject, several events go out in order, one after the other; without, each has a \
            subject of its own, unless its payload says what it is about, and they go out together.
            """,
        arguments: [
            Argument(
                name: "TYPE",
                help: "the event type, `dev.warren.order.confirmed` or short `order.confirmed`",
                choices: EventCatalogue.shortNames
            )
        ],
        options: [
            .text("subject", "S", help: "What the event is about, an order's id; default: a new id"),
            .text("data", "JSON|@FILE|-", help: "The payload: JSON, a file that holds it, or standard input"),
            .text("id", "ID", help: "The event's id, to send it again; default: a new UUIDv7"),
            .text("source", "URI", help: "Where the event says it comes from, in place of what its contract names"),
            .flag("force", help: "Send what the contract forbids, to see what becomes of it"),
            .text("count", "N", help: "How many events, each with its own id", fallback: "1"),
            .text("rate", "R", help: "At most so many per second"),
            .text("timeout", "DURATION", help: "How long to try to reach the broker", fallback: "10s"),
        ],
        examples: [
            .init("warren publish order.confirmed", "A mail about an order that does not exist"),
            .init(
                "warren publish order.payment-requested --subject 42 --data @request.json",
                "A payload from a file"
            ),
            .init("warren publish order.confirmed --count 1000 --rate 50", "Load for Notification"),
            .init("warren publish com.example.points-granted --data '{\"points\": 5}'", "An event of your own"),
            .init(
                "warren publish order.cancelled --force --data '{\"poison\": true}'",
                "A message that no handler can read"
            ),
        ]
    ) { invocation in
        let draft = try draft(invocation)
        let count = try invocation.integer("count", in: 1...10_000_000) ?? 1
        let rate = try rate(invocation)
        guard count == 1 || !invocation.isGiven("id") else {
            throw UsageError(message: "--id and --count exclude each other", mend: "One id is one event.")
        }
        let report = PublicationReport(invocation, total: count)
        do {
            try await invocation.withBroker { publish in
                if count == 1 || rate != nil || draft.subject != nil {
                    try await inOrder(draft, count: count, rate: rate, report, publish)
                } else {
                    try await together(draft, count: count, report, publish)
                }
            }
        } catch let failure as CommandFailure {
            report.finish()
            guard report.count > 0 else { throw failure }
            let message = "\(report.count) of \(count) events are published, then: \(failure.message)"
            throw CommandFailure(.partlyFailed, message, mend: failure.mend)
        }
        report.finish()
    }

    /// What every refusal by a contract says.
    private static let forced = "With --force it is sent all the same, to see what becomes of it."

    private static func draft(_ invocation: Invocation) throws -> EventDraft {
        let isForced = invocation.isGiven("force")
        var draft = EventDraft(
            type: EventCatalogue.type(meantBy: invocation.words[0]),
            subject: invocation.text("subject"),
            id: invocation.text("id"),
            source: invocation.text("source"),
            data: try invocation.payload("data")
        )
        // With any payload first: the example of a type would be blamed for a subject that is none.
        var outside = draft
        outside.data = draft.data ?? Array("{}".utf8)
        try check(try outside.envelope())
        if let source = draft.source, let named = EventCatalogue.source(of: draft.type), source != named, !isForced {
            throw UsageError(
                message: "the contract of \(draft.type) names the source \(named), and --source says otherwise",
                mend: forced
            )
        }
        if let data = draft.data { draft.subject = try subject(of: data, draft, isForced: isForced) }
        return draft
    }

    /// What an event with that payload is about.
    ///
    /// - Throws: `UsageError` that names what the contract of its type forbids, unless that is wanted.
    private static func subject(of data: [UInt8], _ draft: EventDraft, isForced: Bool) throws -> String? {
        do throws(EventFault) {
            guard let event = try EventCatalogue.event(of: draft.type, data: data) else { return draft.subject }
            guard let subject = draft.subject else { return event.subject }
            guard subject == event.subject || isForced else {
                throw EventFault(
                    .invalidData,
                    "it is about `\(event.subject)`, and --subject says otherwise"
                )
            }
            return subject
        } catch {
            guard isForced else {
                throw UsageError(
                    message: "the contract of \(draft.type) forbids that payload: \(error.detail)",
                    mend: forced
                )
            }
            return draft.subject
        }
    }

    /// Reads an event as a service reads it: what no service could take is not sent.
    private static func check(_ envelope: Envelope) throws {
        let mend = "Write JSON in single quotes, '{\"a\": 1}', or @FILE, or - for standard input."
        // Alone first: a payload could close itself and go on with attributes of the envelope.
        guard (try? JSONValue(parsing: envelope.data)) != nil else {
            throw UsageError(message: "--data is not valid JSON", mend: mend)
        }
        do throws(EventFault) {
            _ = try Envelope(decoding: envelope.encoded(within: .standard))
        } catch {
            let isPayload = error.code != .invalidAttribute && error.code != .missingAttribute
            throw UsageError(message: "no service could take that event: \(error)", mend: isPayload ? mend : nil)
        }
    }

    private static func rate(_ invocation: Invocation) throws -> Double? {
        guard let text = invocation.text("rate") else { return nil }
        guard let rate = Double(text), rate.isFinite, rate >= 0.001, rate <= 1_000_000 else {
            throw UsageError(message: "--rate cannot be `\(text)`", mend: "It is a number of events per second.")
        }
        return rate
    }

    private static func inOrder(
        _ draft: EventDraft,
        count: Int64,
        rate: Double?,
        _ report: PublicationReport,
        _ publish: @escaping EventBroker.Publish
    ) async throws {
        let clock = ContinuousClock()
        let start = clock.now
        for index in 0..<count {
            if let rate, index > 0 {
                try await clock.sleep(until: start + .seconds(Double(index) / rate))
            }
            let envelope = try draft.envelope()
            try await publish(envelope)
            report.took(envelope)
        }
    }

    /// Keeps some publications on their way at once: each waits for its own confirm.
    private static func together(
        _ draft: EventDraft,
        count: Int64,
        _ report: PublicationReport,
        _ publish: @escaping EventBroker.Publish
    ) async throws {
        try await withThrowingTaskGroup(of: Envelope.self) { group in
            for index in 0..<count {
                if index >= 256, let envelope = try await group.next() { report.took(envelope) }
                let envelope = try draft.envelope()
                group.addTask {
                    try await publish(envelope)
                    return envelope
                }
            }
            for try await envelope in group { report.took(envelope) }
        }
    }
}
