import HTTP
import JSON
import ServiceKit

/// `warren products`: what the shop sells, by Inventory's own API.
enum ProductCommands {
    static let command = Command(
        name: "products",
        summary: "Show the shop's products and their stock.",
        options: [ShopAPI.inventory.option],
        examples: [
            .init("warren products list --query tea", "Products with that word in their name"),
            .init("warren products show tea-500", "How many are there?"),
        ],
        subcommands: [list, show]
    )

    private static let list = Command(
        name: "list",
        summary: "List products by SKU, a page at a time.",
        options: [.text("query", "WORDS", help: "Only those whose name has all of these words")] + Page.options,
        examples: [
            .init("warren products list --limit 10", "The first ten"),
            .init("warren products list -o jsonl | jq -r 'select(.available == 0) | .sku'", "What is out of stock"),
        ]
    ) { invocation in
        let client = try invocation.client(of: .inventory)
        let page = try await invocation.page(of: client, "/products", "products", filters: ["query"])
        invocation.printer.page(
            page,
            columns: [
                .init("SKU", "sku"), .init("PRICE", isNumber: true) { MoneyText.cell($0["price"]) },
                .init("ON HAND", "onHand", isNumber: true), .init("RESERVED", "reserved", isNumber: true),
                .init("AVAILABLE", "available", isNumber: true), .init("LEVEL", "level"), .init("NAME", "name"),
            ],
            empty: "no products"
        )
    }

    private static let show = Command(
        name: "show",
        summary: "Show a product.",
        arguments: [Argument(name: "SKU", help: "the product's SKU")],
        examples: [.init("warren products show tea-500", "What does it cost, and how many are there?")]
    ) { invocation in
        let client = try invocation.client(of: .inventory)
        let product = try await client.get("/products/\(PercentEncoding.encode(invocation.words[0]))")
        invocation.printer.record(
            product,
            money: ["price"],
            first: ["sku", "name", "price", "onHand", "reserved", "available", "level"]
        )
    }
}
