import Events
import JSON
import ServiceKit

/// `warren order trace`: the whole story of one order, as all services tell it.
enum OrderTrace {
    static let command = Command(
        name: "trace",
        summary: "Tell the story of an order across all services, and what of it is outstanding.",
        discussion: """
            What each service has said of the order, in the order of its clock, with the causes; then what waits, is held or \
            lies dead anywhere. Events that a service no longer keeps (WARREN_EVENT_RETENTION) are not there any more.
            """,
        arguments: [Argument(name: "ID", help: "the order's id")],
        options: [.service],
        examples: [
            .init("warren order trace 0198c5d2-…", "What happened, and what is it waiting for?"),
            .init("warren order trace 0198c5d2-… -o jsonl | jq -r .type", "The types of its events alone"),
        ]
    ) { invocation in
        let id = invocation.words[0]
        let clients = try await invocation.services().map { try invocation.client(of: $0) }
        let told = try await Gathering.gather(clients) { client in
            (
                events: try await events(of: id, from: EventClient(client: client)),
                open: try await DeadLetterClient(client: client).list(outstanding(id), limit: 10_000).items
            )
        }
        let story = merged(told.found.map { ($0.subject.service.name, $0.found.events) })
        let open = told.found.flatMap(\.found.open)
        if story.isEmpty, open.isEmpty {
            try told.check()
            throw CommandFailure(
                .notFound,
                "no service has anything about `\(id)`",
                mend: "`warren order list` shows the orders there are."
            )
        }
        print(story, open, invocation.printer)
        try told.check()
    }

    private static func outstanding(_ id: String) -> [(name: String, value: String)] {
        [("subject", id)] + ["dead", "scheduled", "held"].map { ("state", $0) }
    }

    /// All that a service has said of the order, oldest first.
    private static func events(of id: String, from client: EventClient) async throws -> [JSONValue] {
        var events: [JSONValue] = []
        var position = "0"
        while true {
            let page = try await client.page(after: position, [("subject", id)], limit: 500, wait: 0)
            events += page.events
            guard !page.isAtEnd, page.next != position else { return events }
            position = page.next
        }
    }

    /// One story of all: by time, and no event before its cause, since the services' clocks differ.
    ///
    /// Each record names its service, and the type of its cause where that is in the story.
    static func merged(_ stories: [(service: String, events: [JSONValue])]) -> [JSONValue] {
        var waiting = stories.map { story in
            (
                service: story.service,
                events: story.events[...]
            )
        }
        let types = Dictionary(
            stories.flatMap(\.events).map { ($0["id"]?.text ?? "", $0["type"]?.text ?? "") },
            uniquingKeysWith: { first, _ in first }
        )
        var told: Set<String> = []
        var merged: [JSONValue] = []
        func time(_ event: JSONValue?) -> String { event?["time"]?.text ?? "" }
        while true {
            let open = waiting.indices.filter { !waiting[$0].events.isEmpty }
            let ready = open.filter { index in
                guard let cause = waiting[index].events.first?["causationid"]?.text else { return true }
                return types[cause] == nil || told.contains(cause)
            }
            // A circle of causes is nobody's; by time then.
            let candidates = ready.isEmpty ? open : ready
            guard
                let next = candidates.min(by: {
                    time(waiting[$0].events.first) < time(waiting[$1].events.first)
                }),
                var event = waiting[next].events.popFirst()
            else { return merged }
            told.insert(event["id"]?.text ?? "")
            event["service"] = .string(waiting[next].service)
            if let cause = event["causationid"]?.text.flatMap({ types[$0] }) { event["cause"] = .string(cause) }
            merged.append(event)
        }
    }

    private static func print(_ story: [JSONValue], _ open: [JSONValue], _ printer: Printer) {
        guard printer.format == .table else {
            let records = story.map { tagged($0, "event") } + open.map { tagged($0, "delivery") }
            return printer.list(records, columns: [], empty: "")
        }
        printer.list(
            story,
            columns: [
                .init("AT", "time"), .init("SERVICE", "service"), .eventType, .init(eventType: "BECAUSE OF", "cause"),
                .init("SAYS") { said($0["data"]) },
            ],
            empty: "no service keeps events about it any more"
        )
        printer.text("\nOutstanding")
        guard !open.isEmpty else { return printer.text("nothing") }
        printer.list(
            open,
            columns: [
                .init("ID", "id"), .init("STATE", "state"), .eventType, .init("NEXT ATTEMPT", "dueAt"),
                .init("CLASS", "errorClass"), .init("ERROR", "error"),
            ],
            empty: ""
        )
    }

    private static func tagged(_ record: JSONValue, _ kind: String) -> JSONValue {
        var record = record
        record["kind"] = .string(kind)
        return record
    }

    /// What an event says beside whose it is and who the customer is: reasons, ids and amounts.
    private static func said(_ data: JSONValue?) -> String {
        let members = (data?.object ?? [:]).filter { !["orderID", "customer", "lines"].contains($0.key) }
        return members.sorted { $0.key < $1.key }
            .map { "\($0.key)=\(MoneyText.describe($0.value) ?? $0.value.cell)" }
            .joined(separator: " ")
    }
}
