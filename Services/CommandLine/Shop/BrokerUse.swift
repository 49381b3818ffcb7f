import Events

extension Invocation {
    /// Connects to the broker, lends a way to publish, and says what to do where that fails.
    ///
    /// - Throws: `CommandFailure`, or what `body` throws.
    func withBroker(_ body: (@escaping EventBroker.Publish) async throws -> Void) async throws {
        let url = try value("amqp-url")
        let timeout = try duration("timeout") ?? .seconds(10)
        do {
            try await surroundings.broker.withConnection(to: url, timeout: timeout) { publish in
                try await body { envelope in
                    do {
                        try await publish(envelope)
                    } catch let failure as BrokerFailure {
                        throw explain(failure, publishing: envelope)
                    }
                }
            }
        } catch let failure as BrokerFailure {
            throw explain(failure, publishing: nil)
        }
    }
}

private func explain(_ failure: BrokerFailure, publishing envelope: Envelope?) -> CommandFailure {
    switch failure.kind {
    case .unroutable:
        let type = envelope?.type.rawValue ?? "the event's type"
        let meant = Suggestion.nearest(
            to: envelope.map { EventCatalogue.shortName(of: $0.type) } ?? "",
            among: EventCatalogue.shortNames.filter { $0 != envelope.map { EventCatalogue.shortName(of: $0.type) } }
        )
        return CommandFailure(
            .failed,
            "no queue listens to \(type), so the broker gave the event back: \(failure.reason)",
            mend: (meant.map { "Did you mean `\($0)`? " } ?? "")
                + "Queues listen to these types (without dev.warren.):\n\(EventCatalogue.subscriptions)"
        )
    case .refused:
        return CommandFailure(.failed, "the broker did not take the event: \(failure.reason)")
    case .unreachable:
        return CommandFailure(
            .unreachable,
            "the broker cannot be reached: \(failure.reason)",
            mend: "Start it, or say where it is with --amqp-url or WARREN_AMQP_URL."
        )
    case .timedOut:
        return CommandFailure(
            .notMet,
            "the broker did not confirm in time: \(failure.reason)",
            mend: envelope.map {
                "It may have arrived. Send it again under its id, and it is handled once: --id \($0.id)"
            }
        )
    }
}
