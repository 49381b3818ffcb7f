/// `warren wait`: for scripts that go on when something has happened.
enum WaitCommand {
    static let command = Command(
        name: "wait",
        summary: "Wait until something has happened.",
        examples: [.init("warren wait order 0198c5d2-… --for confirmed", "Wait until the order is paid")],
        subcommands: [order]
    )

    private static let order = Command(
        name: "order",
        summary: "Wait until an order stands as it should.",
        discussion: """
            Ends with 5 when the time is up, and as soon as the order can never come to it: a rejected order will not \
            be confirmed. While the service is away it is waited for.
            """,
        arguments: [Argument(name: "ID", help: "the order's id")],
        options: [
            .choice(
                "for",
                OrderGoal.allCases.map(\.rawValue),
                help: "What to wait for",
                isRequired: true
            ),
            .text("timeout", "DURATION", help: "How long", fallback: "30s"),
        ],
        examples: [
            .init("warren wait order 0198c5d2-… --for confirmed --timeout 5s", "Is it paid within five seconds?"),
            .init("warren wait order 0198c5d2-… --for refunded", "Wait until the customer has the money back"),
        ]
    ) { invocation in
        let word = try invocation.value("for")
        guard let goal = OrderGoal(rawValue: word) else { throw UsageError(message: "--for cannot be `\(word)`") }
        let printer = invocation.printer
        let order = try await invocation.orders().wait(
            for: goal,
            order: invocation.words[0],
            timeout: try invocation.duration("timeout") ?? .seconds(30),
            note: { printer.note($0) }
        )
        printer.order(order)
    }
}
