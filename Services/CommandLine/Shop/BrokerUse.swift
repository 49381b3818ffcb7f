import Events
import Messaging

extension Invocation {
    /// Connects to the broker, lends a way to publish, and says what to do where that fails.
    ///
    /// No publication waits longer than `--timeout`, not even for a broker that takes nothing for now.
    ///
    /// - Throws: `UsageError` where the URL is none, `CommandFailure`, or what `body` throws.
    func withBroker(_ body: (@escaping EventBroker.Publish) async throws -> Void) async throws {
        let url = try brokerURL()
        let timeout = try duration("timeout") ?? .seconds(10)
        do {
            try await surroundings.broker.withConnection(to: url, timeout: timeout) { publish in
                try await body { envelope in
                    do {
                        try await withDeadline(timeout) { try await publish(envelope) }
                    } catch let failure as PublishFailure {
                        throw explain(failure, publishing: envelope)
                    }
                }
            }
        } catch let failure as PublishFailure {
            throw explain(failure, publishing: nil)
        }
    }

    /// Looks at queues of the broker.
    ///
    /// - Throws: `UsageError` where the URL is none, `CommandFailure`.
    func queues(_ names: [String]) async throws -> [BrokerView.Queue] {
        let timeout = try duration("timeout") ?? .seconds(10)
        do {
            return try await surroundings.broker.queues(names, at: try brokerURL(), timeout: timeout)
        } catch let failure as PublishFailure {
            guard failure.kind == .refused else { throw explain(failure, publishing: nil) }
            throw CommandFailure(.notAllowed, "the broker does not show its queues: \(failure.reason)")
        }
    }

    /// Where the broker is.
    ///
    /// - Throws: `UsageError` where the URL is none.
    func brokerURL() throws -> String {
        let secret = isGiven("amqp-url") ? nil : try surroundings.text(of: "WARREN_AMQP_URL")
        let url = try secret ?? value("amqp-url")
        guard url.hasPrefix("amqp://") || url.hasPrefix("amqps://") else {
            // What is written there may hold a password.
            throw UsageError(
                message: "the broker's URL does not begin with amqp:// or amqps://",
                mend: "--amqp-url or WARREN_AMQP_URL is a URL such as amqp://guest:guest@127.0.0.1:5672/."
            )
        }
        return url
    }
}

/// Runs a publication and cancels it when the time is up.
private func withDeadline(_ timeout: Duration, _ publish: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await publish() }
        group.addTask {
            try await ContinuousClock().sleep(for: timeout)
            let time = DurationText.describe(timeout)
            throw PublishFailure(kind: .timedOut, reason: "nothing came back within \(time)")
        }
        defer { group.cancelAll() }
        try await group.next()
    }
}

private func explain(_ failure: PublishFailure, publishing envelope: Envelope?) -> CommandFailure {
    switch failure.kind {
    case .unroutable:
        let name = envelope.map { EventCatalogue.shortName(of: $0.type) } ?? ""
        let meant = Suggestion.nearest(to: name, among: EventCatalogue.shortNames.filter { $0 != name })
        return CommandFailure(
            .failed,
            "the broker gave the event back: no queue listens to \(envelope?.type.rawValue ?? "its type")",
            mend: (meant.map { "Did you mean `\($0)`? " } ?? "")
                + "It is kept nowhere: only a service's own event store keeps what nobody listens to. A queue is bound to a "
                + "type when a service starts whose topology says so; `warren describe` shows the queues there are."
        )
    case .refused:
        return CommandFailure(.failed, "the broker did not take the event: \(failure.reason)")
    case .unreachable:
        return CommandFailure(
            .unreachable,
            "the broker cannot be used: \(failure.reason)",
            mend: "Start it, or say where it is, and as whom, with --amqp-url or WARREN_AMQP_URL. "
                + "Its exchanges and queues are made by the services when they start."
        )
    case .timedOut:
        return CommandFailure(
            .notMet,
            "the broker did not confirm the event: \(failure.reason)",
            mend: envelope.map {
                "It may have arrived. Send it again under its id, and it is handled once: --id \($0.id)"
            }
        )
    }
}
