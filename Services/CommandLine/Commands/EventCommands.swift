import Events
import JSON
import ServiceKit

/// `warren events`: the services' event stores.
enum EventCommands {
    static let command = Command(
        name: "events",
        summary: "Read the event stores of the services.",
        discussion: """
            Every service keeps the events that it published and gives them out by its event API. All services are \
            asked unless --service names some.
            """,
        options: [
            .service
        ],
        examples: [
            .init("warren events tail", "Watch what happens"),
            .init("warren events tail --after 0 --once --subject 0198c5d2-…", "Everything about one order"),
            .init("warren events types", "What has happened, and how often?"),
        ],
        subcommands: [tail, types]
    )

    private static let tail = Command(
        name: "tail",
        summary: "Print events as they happen.",
        discussion: """
            Begins with the next event, or behind --after, and goes on until Ctrl-C; a service that goes away is waited \
            for. The events of one service come in their order.
            """,
        options: [
            .text("type", "TYPE", help: "Only this event type, short names too", repeats: true),
            .text("subject", "S", help: "Only about this subject"),
            .text("after", "POSITION", help: "Begin behind this position; 0 is the beginning", fallback: "end"),
            .text("limit", "N", help: "End after so many events"),
            .flag("once", help: "End with the last event there is"),
        ],
        examples: [
            .init("warren events tail --type order.placed -o jsonl | jq .data.total", "Watch the money"),
            .init("warren events tail --service payment --after 0 --once", "Everything that Payment has said"),
        ]
    ) { invocation in
        let services = try await invocation.services()
        let start = try invocation.value("after")
        if start != "end" {
            guard Int64(start).map({ $0 >= 0 }) == true else {
                throw UsageError(message: "--after cannot be `\(start)`", mend: "It is a position, 0 or end.")
            }
            guard services.count == 1 || start == "0" else {
                throw UsageError(
                    message: "--after \(start) needs one --service",
                    mend: "A position belongs to the store of one service."
                )
            }
        }
        var filter = invocation.texts("type").map {
            (name: "type", value: EventCatalogue.type(meantBy: $0).rawValue)
        }
        if let subject = invocation.text("subject") { filter.append((name: "subject", value: subject)) }
        let limit = try invocation.integer("limit", in: 1...Int64.max)
        let tail = EventTail(filter: filter, start: start, goesOn: !invocation.isGiven("once"))
        var left = limit ?? .max
        let printer = invocation.printer
        let clients = try services.map { EventClient(client: try invocation.client(of: $0)) }
        try await tail.follow(clients) { happening in
            switch happening {
            case .note(let text):
                printer.note(text)
            case .events(let events, let service):
                for event in events.prefix(Int(min(left, Int64(events.count)))) {
                    print(event, of: service, with: printer)
                    left -= 1
                }
            }
            return left > 0
        }
    }

    private static func print(_ event: JSONValue, of service: KnownService, with printer: Printer) {
        switch printer.format {
        case .jsonl: printer.line(event)
        case .json: printer.record(event)
        case .table:
            let type = EventCatalogue.shortName(of: EventType(rawValue: event["type"]?.text ?? ""))
            let cells = [
                event["time"]?.text ?? "", service.name, type, event["subject"]?.text ?? "",
                event["data"]?.cell ?? "",
            ]
            printer.text(cells.joined(separator: "  "))
        }
    }

    private static let types = Command(
        name: "types",
        summary: "Count the events in the stores by type.",
        examples: [.init("warren events types --service order", "What has Order said?")]
    ) { invocation in
        let clients = try await invocation.services().map { EventClient(client: try invocation.client(of: $0)) }
        let gathered = try await Gathering.gather(clients) { try await $0.types() }
        if !gathered.found.isEmpty {
            invocation.printer.list(
                gathered.found.flatMap(\.found),
                columns: [.init("SERVICE", "service"), .eventType, .init("COUNT", "count", isNumber: true)],
                empty: "no events"
            )
        }
        try gathered.check()
    }
}
