import Events
import JSON
import Messaging
import ServiceKit
import ShopEvents

/// `warren describe`: who listens to what.
enum DescribeCommand {
    static let command = Command(
        name: "describe",
        summary: "Show the topology that the broker has: which queue gets which events.",
        discussion: """
            Events go to the topic exchange warren.events under their type. Every service has a queue of its own name, \
            bound to each type that it listens to, and a queue for what the broker itself gives up on.

            What is shown is what the broker has. By AMQP alone that is the queues of the services that are known, with \
            what waits in them; which events they get, only RabbitMQ's management pages tell. --declared shows what \
            this build of the shop would declare, and asks nobody: a shop with Inventory, Coupon, Points and Shipping; \
            without one of them its queue, and what it says, are not there.
            """,
        options: [
            .text(
                ManagementClient.option,
                "URL",
                help: "Where RabbitMQ's management pages are, http://USER:PASSWORD@HOST:15672",
                variable: ManagementClient.variable
            ),
            .flag("declared", help: "What this build of the shop would declare, whatever the broker has"),
            .text("timeout", "DURATION", help: "How long the broker may take to answer", fallback: "10s"),
        ],
        examples: [
            .init("warren describe", "Which queues are there, and what waits in them?"),
            .init("warren describe --management-url http://guest:guest@127.0.0.1:15672", "Who listens to what?"),
            .init(
                "warren describe --declared -o jsonl | jq -r 'select(.queue == \"payment\") | .type'",
                "What does Payment hear?"
            ),
        ]
    ) { invocation in
        if invocation.isGiven("declared") {
            showDeclared(invocation.printer)
        } else if let url = invocation.text(ManagementClient.option) {
            let client = try ManagementClient(
                url,
                virtualHost: ManagementClient.virtualHost(of: try invocation.value("amqp-url")),
                timeout: try invocation.duration("timeout") ?? .seconds(10),
                transport: invocation.surroundings.http
            )
            showBindings(try await client.bindings(of: Topology.exchange), invocation.printer)
        } else {
            try await showQueues(invocation)
        }
    }

    private static func showDeclared(_ printer: Printer) {
        let declared = Shop.topology(with: Set(Shop.Context.allCases)).subscriptions
        let subscriptions = declared.flatMap { subscription in
            subscription.types.map { record($0.rawValue, subscription.subscriber) }
        }
        let heard = Set(declared.flatMap(\.types))
        let unheard = EventCatalogue.types.filter { !heard.contains($0) }.map { record($0.rawValue, nil) }
        showBindings(subscriptions + unheard, printer)
    }

    private static func showBindings(_ records: [JSONValue], _ printer: Printer) {
        printer.list(
            records,
            columns: [.init("QUEUE") { $0["queue"]?.text ?? "(nobody)" }, .init("EVENT TYPE", "type")],
            empty: "nothing is bound to \(Topology.exchange)"
        )
    }

    private static func record(_ type: String, _ queue: String?) -> JSONValue {
        [
            "exchange": .string(Topology.exchange), "type": .string(type), "queue": queue.map { .string($0) } ?? .null,
        ]
    }

    private static func showQueues(_ invocation: Invocation) async throws {
        let names = try await invocation.knownServices().map(\.name)
        let queues = try await invocation.queues(names + names.map(Topology.deadLetterQueue(of:)))
        let records = zip(queues, queues.dropFirst(names.count)).map { queue, net -> JSONValue in
            [
                "queue": .string(queue.name), "exists": .bool(queue.exists),
                "messages": count(queue.readyMessages, queue),
                "consumers": count(queue.consumers, queue), "deadLetterQueue": .string(net.name),
                "deadLetterMessages": count(net.readyMessages, net),
            ]
        }
        invocation.printer.list(
            records,
            columns: [
                .init("QUEUE", "queue"), .init("IS THERE") { $0["exists"] == .bool(true) ? "yes" : "no" },
                .init("MESSAGES", "messages", isNumber: true), .init("CONSUMERS", "consumers", isNumber: true),
                .init("BROKER'S DEAD LETTERS", "deadLetterMessages", isNumber: true),
            ],
            empty: "no services are known"
        )
        invocation.printer.note(
            "Which events they get, the broker tells by --\(ManagementClient.option) only; --declared is what this build of "
                + "the shop would declare."
        )
    }

    private static func count(_ number: Int, _ queue: BrokerView.Queue) -> JSONValue {
        queue.exists ? .integer(Int64(number)) : .null
    }
}
