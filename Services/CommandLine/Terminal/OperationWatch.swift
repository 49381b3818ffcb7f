import JSON

/// Watches operations until they end, and shows how far they are.
struct OperationWatch {
    private let invocation: Invocation
    private let showsProgress: Bool

    init(_ invocation: Invocation) {
        self.invocation = invocation
        showsProgress = invocation.surroundings.output.messagesAreTerminal
    }

    /// Asks the services until none of these operations runs; Ctrl-C ends the watching alone.
    func untilEnd(of operations: [(client: OperationClient, operation: JSONValue)]) async throws -> [JSONValue] {
        var operations = operations
        var schedule = PollSchedule()
        if !showsProgress {
            let names = operations.compactMap { $0.operation["id"]?.text }.joined(separator: ", ")
            invocation.printer.note("\(names): done by the service, also when this command is interrupted")
        }
        while true {
            show(operations.map(\.operation))
            let running = operations.indices.filter { operations[$0].operation["state"]?.text == "running" }
            guard !running.isEmpty, let pause = schedule.next(remaining: .seconds(1)) else { break }
            try await ContinuousClock().sleep(for: pause)
            for index in running {
                let (client, operation) = operations[index]
                operations[index].operation = try await client.show(client.number(of: operation))
            }
        }
        if showsProgress { invocation.surroundings.output.messages("\n") }
        return operations.map(\.operation)
    }

    /// One line that is written over.
    private func show(_ operations: [JSONValue]) {
        guard showsProgress else { return }
        let parts = operations.map { operation in
            let gone = (operation["done"]?.integer ?? 0) + (operation["failed"]?.integer ?? 0)
            let total = operation["total"]?.integer
            let part = total.map { $0 > 0 ? " (\(min(100, gone * 100 / $0)) %)" : "" } ?? ""
            let of = total.map(String.init) ?? "?"
            return "\(operation["id"]?.text ?? ""): \(gone) of \(of)\(part)"
        }
        let line = TerminalText.harmless(parts.joined(separator: ", "))
        invocation.surroundings.output.messages("\r\(line)\u{1B}[K")
    }
}
