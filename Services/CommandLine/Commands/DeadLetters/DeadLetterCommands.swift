import Events
import JSON
import ServiceKit

/// `warren dead-letters`: what services have given up on.
enum DeadLetterCommands {
    static let command = Command(
        name: "dead-letters",
        aliases: ["dlq"],
        summary: "See, understand and replay dead letters.",
        discussion: """
            A delivery that failed for good lies in the table of its service. Its id names both, payment-17. All \
            services are asked unless --service names some.
            """,
        options: [
            .service
        ],
        examples: [
            .init("warren dlq groups", "What goes wrong, and how often?"),
            .init("warren dlq list --error payment.provider-unavailable", "Dead letters with that error"),
            .init("warren dlq show payment-17", "Its body, its properties and every attempt"),
            .init("warren dlq retry payment-17 payment-18 --reason 'provider is back'", "Try two of them again"),
            .init("warren dlq retry --all --service payment --reason 'provider is back'", "Try all of Payment's again"),
        ],
        subcommands: [
            list, groups, show, DeadLetterDeeds.retry, DeadLetterDeeds.discard, DeadLetterDeeds.restore,
            DeadLetterEditing.command, OperationCommands.command,
        ]
    )

    private static let filters: [CommandOption] =
        conditions + [
            .choice(
                "state",
                ["dead", "scheduled", "held", "discarded"],
                help: "Only this state; default: dead",
                repeats: true
            )
        ]

    /// What can be asked of a dead letter, beside its state.
    static let conditions: [CommandOption] = [
        .text("type", "TYPE", help: "Only this event type, short names too", repeats: true),
        .text("error", "CLASS", help: "Only this error class"),
        .text("subject", "S", help: "Only about this subject"),
        .text("from", "TIME", help: "Changed since: RFC 3339, or a duration ago such as 2h"),
        .text("until", "TIME", help: "Changed before that time"),
        .text("text", "TEXT", help: "Part of the error message or the event id"),
    ]

    private static let list = Command(
        name: "list",
        summary: "List dead letters, newest first; with --from or --until, last changed first.",
        options: filters + [
            .text("limit", "N", help: "How many at most", fallback: "50"),
            .text("after", "ID", help: "The page after this dead letter; with --from or --until, TIME/ID"),
        ],
        examples: [
            .init("warren dlq list --from 1h", "What died within the hour"),
            .init("warren dlq list -o jsonl | jq -r .id | xargs warren dlq retry", "Retry what is listed"),
        ]
    ) { invocation in
        let services = try await invocation.services()
        let filter = try invocation.deadLetterFilter()
        let limit = Int(try invocation.integer("limit", in: 1...1_000_000) ?? 50)
        let hasTime = invocation.isGiven("from") || invocation.isGiven("until")
        let after = try invocation.text("after").map {
            try DeadLetterPlace($0, services: services, hasTime: hasTime)
        }
        let asked = after.map { [$0.id.service] } ?? services
        let clients = try invocation.clients(of: asked)
        let pages = try await Gathering.gather(clients) { client in
            try await client.list(filter, after: after?.cursor, limit: limit)
        }
        let all = merge(pages.found.map(\.found.items))
        let shown = Array(all.prefix(limit))
        if !pages.found.isEmpty { invocation.printer.list(shown, columns: columns, empty: "no dead letters") }
        for page in pages.found where page.found.hasMore || all.count > limit {
            let service = page.subject.client.service
            guard let last = shown.last(where: { $0["service"]?.text == service.name }), let id = last["id"]?.text
            else { continue }
            // By time, the place of one is when it changed and which it is.
            let time = hasTime ? (last["updatedAt"]?.text ?? "") + "/" : ""
            invocation.printer.note("There may be more of \(service.name): add --after \(time)\(id)")
        }
        try pages.check()
    }

    /// The newest first.
    ///
    /// Each list keeps its own order, so that its last one is where its next page goes on.
    private static func merge(_ lists: [[JSONValue]]) -> [JSONValue] {
        func received(_ list: ArraySlice<JSONValue>) -> String { list.first?["receivedAt"]?.text ?? "" }
        var lists = lists.map { $0[...] }.filter { !$0.isEmpty }
        var merged: [JSONValue] = []
        while let newest = lists.indices.max(by: { received(lists[$0]) < received(lists[$1]) }) {
            merged.append(lists[newest].removeFirst())
            if lists[newest].isEmpty { lists.remove(at: newest) }
        }
        return merged
    }

    private static let columns: [Printer.Column] = [
        .init("ID", "id"), .init("STATE", "state"),
        .eventType,
        .init("SUBJECT", "subject"), .init("TRIES", "attemptCount", isNumber: true), .init("UPDATED", "updatedAt"),
        .init("CLASS", "errorClass"), .init("ERROR", "error"),
    ]

    private static let groups = Command(
        name: "groups",
        summary: "Count dead letters by event type and error.",
        options: filters,
        examples: [.init("warren dlq groups --service payment", "What goes wrong in Payment?")]
    ) { invocation in
        let filter = try invocation.deadLetterFilter()
        let clients = try invocation.clients(of: try await invocation.services())
        let gathered = try await Gathering.gather(clients) { try await $0.groups(filter) }
        if !gathered.found.isEmpty {
            invocation.printer.list(
                gathered.found.flatMap(\.found.items).sorted {
                    ($0["count"]?.integer ?? 0) > ($1["count"]?.integer ?? 0)
                },
                columns: [
                    .init("COUNT", "count", isNumber: true), .init("SERVICE", "service"),
                    .eventType,
                    .init("CLASS", "errorClass"), .init("FIRST", "firstSeen"), .init("LAST", "lastSeen"),
                    .init("EXAMPLE", "example"),
                ],
                empty: "no dead letters"
            )
        }
        for group in gathered.found where !group.found.isComplete {
            let service = group.subject.client.service.name
            invocation.printer.note(
                "Of \(service) only the newest are counted; by --type, --error and --state alone all are."
            )
        }
        try gathered.check()
    }

    private static let show = Command(
        name: "show",
        summary: "Show a dead letter: its body, its properties and every attempt.",
        arguments: [Argument(name: "ID", help: "the dead letter's id, payment-17")],
        examples: [
            .init("warren dlq show payment-17", "Why did it fail?"),
            .init("warren dlq show payment-17 -o json | jq -r .body", "The original bytes"),
        ]
    ) { invocation in
        let id = try DeadLetterID(invocation.words[0], services: try await invocation.services())
        let letter = try await DeadLetterClient(client: try invocation.client(of: id.service)).show(id.number)
        let printer = invocation.printer
        guard printer.format == .table else {
            printer.record(letter)
            return
        }
        var facts = letter
        for name in ["attempts", "body", "bodyBase64"] { facts[name] = .null }
        printer.record(
            facts,
            first: [
                "id", "state", "type", "subject", "errorClass", "error", "attemptCount", "generation", "source",
                "eventId",
            ]
        )
        printer.text("\nAttempts, latest first")
        printer.list(
            letter["attempts"]?.array ?? [],
            columns: [
                .init("GENERATION", "generation", isNumber: true), .init("ATTEMPT", "attempt", isNumber: true),
                .init("STARTED", "startedAt"), .init("MS", "durationMs", isNumber: true), .init("HOST", "host"),
                .init("CLASS", "errorClass"), .init("ERROR", "error"),
            ],
            empty: "none"
        )
        if let body = letter["body"]?.text {
            printer.text("\nBody\n\(body)")
        } else if let body = letter["bodyBase64"]?.text {
            printer.text("\nBody, which is no UTF-8, in Base64\n\(body)")
        }
    }
}

extension Invocation {
    /// Clients of the dead letters of these services.
    func clients(of services: [KnownService]) throws -> [DeadLetterClient] {
        try services.map { DeadLetterClient(client: try client(of: $0)) }
    }

    /// The filter options as query items of the operations API.
    func deadLetterFilter() throws -> [(name: String, value: String)] {
        var items = texts("type").map { (name: "type", value: EventCatalogue.type(meantBy: $0).rawValue) }
        items += texts("state").map { (name: "state", value: $0) }
        for name in ["error", "subject", "text"] {
            if let value = text(name) { items.append((name: name, value: value)) }
        }
        for name in ["from", "until"] {
            if let value = text(name) { items.append((name: name, value: try MomentText.parse(value, option: name))) }
        }
        return items
    }
}
