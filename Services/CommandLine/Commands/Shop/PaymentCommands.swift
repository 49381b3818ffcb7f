import JSON
import ServiceKit

/// `warren payments`: what Payment answers back ends.
enum PaymentCommands {
    static let command = Command(
        name: "payments",
        summary: "Hold the payment provider's books against the shop's.",
        options: [ShopAPI.payment.option],
        examples: [.init("warren payments reconcile", "Did yesterday's books agree?")],
        subcommands: [reconcile]
    )

    private static let reconcile = Command(
        name: "reconcile",
        summary: "Hold a day of the provider's books against Payment's ledger.",
        discussion: """
            Shows every difference, and what to do about it. Ends with 0 when the books agree, 5 when they differ, 7 when \
            Payment cannot be reached or does not answer in time, 1 when the provider does not answer. Payment reads all \
            that the provider made on the day; with tokens it answers a back end's alone.
            """,
        options: [
            .text("day", "YYYY-MM-DD", help: "The day, in UTC; default: yesterday"),
            .text("timeout", "DURATION", help: "How long Payment may take", fallback: "5m"),
        ],
        examples: [
            .init("warren payments reconcile", "Did yesterday's books agree?"),
            .init("warren payments reconcile --day 2026-01-31 -o jsonl | jq -r .id", "The provider's ids alone"),
        ]
    ) { invocation in
        let day = try DayText.parse(invocation.text("day"))
        let timeout = try invocation.duration("timeout") ?? .seconds(300)
        let client = try invocation.client(of: .payment)
        let answer: JSONValue
        do {
            answer = try await client.get("/reconciliations/\(day)", timeout: timeout)
        } catch let failure as CommandFailure where failure.code == .notMet {
            // 5 says that the books differ, and nothing else.
            throw CommandFailure(
                .unreachable,
                failure.message,
                mend: failure.mend ?? "Payment asks the provider page by page; --timeout lets it take longer."
            )
        }
        // What lists no differences is not the books' agreement.
        guard answer["day"]?.text == day, let differences = answer["differences"]?.array else {
            throw CommandFailure(
                .failed,
                "payment at \(client.base) answered with something that is no reconciliation of \(day)",
                mend: client.notTheService
            )
        }
        let looked = ["charges", "refunds", "disputes"].map { "\(answer[$0]?.cell ?? "?") \($0)" }
        invocation.printer.reconciliation(differences)
        let summary = "\(day): \(looked.joined(separator: ", ")) of the provider's looked at"
        guard differences.isEmpty else {
            throw CommandFailure(
                .notMet,
                "the books differ in \(differences.count == 1 ? "one place" : "\(differences.count) places"); \(summary)"
            )
        }
        invocation.printer.note("\(summary); the books agree")
    }
}

extension Printer {
    /// Writes what does not agree: a table, and below it what to do about each.
    fileprivate func reconciliation(_ differences: [JSONValue]) {
        guard format == .table else { return list(differences, columns: [], empty: "") }
        guard !differences.isEmpty else { return }
        list(
            differences,
            columns: [
                .init("DIFFERENCE", "kind"), .init("OBJECT", "object"), .init("ID", "id"), .init("ORDER", "orderID"),
                .init("AT PROVIDER", isNumber: true) { $0["atProvider"].map(MoneyText.cell) ?? "-" },
                .init("IN LEDGER", isNumber: true) { $0["inLedger"].map(MoneyText.cell) ?? "-" },
            ],
            empty: ""
        )
        // In a column of its own it would be cut where the terminal ends.
        text("\nWhat to do")
        for difference in differences {
            text("\(difference["id"]?.cell ?? ""): \(difference["mend"]?.cell ?? "")")
        }
    }
}
