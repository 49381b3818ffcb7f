import HTTP
import JSON
import ServiceKit

/// `warren points`: what customers have, by Points' own API.
enum PointsCommands {
    static let command = Command(
        name: "points",
        summary: "Show customers' points.",
        options: [ShopAPI.points.option],
        examples: [.init("warren points show --customer c-4711", "What does that customer have?")],
        subcommands: [show]
    )

    private static let show = Command(
        name: "show",
        summary: "Show how many points a customer has, by currency.",
        discussion: """
            A point is one minor unit of its currency. JSON is the account as Points answers it. A customer who never had any \
            has none; that is no error.
            """,
        options: [.text("customer", "ID", help: "Whose", isRequired: true)],
        examples: [
            .init("warren points show --customer c-4711", "What does that customer have?"),
            .init("warren points show --customer c-4711 -o json | jq .balances", "For scripts"),
        ]
    ) { invocation in
        let customer = try invocation.value("customer")
        let client = try invocation.client(of: .points)
        let account = try await client.get("/accounts/\(PercentEncoding.encode(customer))")
        guard let balances = account["balances"]?.array else {
            throw CommandFailure(
                .failed,
                "points at \(client.base) answered with something that is no account",
                mend: client.notTheService
            )
        }
        guard invocation.printer.format == .table else { return invocation.printer.record(account) }
        invocation.printer.list(
            balances,
            columns: [
                .init("CURRENCY", "currency"), .init("POINTS", "points", isNumber: true),
                .init("UPDATED", "updatedAt"),
            ],
            empty: "\(customer) has no points"
        )
    }
}
