import JSON

/// `warren dead-letters edit`: a corrected event in place of one that cannot be handled as it is.
enum DeadLetterEditing {
    static let command = Command(
        name: "edit",
        summary: "Put a corrected event in a dead letter's place and handle it.",
        discussion: """
            The corrected event gets an id of its own and names the original as its cause; the original is discarded as \
            edited and cannot be restored. It keeps its place in the order of its subject.
            """,
        arguments: [Argument(name: "ID", help: "the dead letter's id, payment-17")],
        options: [
            .text("data", "JSON|@FILE|-", help: "The corrected payload"),
            .text("envelope", "JSON|@FILE|-", help: "The whole event, for a message that could not be read"),
            .text("reason", "TEXT", help: "Why, for the audit", isRequired: true),
        ],
        examples: [
            .init(
                "warren dlq show payment-17 -o json | jq '.body | fromjson | .data' > data.json",
                "What is it now? Correct it with an editor"
            ),
            .init("warren dlq edit payment-17 --data @data.json --reason 'currency was missing'", "Handle that"),
        ]
    ) { invocation in
        let id = try DeadLetterID(invocation.words[0], services: try await invocation.services())
        let given = try ["data", "envelope"].compactMap { member in
            try invocation.payload(member).map { (member: member, json: $0) }
        }
        guard let edit = given.first, given.count == 1 else {
            throw UsageError(message: "either --data or --envelope says what takes the dead letter's place")
        }
        guard (try? JSONValue(parsing: edit.json)) != nil else {
            throw UsageError(message: "--\(edit.member) is not valid JSON")
        }
        let reason = try invocation.value("reason")
        guard !reason.allSatisfy(\.isWhitespace) else {
            throw UsageError(message: "--reason is empty", mend: "Say why; the audit keeps it.")
        }
        let client = DeadLetterClient(client: try invocation.client(of: id.service))
        let letter = try await client.edit(id.number, edit.member, to: edit.json, reason: reason)
        invocation.printer.record(letter, first: ["id", "state", "type", "subject", "eventId"])
    }
}
