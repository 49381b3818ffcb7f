import JSON
import ServiceKit

/// `warren dead-letters retry|discard|restore`: what an operator does, recorded in the audit with who and why.
enum DeadLetterDeeds {
    private static let identifiers = Argument(
        name: "ID",
        help: "ids of dead letters, payment-17; 17 with --service payment; or --all",
        arity: .any
    )
    private static let dryRun = CommandOption.flag("dry-run", help: "Only say what would be done")
    private static let together =
        [.flag("all", help: "In place of ids: all that match, done by the service")] + DeadLetterCommands.conditions
        + [
            .text("limit", "N", help: "With --all: how many at most"),
            .text("rate", "N", help: "With --all: how many a second at most"),
            .text("ramp", "DURATION", help: "With --rate: from nothing to the full rate in that time"),
            .flag("yes", help: "With --all: do not ask"),
            .flag("detach", help: "With --all: do not wait for the end"),
        ]

    static let retry = Command(
        name: "retry",
        summary: "Hand dead letters to their handlers again.",
        discussion: """
            The delivery goes through its retries anew, under its old event id. Those of its subject that are held \
            behind it follow when it is processed.
            """,
        arguments: [identifiers],
        options: [.text("reason", "TEXT", help: "Why, for the audit"), dryRun] + together,
        examples: [
            .init(
                "warren dlq retry --all --type order.cancelled --rate 100 --reason 'mended'",
                "All of that type, after a look at how many they are"
            ),
            .init("warren dlq retry payment-17 --reason 'provider is back'", "Try it again"),
        ],
        action: perform(.retry)
    )

    static let discard = Command(
        name: "discard",
        summary: "Give dead letters up; `restore` takes it back.",
        discussion: "Deliveries of the same subject that are held behind it go on.",
        arguments: [identifiers],
        options: [.text("reason", "TEXT", help: "Why, for the audit", isRequired: true), dryRun] + together,
        examples: [.init("warren dlq discard payment-17 --reason 'test event'", "Nobody will need it")],
        action: perform(.discard)
    )

    static let restore = Command(
        name: "restore",
        summary: "Take back a discard: the dead letter is dead again.",
        arguments: [identifiers],
        options: [.text("reason", "TEXT", help: "Why, for the audit"), dryRun] + together,
        examples: [.init("warren dlq restore payment-17", "It is needed after all")],
        action: perform(.restore)
    )

    private static func perform(_ action: DeadLetterClient.Action) -> Command.Action {
        { invocation in
            if invocation.isGiven("all") { return try await DeadLetterBulk(action, invocation).run() }
            for option in together where invocation.isGiven(option.name) {
                throw UsageError(message: "--\(option.name) is for --all", mend: "Give ids, or --all with conditions.")
            }
            guard !invocation.words.isEmpty else {
                throw UsageError(message: "ID is missing", mend: identifiers.help)
            }
            let services = try await invocation.services()
            var ids: [DeadLetterID] = []
            for word in invocation.words {
                let id = try DeadLetterID(word, services: services)
                if !ids.contains(id) { ids.append(id) }
            }
            let reason = invocation.text("reason")
            if invocation.isGiven("reason"), reason?.allSatisfy(\.isWhitespace) != false {
                throw UsageError(message: "--reason is empty", mend: "Say why; the audit keeps it.")
            }
            let isDryRun = invocation.isGiven("dry-run")
            var clients: [KnownService: DeadLetterClient] = [:]
            for service in services { clients[service] = DeadLetterClient(client: try invocation.client(of: service)) }
            // One after the other, in the order given: a retry must not overtake an earlier one of its subject.
            var outcomes: [(subject: DeadLetterID, result: Result<JSONValue, CommandFailure>)] = []
            for id in ids {
                guard let client = clients[id.service] else { continue }
                do {
                    let letter =
                        isDryRun
                        ? try await look(at: id, before: action, client)
                        : try await client.perform(action, on: id.number, reason: reason)
                    outcomes.append((id, .success(letter)))
                } catch let failure as CommandFailure {
                    let message = "\(id): \(failure.message)"
                    outcomes.append((id, .failure(CommandFailure(failure.code, message, mend: failure.mend))))
                }
            }
            let gathered = Gathering(outcomes: outcomes)
            report(gathered.found.map(\.found), action, isDryRun: isDryRun, invocation.printer)
            try gathered.check()
        }
    }

    private static func look(
        at id: DeadLetterID,
        before action: DeadLetterClient.Action,
        _ client: DeadLetterClient
    ) async throws -> JSONValue {
        let letter = try await client.show(id.number)
        let state = letter["state"]?.text ?? "in an unknown state"
        guard state == action.from else {
            throw CommandFailure(.failed, "it is \(state), and \(action.rawValue) is for what is \(action.from)")
        }
        return letter
    }

    private static func report(
        _ letters: [JSONValue],
        _ action: DeadLetterClient.Action,
        isDryRun: Bool,
        _ printer: Printer
    ) {
        guard !letters.isEmpty else { return }
        printer.list(
            letters,
            columns: [
                .init("ID", "id"), .init("STATE", "state"),
                .eventType,
                .init("SUBJECT", "subject"), .init("GENERATION", "generation", isNumber: true),
            ],
            empty: ""
        )
        if isDryRun { printer.note("Nothing is done: without --dry-run, `\(action.rawValue)` would go to these.") }
    }
}
