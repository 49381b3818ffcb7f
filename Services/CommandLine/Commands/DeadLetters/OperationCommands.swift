import JSON
import ServiceKit

/// `warren dead-letters operations`: what is done to many dead letters at once.
enum OperationCommands {
    static let command = Command(
        name: "operations",
        aliases: ["ops"],
        summary: "Watch, pause, resume and cancel what is done to many dead letters.",
        discussion: """
            `retry --all`, `discard --all` and `restore --all` are done by the services in the background: they go on \
            when this command ends, and after a restart of the service where they were.
            """,
        examples: [
            .init("warren dlq operations list", "What is going on, and what was done"),
            .init(
                "warren dlq operations cancel payment-3 --reason 'it fails again'",
                "Stop it; what is done stays done"
            ),
        ],
        subcommands: [
            list, show, watch, order("pause", "Stop an operation until it is resumed."),
            order("resume", "Let a paused operation go on."),
            order("cancel", "End an operation where it is; what is done stays done."),
        ]
    )

    static let columns: [Printer.Column] = [
        .init("ID", "id"), .init("STATE", "state"), .init("ACTION", "action"),
        .init("DONE", "done", isNumber: true), .init("FAILED", "failed", isNumber: true),
        .init("TOTAL", "total", isNumber: true), .init("ACTOR", "actor"), .init("STARTED", "createdAt"),
        .init("REASON", "reason"),
    ]

    private static let identifier = Argument(
        name: "ID",
        help: "the operation's id, payment-3; 3 with --service payment"
    )

    private static let list = Command(
        name: "list",
        summary: "List operations, the latest first.",
        options: [.text("limit", "N", help: "How many of each service at most", fallback: "20")],
        examples: [.init("warren dlq operations list -o jsonl", "For scripts")]
    ) { invocation in
        let limit = try invocation.integer("limit", in: 1...500) ?? 20
        let clients = try await invocation.services().map { OperationClient(client: try invocation.client(of: $0)) }
        let gathered = try await Gathering.gather(clients) { try await $0.list(limit: limit) }
        let all = gathered.found.flatMap(\.found).sorted {
            ($0["createdAt"]?.text ?? "") > ($1["createdAt"]?.text ?? "")
        }
        if !gathered.found.isEmpty { invocation.printer.list(all, columns: columns, empty: "no operations") }
        try gathered.check()
    }

    private static let show = Command(
        name: "show",
        summary: "Show an operation: its filter, its progress, who and why.",
        arguments: [identifier],
        examples: [.init("warren dlq operations show payment-3", "How far is it?")]
    ) { invocation in
        let (client, number) = try await target(invocation)
        invocation.printer.record(
            try await client.show(number),
            first: ["id", "state", "action", "done", "failed", "total", "actor", "reason"]
        )
    }

    private static let watch = Command(
        name: "watch",
        summary: "Watch an operation until it ends.",
        arguments: [identifier],
        examples: [.init("warren dlq operations watch payment-3", "Ends with 0 when all is done")]
    ) { invocation in
        let (client, number) = try await target(invocation)
        let ended = try await OperationWatch(invocation).untilEnd(of: [(client, try await client.show(number))])
        invocation.printer.list(ended, columns: columns, empty: "")
        try DeadLetterBulk.judge(ended)
    }

    private static func order(_ name: String, _ summary: String) -> Command {
        Command(
            name: name,
            summary: summary,
            arguments: [identifier],
            options: [.text("reason", "TEXT", help: "Why, for the audit")],
            examples: [.init("warren dlq operations \(name) payment-3", summary)]
        ) { invocation in
            let (client, number) = try await target(invocation)
            let operation = try await client.order(name, number, reason: invocation.text("reason"))
            invocation.printer.list([operation], columns: columns, empty: "")
        }
    }

    private static func target(_ invocation: Invocation) async throws -> (OperationClient, String) {
        let id = try DeadLetterID(invocation.words[0], services: try await invocation.services())
        return (OperationClient(client: try invocation.client(of: id.service)), id.number)
    }
}
