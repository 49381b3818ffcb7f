/// `warren trigger`: the shop's stories, played with the commands above on real services.
enum TriggerCommand {
    static let command = Command(
        name: "trigger",
        summary: "Play a scenario and show each step.",
        discussion: "Scenarios:\n\n" + scenarioList
            + "\n\nEnds with 0 when every step came out as it should, 5 when one did not in time.",
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
        ],
        examples: [
            .init("warren trigger happy", "An order is placed, paid and confirmed"),
            .init("warren trigger poison", "A message that ends as a dead letter"),
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

    private static let scenarioList =
        Scenario.allCases.map { "  \($0.rawValue): \($0.summary)" }.joined(separator: "\n")
}

/// A story that the shop can play.
enum Scenario: String, Sendable, CaseIterable {
    case happy
    case declined
    case cancelled
    case providerError = "provider-error"
    case providerTimeout = "provider-timeout"
    case duplicate
    case poison
    case mailBounce = "mail-bounce"

    var summary: String {
        switch self {
        case .happy: "an order is placed, paid and confirmed"
        case .declined: "the card is declined and the order rejected"
        case .cancelled: "a paid order is cancelled and the money goes back"
        case .providerError: "the provider fails once; the charge is tried again"
        case .providerTimeout: "the provider charges, does not answer, and is asked again"
        case .duplicate: "a request and an event come twice and count once"
        case .poison: "an event that Payment cannot read becomes a dead letter"
        case .mailBounce: "a mail to an address that is none becomes a dead letter"
        }
    }

    /// Plays the story once.
    ///
    /// - Throws: `CommandFailure` at the first step that does not come out as it should.
    func play(on stage: Stage) async throws {
        switch self {
        case .happy:
            try await stage.order(paidWith: "pm_card_visa", until: .confirmed)
        case .declined:
            try await stage.order(paidWith: "pm_card_chargeDeclined", until: .rejected)
        case .cancelled:
            let id = try await stage.order(paidWith: "pm_card_visa", until: .confirmed)
            try await stage.cancel(id)
        case .providerError:
            try await stage.order(paidWith: "pm_sandbox_error_once", until: .confirmed)
        case .providerTimeout:
            try await stage.order(paidWith: "pm_sandbox_timeout_once", until: .confirmed)
        case .duplicate:
            try await stage.placeTwice()
            try await stage.publishTwice()
        case .poison:
            try await stage.poison()
        case .mailBounce:
            try await stage.mailBounce()
        }
    }
}
