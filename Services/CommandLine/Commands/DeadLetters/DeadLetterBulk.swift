import JSON
import ServiceKit

/// `warren dead-letters retry|discard|restore --all`: asks each service how many it would be, asks for leave, starts an
/// operation in each, and watches.
struct DeadLetterBulk {
    private let action: DeadLetterClient.Action
    private let invocation: Invocation
    /// The body that starts the operation.
    private let body: JSONValue

    init(_ action: DeadLetterClient.Action, _ invocation: Invocation) throws {
        self.action = action
        self.invocation = invocation
        guard invocation.words.isEmpty else {
            throw UsageError(message: "--all and ids are given", mend: "Give one of the two.")
        }
        let isDryRun = invocation.isGiven("dry-run")
        let reason = invocation.text("reason") ?? ""
        guard isDryRun || !reason.allSatisfy(\.isWhitespace) else {
            throw UsageError(message: "--reason is missing", mend: "Say why; the audit keeps it with each of them.")
        }
        var members: [String: JSONValue] = ["action": .string(action.rawValue), "reason": .string(reason)]
        members["filter"] = try Self.filter(invocation)
        if let limit = try invocation.integer("limit", in: 1...1_000_000_000) { members["limit"] = .integer(limit) }
        if let rate = try invocation.integer("rate", in: 1...1_000_000) { members["rate"] = .integer(rate) }
        if let ramp = try invocation.duration("ramp") {
            guard members["rate"] != nil else { throw UsageError(message: "--ramp needs --rate, to which it leads") }
            members["ramp"] = .number(Double(DurationText.milliseconds(ramp)) / 1000)
        }
        body = .object(members)
    }

    private static func filter(_ invocation: Invocation) throws -> JSONValue {
        var conditions: [String: JSONValue] = [:]
        var types: [JSONValue] = []
        for item in try invocation.deadLetterFilter() {
            if item.name == "type" {
                types.append(.string(item.value))
            } else {
                conditions[item.name] = .string(item.value)
            }
        }
        if !types.isEmpty { conditions["type"] = .array(types) }
        return .object(conditions.isEmpty ? ["all": .bool(true)] : conditions)
    }

    func run() async throws {
        let clients = try await invocation.services().map { OperationClient(client: try invocation.client(of: $0)) }
        let previews = try await Gathering.gather(clients) { try await $0.preview(body) }
        // Before anything is done, every service that is meant has to have answered.
        if !previews.failures.isEmpty { try previews.check() }
        let matching = previews.found.filter { ($0.found["total"]?.integer ?? 0) > 0 }
        guard !matching.isEmpty else {
            return invocation.printer.note("No dead letter matches: nothing is to be done.")
        }
        if invocation.isGiven("dry-run") {
            invocation.printer.list(matching.map(\.found), columns: Self.previewColumns, empty: "")
            return invocation.printer.note(
                "Nothing is done: without --dry-run, `\(action.rawValue)` would go to these."
            )
        }
        try confirm(matching.map(\.found))
        let started = try await Gathering.gather(matching.map(\.subject)) { ($0, try await $0.start(body)) }
        if invocation.isGiven("detach") {
            show(started.found.map(\.found.1))
        } else {
            let watch = OperationWatch(invocation)
            let ended = try await watch.untilEnd(of: started.found.map(\.found))
            show(ended)
            if started.failures.isEmpty { try Self.judge(ended) }
        }
        try started.check()
    }

    private func show(_ operations: [JSONValue]) {
        if !operations.isEmpty { invocation.printer.list(operations, columns: OperationCommands.columns, empty: "") }
    }

    private static let previewColumns: [Printer.Column] = [
        .init("SERVICE", "service"), .init("ACTION", "action"), .init("COUNT", "total", isNumber: true),
    ]

    private func confirm(_ previews: [JSONValue]) throws {
        guard !invocation.isGiven("yes") else { return }
        let parts = previews.map { preview in
            let count = preview["total"]?.integer ?? 0
            let least = preview["complete"] == .bool(false) ? "at least " : ""
            return "\(least)\(count) of \(preview["service"]?.text ?? "")"
        }
        let question = "\(action.rawValue) \(parts.joined(separator: ", "))? Type yes to go on: "
        guard let answer = invocation.surroundings.ask(question) else {
            throw UsageError(
                message: "nobody is there to ask: \(action.rawValue) would go to \(parts.joined(separator: ", "))",
                mend: "Add --yes to go on without being asked, or --dry-run to look only."
            )
        }
        guard answer == "yes" else { throw CommandFailure(.notMet, "nothing is done") }
    }

    /// - Throws: `CommandFailure` where an operation did not do all that it was to do.
    static func judge(_ operations: [JSONValue]) throws {
        func named(_ operation: JSONValue) -> String { operation["id"]?.text ?? "" }
        let stopped = operations.filter { $0["state"]?.text != "done" }
        guard stopped.isEmpty else {
            let names = stopped.map { "\(named($0)) is \($0["state"]?.text ?? "in an unknown state")" }
            throw CommandFailure(.notMet, names.joined(separator: ", "))
        }
        let failing = operations.filter { ($0["failed"]?.integer ?? 0) > 0 }
        guard failing.isEmpty else {
            let counts = failing.map { "\($0["failed"]?.integer ?? 0) of \(named($0))" }
            throw CommandFailure(
                .partlyFailed,
                "could not be done: \(counts.joined(separator: ", "))",
                mend: "Somebody else was quicker, or they were edited, and stand discarded for good."
            )
        }
    }
}
