/// The tree of all commands.
enum Root {
    static let versionNumber = "0.1.0"
    /// The names of the two switches that the parser itself obeys.
    static let help = "help"
    static let version = "version"

    static let command = Command(
        name: "warren",
        summary: "Publish test events, follow orders, and understand and replay dead letters.",
        discussion: """
            Data goes to standard output, messages to standard error. The operations API of a service that has tokens \
            is used with WARREN_OPERATIONS_TOKEN (or WARREN_OPERATIONS_TOKEN_FILE); its audit names the token, and \
            WARREN_ACTOR, else the user. The shop's own APIs, such as Order's, are used with WARREN_API_TOKEN (or \
            WARREN_API_TOKEN_FILE). NO_COLOR turns colours off.

            \(exitCodes)
            """,
        options: commonOptions,
        examples: [
            .init("warren status", "Is everything up, and what waits?"),
            .init("warren trigger happy", "Send an order through the shop"),
            .init("warren dead-letters list --service payment", "What has Payment given up on?"),
            .init("warren dead-letters retry payment-17", "Try it again"),
        ],
        subcommands: [
            PublishCommand.command, TriggerCommand.command, OrderCommands.command, WaitCommand.command,
            PaymentCommands.command, ProductCommands.command, CouponCommands.command, PointsCommands.command,
            EventCommands.command, DeadLetterCommands.command, StatusCommand.command, DescribeCommand.command,
            FeedCommands.command, QueueCommands.command, CompletionCommand.command,
        ]
    )

    private static let exitCodes =
        "  Exit codes:\n" + ExitCode.allCases.map { "  \($0.rawValue)  \($0.meaning)" }.joined(separator: "\n")

    private static let commonOptions: [CommandOption] =
        [
            .choice(
                "output",
                OutputFormat.allCases.map(\.rawValue),
                short: "o",
                help: "The form of the data",
                fallback: "table"
            )
        ]
        + [
            .text(
                ServiceLocation.option,
                "NAME=URL",
                help:
                    "A service and its operations address, any that is built on Warren; default: order, payment and "
                    + "notification on 127.0.0.1, ports 9081 to 9083",
                variable: ServiceLocation.variable,
                repeats: true
            ),
            ShopAPI.order.option,
            .text(
                "amqp-url",
                "URL",
                help: "Where the broker is",
                fallback: "amqp://guest:guest@127.0.0.1:5672/",
                variable: "WARREN_AMQP_URL"
            ),
            .flag(help, short: "h", help: "Show this help"),
            .flag(version, help: "Show the version"),
        ]
}
