import Events
import JSON
import ServiceKit

/// `warren order`: what a customer does.
enum OrderCommands {
    static let command = Command(
        name: "order",
        summary: "Place, show, trace, divide, cancel and list orders.",
        examples: [
            .init("warren order place --email ada@example.com --price 1999", "Place an order of 19.99 EUR"),
            .init("warren order trace 0198c5d2-…", "What happened to it in all services"),
            .init("warren order list --status rejected", "Orders that could not be carried out"),
        ],
        subcommands: [place, show, trace, keep, cancel, list]
    )

    private static let trace = OrderTrace.command
    private static let identifier = Argument(name: "ID", help: "the order's id")
    private static let place = Command(
        name: "place",
        summary: "Place an order with one line.",
        discussion: """
            Payment methods of the sandbox: pm_card_visa is charged, pm_card_chargeDeclined is declined, \
            pm_sandbox_error_once and pm_sandbox_timeout_once go wrong at the first call.
            """,
        options: [
            .text("email", "ADDRESS", help: "Where mail goes", fallback: OrderClient.Draft().email),
            .text("name", "NAME", help: "How mail addresses the customer", fallback: OrderClient.Draft().name),
            .text("sku", "SKU", help: "The article", fallback: OrderClient.Draft().sku),
            .text("quantity", "N", help: "How many", fallback: String(OrderClient.Draft().quantity)),
            .text(
                "price",
                "CENTS",
                help: "The price of one, in minor units",
                fallback: String(OrderClient.Draft().unitPrice)
            ),
            .text("currency", "CODE", help: "ISO 4217 code", fallback: OrderClient.Draft().currency),
            .text("payment-method", "TOKEN", help: "The provider's token", fallback: OrderClient.Draft().paymentMethod),
            .text("idempotency-key", "KEY", help: "Placed once under one key, however often; default: a new key"),
        ],
        examples: [
            .init("warren order place", "An order that is confirmed"),
            .init("warren order place --payment-method pm_card_chargeDeclined", "An order that is rejected"),
            .init("warren order place -o json | jq -r .id", "The id alone"),
        ]
    ) { invocation in
        let draft = OrderClient.Draft(
            email: try invocation.value("email"),
            name: try invocation.value("name"),
            sku: try invocation.value("sku"),
            quantity: try invocation.integer("quantity", in: .min ... .max) ?? 1,
            unitPrice: try invocation.integer("price", in: .min ... .max) ?? 0,
            currency: try invocation.value("currency"),
            paymentMethod: try invocation.value("payment-method")
        )
        let key = invocation.text("idempotency-key") ?? UUIDv7.make()
        guard (1...255).contains(key.utf8.count),
            key.allSatisfy({ ("\u{20}"..."\u{7E}").contains($0) && $0 != "\"" && $0 != "\\" })
        else {
            throw UsageError(
                message: "--idempotency-key cannot be `\(key)`",
                mend: "It is 1 to 255 printable ASCII characters without quotes and backslashes."
            )
        }
        let order = try await invocation.orders().place(draft, idempotencyKey: key)
        invocation.printer.order(order)
    }

    private static let show = Command(
        name: "show",
        summary: "Show an order.",
        discussion: """
            Of an order that was rejected or cancelled, `ended` names the event that did it, and who asked for it. What the \
            event said, such as which stock was missing, is in `warren order trace`.
            """,
        arguments: [identifier],
        examples: [.init("warren order show 0198c5d2-…", "How does the order stand?")]
    ) { invocation in
        invocation.printer.order(try await invocation.orders().show(invocation.words[0]))
    }

    private static let keep = Command(
        name: "keep",
        summary: "Say what stays of a confirmed order; the rest is cancelled.",
        discussion: """
            How many of each article stay, over all of its lines; one that is not named does not stay at all. The share that the \
            cancelled lines have in the total goes back to card and points. Saying the same again changes nothing.
            """,
        arguments: [
            identifier,
            Argument(name: "SKU=QUANTITY", help: "an article and how many of it stay", arity: .oneOrMore),
        ],
        examples: [.init("warren order keep 0198c5d2-… tea-500=1", "One of the tea is enough, and nothing else")]
    ) { invocation in
        let quantities = try invocation.words.dropFirst().map { word in
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, let quantity = Int64(parts[1]), quantity >= 0 else {
                throw UsageError(
                    message: "`\(word)` does not say how many stay",
                    mend: "Write SKU=QUANTITY, such as tea-500=1."
                )
            }
            return (sku: String(parts[0]), quantity: quantity)
        }
        invocation.printer.order(try await invocation.orders().keep(quantities, of: invocation.words[0]))
    }

    private static let cancel = Command(
        name: "cancel",
        summary: "Cancel an order; what was paid goes back.",
        discussion: """
            The cancel is taken at once, whatever the payment is doing; the refund follows. \
            `warren wait order ID --for refunded` waits for it.
            """,
        arguments: [identifier],
        examples: [.init("warren order cancel 0198c5d2-…", "Call the order off")]
    ) { invocation in
        invocation.printer.order(try await invocation.orders().cancel(invocation.words[0]))
    }

    private static let list = Command(
        name: "list",
        summary: "List orders, a page at a time.",
        options: [
            .choice(
                "status",
                ["placed", "confirmed", "rejected", "cancelled"],
                help: "Only orders that stand so"
            )
        ] + Page.options,
        examples: [.init("warren order list --status confirmed --limit 10", "Ten orders that are paid")]
    ) { invocation in
        let client = try await invocation.orders().client
        let page = try await invocation.page(of: client, "/orders", "orders", filters: ["status"])
        // What not every shop has, and not every order asks for.
        let parts: [(title: String, path: String)] = [
            ("STOCK", "stockStatus"), ("COUPON", "couponStatus"), ("POINTS", "pointsStatus"),
            ("SHIPPING", "shippingStatus"), ("REASON", "payment.reason"),
        ]
        let used = parts.filter { part in page.items.contains { $0.member(at: part.path)?.text != nil } }
        invocation.printer.page(
            page,
            columns: [.init("ID", "id"), .init("STATUS", "status"), .init("PAYMENT", "payment.status")]
                + used.map { Printer.Column($0.title, $0.path) }
                + [.init("TOTAL", isNumber: true) { MoneyText.cell($0["total"]) }, .init("PLACED", "placedAt")],
            empty: "no orders"
        )
    }
}

extension Invocation {
    /// Orders, as their customer sees them: by Order's own API.
    ///
    /// - Throws: `UsageError` where its URL is none.
    func orders() async throws -> OrderClient {
        OrderClient(client: try client(of: .order))
    }
}

extension Printer {
    /// Writes an order: what it is, and in a table what has happened to it.
    func order(_ order: JSONValue) {
        guard format == .table else {
            record(order)
            return
        }
        var facts = MoneyText.describing(order)
        facts["history"] = .null
        facts["cancelled"] = .null
        if let ended = Self.ended(order) { facts["ended"] = .string(ended) }
        record(
            facts,
            first: [
                "id", "status", "ended", "payment.status", "payment.reason", "payment.dispute", "stockStatus",
                "couponStatus", "pointsStatus", "shippingStatus", "shippingReason", "trackingCode", "total", "due",
                "customer.email", "customer.name",
            ]
        )
        if let parts = order["cancelled"]?.array, !parts.isEmpty {
            text("\nCancelled")
            list(
                parts,
                columns: [
                    .init("PART", "number"), .init("LINES") { part in Self.lines(part["lines"]) },
                    .init("REFUND", isNumber: true) { MoneyText.cell($0["refund"]) }, .init("POINTS", "points"),
                    .init("STATUS", "refundStatus"),
                ],
                empty: ""
            )
        }
        guard let history = order["history"]?.array, !history.isEmpty else { return }
        text("\nHistory")
        list(
            history,
            columns: [
                .init("AT", "at"), .init("STATUS", "status"), .init("PAYMENT", "payment"),
                .init(eventType: "EVENT", "event"),
            ],
            empty: ""
        )
    }

    /// `2 tea-500, 1 cup`.
    private static func lines(_ lines: JSONValue?) -> String {
        (lines?.array ?? []).map { "\($0["quantity"]?.integer ?? 0) \($0["sku"]?.text ?? "?")" }.joined(separator: ", ")
    }

    /// What ended a rejected or cancelled order, by its history: `stock.rejected`, or `order.cancelled by customer:ada`; nil
    /// where it goes on.
    ///
    /// The events' own reasons are in `warren order trace`.
    private static func ended(_ order: JSONValue) -> String? {
        let end = order["history"]?.array?.first { ["rejected", "cancelled"].contains($0["status"]?.text) }
        guard let end, let event = end["event"]?.text else { return nil }
        let name = EventCatalogue.shortName(of: EventType(rawValue: event))
        return name + (end["by"]?.text.map { " by \($0)" } ?? "")
    }
}
