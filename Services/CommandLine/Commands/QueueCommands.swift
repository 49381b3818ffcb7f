import JSON
import Messaging
import ServiceKit
import ShopEvents

/// `warren queues`: the broker's queues.
enum QueueCommands {
    static let command = Command(
        name: "queues",
        summary: "Bring the broker's queues up to date.",
        discussion: """
            A queue keeps the arguments that it was made with, and a service that wants others does not start on it: it \
            says so in its log and under /readyz.
            """,
        examples: [.init("warren queues migrate --dry-run", "Which queues are not as this version has them?")],
        subcommands: [migrate]
    )

    private static let migrate = Command(
        name: "migrate",
        summary: "Replace queues of an older version, and move their messages.",
        discussion: """
            Stop all services first: each declares all queues, and a queue that somebody consumes is refused. Every \
            message is moved into a queue with the arguments of this version, in order, and acknowledged when that has \
            it; events that come meanwhile are kept behind them. Whatever ends the command, nothing is lost: run it \
            again, before any service is started, and it goes on where it was.
            """,
        options: [
            .choice(
                "service",
                Shop.topology(with: Set(Shop.Context.allCases)).subscriptions.map(\.subscriber),
                help: "Only the queues of this service",
                repeats: true
            ),
            .choice(
                "queue-type",
                ["quorum", "classic"],
                help: "The kind of queue that the services are set to",
                fallback: "quorum"
            ),
            .flag("dry-run", help: "Say what would be done, and do nothing"),
        ],
        examples: [
            .init("warren queues migrate", "After an upgrade, with the services stopped"),
            .init("warren queues migrate --service payment --dry-run", "Does Payment's queue have to be replaced?"),
        ]
    ) { invocation in
        let named = invocation.texts("service")
        let topology = try await shop(invocation)
        let subscribers = topology.subscriptions.map(\.subscriber).filter { named.isEmpty || named.contains($0) }
        let type = MessagingConfiguration.QueueType(rawValue: try invocation.value("queue-type")) ?? .quorum
        let isDry = invocation.isGiven("dry-run")
        var records: [JSONValue] = []
        do {
            let keeper = try invocation.surroundings.broker.queues(
                of: topology,
                at: try invocation.brokerURL(),
                type: type
            )
            for queue in subscribers.flatMap(QueueMigration.queues) {
                let outcome = isDry ? try await keeper.look(at: queue) : try await keeper.migrate(queue)
                records.append(record(queue, outcome))
            }
        } catch let failure as QueueMigrationFailure {
            show(records, invocation)
            throw explain(failure)
        }
        show(records, invocation)
        if isDry, records.contains(where: { $0["state"]?.text == "to be replaced" }) {
            throw CommandFailure(
                .notMet,
                "there are queues to be replaced",
                mend: "Stop the services, and run `warren queues migrate`."
            )
        }
    }

    /// What the services of this shop declare.
    ///
    /// A queue that is made anew is bound to what this says, and a shop without a context has nothing of it. A shop with it is
    /// known by the context's two queues, of which one is there even while the other is being replaced.
    private static func shop(_ invocation: Invocation) async throws -> Topology {
        let queues = Shop.Context.allCases.map { QueueMigration.queues(of: $0.rawValue) }
        let found = try await invocation.queues(queues.flatMap(\.self))
        let existing = Set(found.filter(\.exists).map(\.name))
        let contexts = zip(Shop.Context.allCases, queues).filter { !existing.isDisjoint(with: $0.1) }
        return Shop.topology(with: Set(contexts.map(\.0)))
    }

    private static func show(_ records: [JSONValue], _ invocation: Invocation) {
        invocation.printer.list(
            records,
            columns: [.init("QUEUE", "queue"), .init("STATE", "state"), .init("MOVED", "moved", isNumber: true)],
            empty: ""
        )
    }

    private static func record(_ queue: String, _ outcome: QueueMigration.Outcome) -> JSONValue {
        let (state, moved): (String, Int64?) =
            switch outcome {
            case .fits: ("as it should be", nil)
            case .waits: ("to be replaced", nil)
            case .moved(let messages): ("replaced", Int64(messages))
            }
        return ["queue": .string(queue), "state": .string(state), "moved": moved.map { .integer($0) } ?? .null]
    }

    private static func explain(_ failure: QueueMigrationFailure) -> CommandFailure {
        let again = "Nothing is lost. Run it again before any service is started; it goes on where it was."
        return switch failure.kind {
        case .unreachable:
            CommandFailure(
                .unreachable,
                "the broker cannot be used: \(failure.reason)",
                mend: "Start it, or say where it is, and as whom, with --amqp-url or WARREN_AMQP_URL. \(again)"
            )
        case .inUse:
            CommandFailure(.notMet, failure.reason, mend: "Stop the services first. \(again)")
        case .refused:
            CommandFailure(
                .notAllowed,
                "the broker does not allow it: \(failure.reason)",
                mend: "The user needs the rights to configure, write and read all queues and exchanges. \(again)"
            )
        case .stopped:
            CommandFailure(.failed, "the move came to a stop: \(failure.reason)", mend: again)
        }
    }
}
