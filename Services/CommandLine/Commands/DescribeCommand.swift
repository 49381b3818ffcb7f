import Events
import JSON
import Messaging
import ServiceKit
import ShopEvents

/// `warren describe`: who listens to what.
enum DescribeCommand {
    static let command = Command(
        name: "describe",
        summary: "Show the topology: which queue gets which events.",
        discussion: """
            Events go to the topic exchange warren.events under their type. Every service has a queue of its own name, \
            bound to each type that it listens to, and a queue for what the broker itself gives up on.
            """,
        examples: [
            .init("warren describe", "Who listens to what?"),
            .init(
                "warren describe -o jsonl | jq -r 'select(.queue == \"payment\") | .type'",
                "What does Payment hear?"
            ),
        ]
    ) { invocation in
        let subscriptions = Shop.topology.subscriptions.flatMap { subscription in
            subscription.types.map { record($0.rawValue, subscription.subscriber) }
        }
        let heard = Set(Shop.topology.subscriptions.flatMap(\.types))
        let unheard = EventCatalogue.types.filter { !heard.contains($0) }.map { record($0.rawValue, nil) }
        invocation.printer.list(
            subscriptions + unheard,
            columns: [
                .init("QUEUE") { $0["queue"]?.text ?? "(nobody)" }, .init("EVENT TYPE", "type"),
                .init("BROKER'S DEAD LETTERS", "deadLetterQueue"),
            ],
            empty: ""
        )
    }

    private static func record(_ type: String, _ queue: String?) -> JSONValue {
        [
            "exchange": .string(Topology.exchange), "type": .string(type), "queue": queue.map { .string($0) } ?? .null,
            "deadLetterQueue": queue.map { .string(Topology.deadLetterQueue(of: $0)) } ?? .null,
        ]
    }
}
