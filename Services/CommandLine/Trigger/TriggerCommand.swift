/// `warren trigger`: the shop's stories, played with the commands above on real services.
enum TriggerCommand {
    static let command = Command(
        name: "trigger",
        summary: "Play a scenario and show each step.",
        discussion: scenarioList + """


            Webhooks are taken where Payment has PAYMENT_WEBHOOK_SECRET, and sent where the sandbox has the same secret and \
            Payment's address (SANDBOX_WEBHOOK_SECRET, SANDBOX_WEBHOOK_URL).

            Ends with 0 when every step came out as it should, 1 when one did not, 5 when one did not in time or the shop \
            lacks what the scenario needs, 7 when something cannot be reached.
            """,
        arguments: [
            Argument(
                name: "SCENARIO",
                help: "one of",
                choices: Scenario.allCases.map(\.rawValue),
                onlyChoices: true
            )
        ],
        options: [
            .text("count", "N", help: "How many times, one after the other", fallback: "1"),
            .text("timeout", "DURATION", help: "How long each step may take", fallback: "60s"),
        ] + [ShopAPI.payment, .inventory, .coupon, .points, .sandbox].map(\.option),
        examples: [
            .init("warren trigger happy", "An order is placed, paid and confirmed"),
            .init("warren trigger poison", "A message that ends as a dead letter"),
            .init("warren trigger last-piece --inventory-url http://127.0.0.1:8084", "Two customers, one piece"),
        ]
    ) { invocation in
        let word = invocation.words[0]
        guard let scenario = Scenario(rawValue: word) else {
            throw UsageError(message: "there is no scenario `\(word)`")
        }
        let count = try invocation.integer("count", in: 1...100_000) ?? 1
        let timeout = try invocation.duration("timeout") ?? .seconds(60)
        let stage = Stage(invocation: invocation, scenario: scenario, timeout: timeout)
        defer { stage.finish() }
        for _ in 0..<count { try await scenario.play(on: stage) }
    }

    private static let scenarioList = Scenario.Need.allCases.map { need in
        let scenarios = Scenario.allCases.filter { $0.need == need }
        return "\(need.title):\n\n" + scenarios.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n")
    }
    .joined(separator: "\n\n")
}
