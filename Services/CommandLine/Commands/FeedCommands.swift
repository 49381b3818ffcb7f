import HTTP
import JSON
import ServiceKit

/// `warren feeds`: what services follow of one another's event stores.
enum FeedCommands {
    static let command = Command(
        name: "feeds",
        summary: "See what services follow of one another's events, and set where they go on.",
        discussion: """
            A feed that cannot go on says so in `warren status`: its source no longer keeps what comes next, or was \
            restored from an older copy and numbers anew.
            """,
        examples: [.init("warren feeds list", "Who follows whom, and how far")],
        subcommands: [list, restart]
    )

    private static let columns: [Printer.Column] = [
        .init("SERVICE", "service"), .init("FEED", "name"), .init("POSITION", "position", isNumber: true),
        .init("PROBLEM", "problem"),
    ]

    private static let list = Command(
        name: "list",
        summary: "List the feeds of all services.",
        examples: [.init("warren feeds list -o jsonl", "For scripts")]
    ) { invocation in
        let clients = try await invocation.services().map { try invocation.client(of: $0) }
        let gathered = try await Gathering.gather(clients) { client in
            let answer = try await client.get("/feeds")
            return (answer["items"]?.array ?? []).map { feed in
                var feed = feed
                feed["service"] = answer["service"] ?? .null
                return feed
            }
        }
        if !gathered.found.isEmpty {
            invocation.printer.list(gathered.found.flatMap(\.found), columns: columns, empty: "no feeds")
        }
        try gathered.check()
    }

    private static let restart = Command(
        name: "restart",
        summary: "Have a feed go on from a position.",
        discussion: """
            It reads from there at once. What has been handled does nothing again, so 0 is never wrong, only slow. The \
            audit of the service keeps who did it and why.
            """,
        arguments: [
            Argument(name: "SERVICE", help: "the service that follows"),
            Argument(name: "FEED", help: "the feed, as `warren feeds list` names it"),
        ],
        options: [
            .text("after", "POSITION", help: "The position behind which it reads; 0 for all that the source has"),
            .text("reason", "TEXT", help: "Why, for the audit"),
        ],
        examples: [
            .init(
                "warren feeds restart order inventory --after 0 --reason 'Inventory is back from a backup'",
                "Order draws its picture of the products anew"
            )
        ]
    ) { invocation in
        guard let after = try invocation.integer("after", in: 0...9_007_199_254_740_991) else {
            throw UsageError(message: "--after is missing", mend: "Give a position; --after 0 reads all there is.")
        }
        guard let reason = invocation.text("reason"), !reason.isEmpty else {
            throw UsageError(message: "--reason is missing", mend: "Say why, for the audit.")
        }
        let service = try await invocation.service(named: invocation.words[0])
        let feed = try await invocation.client(of: service).post(
            "/feeds/\(PercentEncoding.encode(invocation.words[1]))/restart",
            body: ["after": .integer(after), "reason": .string(reason)]
        )
        var shown = feed
        shown["service"] = .string(service.name)
        invocation.printer.list([shown], columns: columns, empty: "")
    }
}
