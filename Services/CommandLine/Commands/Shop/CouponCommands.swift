import HTTP
import JSON
import ServiceKit

/// `warren coupons`: what was issued to customers, by Coupon's own API.
enum CouponCommands {
    static let command = Command(
        name: "coupons",
        summary: "Show customers' coupons.",
        options: [ShopAPI.coupon.option],
        examples: [.init("warren coupons list --customer c-4711", "What does that customer have?")],
        subcommands: [list, show]
    )

    private static let list = Command(
        name: "list",
        summary: "List coupons, newest first, a page at a time.",
        options: [.text("customer", "ID", help: "Only this customer's; without it, everybody's")] + Page.options,
        examples: [
            .init("warren coupons list --customer c-4711", "One customer's"),
            .init("warren coupons list -o jsonl | jq -r .id", "The ids alone"),
        ]
    ) { invocation in
        let client = try invocation.client(of: .coupon)
        let page = try await invocation.page(of: client, "/coupons", "coupons", filters: ["customer"])
        invocation.printer.page(
            page,
            columns: [
                .init("ID", "id"), .init("STATE", "state"), .init("CUSTOMER", "customer"),
                .init("DEFINITION", "definition"), .init("DISCOUNT", isNumber: true) { discount($0) },
                .init("MINIMUM", isNumber: true) { MoneyText.cell($0["minimum"]) },
                .init("VALID UNTIL", "validUntil"), .init("ORDER", "orderID"),
            ],
            empty: "no coupons"
        )
    }

    private static let show = Command(
        name: "show",
        summary: "Show a coupon.",
        arguments: [Argument(name: "ID", help: "the coupon's id")],
        examples: [.init("warren coupons show 0198c5d2-…", "Is it used, and by which order?")]
    ) { invocation in
        let client = try invocation.client(of: .coupon)
        let coupon = try await client.get("/coupons/\(PercentEncoding.encode(invocation.words[0]))")
        var facts = coupon
        if invocation.printer.format == .table, coupon["discount"] != nil {
            facts["discount"] = .string(discount(coupon))
        }
        invocation.printer.record(
            facts,
            money: ["minimum"],
            first: [
                "id", "state", "customer", "definition", "discount", "minimum", "validFrom", "validUntil", "orderID",
            ]
        )
    }

    /// What a coupon takes off: `10 %` or `5.00 EUR`.
    private static func discount(_ coupon: JSONValue) -> String {
        if let percent = coupon.member(at: "discount.percent") { return "\(percent.cell) %" }
        return MoneyText.cell(coupon.member(at: "discount.amount"))
    }
}
