import Database
import Events
import Messaging
import ShopEvents

/// What Order knows of a product: what an order copies of it.
struct ProductEntry: Sendable, Equatable {
    let sku: String
    let name: String
    let price: Money
}

/// Order's own picture of Inventory's products, made of its events: enough to price an order while Inventory is away.
///
/// It comes by feed, so it can be lost with its database and comes again from Inventory's first event on; Inventory says
/// from time to time again what it has.
struct ProductPicture: Sendable {
    /// The table; amounts are minor units.
    static let migration = MigrationSet.Migration(
        "products",
        """
        CREATE TABLE products (
            sku TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            amount BIGINT NOT NULL,
            currency TEXT NOT NULL
        )
        """
    )

    /// The types that it is made of.
    static let types: Set<EventType> = [ProductListed.type, ProductPriceChanged.type]

    /// Registers what draws the picture.
    func register(on subscriber: Subscriber) {
        subscriber.on(ProductListed.self) { event, delivery in
            try await delivery.commit { transaction in
                try put(ProductEntry(sku: event.sku, name: event.name, price: event.price), in: transaction)
            }
        }
        subscriber.on(ProductPriceChanged.self) { event, delivery in
            try await delivery.commit { transaction in try price(event.sku, event.price, in: transaction) }
        }
    }

    /// The products of these names; those that are not known are left out.
    func find(_ skus: some Sequence<String>, in transaction: Transaction) throws -> [String: ProductEntry] {
        var found: [String: ProductEntry] = [:]
        for sku in Set(skus) {
            guard let row = try transaction.first("SELECT * FROM products WHERE sku = $1", sku) else { continue }
            found[sku] = ProductEntry(
                sku: sku,
                name: try row["name"],
                price: Money(amount: try row["amount"], currency: try row["currency"])
            )
        }
        return found
    }

    private func put(_ entry: ProductEntry, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO products (sku, name, amount, currency) VALUES ($1, $2, $3, $4)
            ON CONFLICT (sku) DO UPDATE SET name = excluded.name, amount = excluded.amount, currency = excluded.currency
            """,
            entry.sku,
            entry.name,
            entry.price.amount,
            entry.price.currency
        )
    }

    /// A new price of what is not known is left out: whoever begins late may find it before any listing of the product, since old
    /// events are removed; the next listing brings the price too.
    private func price(_ sku: String, _ price: Money, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE products SET amount = $2, currency = $3 WHERE sku = $1",
            sku,
            price.amount,
            price.currency
        )
    }
}
