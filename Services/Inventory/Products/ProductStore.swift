import Database
import ShopEvents

/// The products in the service's database.
///
/// Every call runs in the caller's transaction.
struct ProductStore: Sendable {
    /// Times are milliseconds since 1970, amounts minor units.
    ///
    /// What lies there is the sum of the movements of its product.
    static let migration = MigrationSet.Migration(
        "products",
        """
        CREATE TABLE products (
            sku TEXT NOT NULL PRIMARY KEY,
            name TEXT NOT NULL,
            price BIGINT NOT NULL CHECK (price >= 0),
            currency TEXT NOT NULL,
            on_hand BIGINT NOT NULL,
            reserved BIGINT NOT NULL,
            said_level TEXT NOT NULL CHECK (said_level IN ('out', 'low', 'plenty')),
            listed_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK (0 <= reserved AND reserved <= on_hand)
        );
        CREATE INDEX products_by_listing ON products (listed_at, sku);
        CREATE TABLE product_words (
            word TEXT NOT NULL,
            sku TEXT NOT NULL REFERENCES products (sku),
            PRIMARY KEY (word, sku)
        );
        CREATE INDEX product_words_by_product ON product_words (sku);
        """
    )

    /// The product of that name.
    func find(_ sku: String, in transaction: Transaction) throws -> Product? {
        try transaction.first("SELECT * FROM products WHERE sku = $1", sku).map(Self.product)
    }

    /// Adds a product.
    func insert(_ product: Product, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO products (sku, name, price, currency, on_hand, reserved, said_level, listed_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8)
            """,
            product.sku,
            product.name,
            product.price.amount,
            product.price.currency,
            product.stock.onHand,
            product.stock.reserved,
            product.saidLevel.rawValue,
            product.updatedAt
        )
        try insertWords(of: product, in: transaction)
    }

    /// Writes the name and the price.
    func updateListing(of product: Product, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE products SET name = $2, price = $3, currency = $4, updated_at = $5 WHERE sku = $1",
            product.sku,
            product.name,
            product.price.amount,
            product.price.currency,
            product.updatedAt
        )
        try transaction.execute("DELETE FROM product_words WHERE sku = $1", product.sku)
        try insertWords(of: product, in: transaction)
    }

    /// Writes the stock and the level that was said.
    ///
    /// - Throws: `DatabaseError`, a constraint, for more reserved than there is.
    func updateStock(of product: Product, in transaction: Transaction) throws {
        try transaction.execute(
            "UPDATE products SET on_hand = $2, reserved = $3, said_level = $4, updated_at = $5 WHERE sku = $1",
            product.sku,
            product.stock.onHand,
            product.stock.reserved,
            product.saidLevel.rawValue,
            product.updatedAt
        )
    }

    /// One page of products, by their names.
    ///
    /// - Parameters:
    ///   - words: all of them begin a word of the product's name or sku.
    ///   - after: the last of the page before.
    ///   - limit: how many at most.
    func page(words: [String], after: String, limit: Int, in transaction: Transaction) throws -> [Product] {
        var conditions = ["sku > $1"]
        var arguments: [(any DatabaseConvertible)?] = [after]
        for word in words {
            let place = arguments.count + 1
            conditions.append(
                "sku IN (SELECT sku FROM product_words WHERE word >= $\(place) AND word < $\(place + 1))"
            )
            arguments += [word, SearchWords.bound(of: word)]
        }
        arguments.append(limit)
        let condition = conditions.joined(separator: " AND ")
        return try transaction.query(
            "SELECT * FROM products WHERE \(condition) ORDER BY sku LIMIT $\(arguments.count)",
            arguments: arguments
        ).map(Self.product)
    }

    /// Products that were last listed at that time or before it, the longest silent first.
    func lastListed(until time: Int64, limit: Int, in transaction: Transaction) throws -> [Product] {
        try transaction.query(
            "SELECT * FROM products WHERE listed_at <= $1 ORDER BY listed_at, sku LIMIT $2",
            time,
            limit
        ).map(Self.product)
    }

    /// Notes that a product was listed.
    func wasListed(_ sku: String, at now: Int64, in transaction: Transaction) throws {
        try transaction.execute("UPDATE products SET listed_at = $2 WHERE sku = $1", sku, now)
    }

    private func insertWords(of product: Product, in transaction: Transaction) throws {
        for word in SearchWords.of(product.name).union(SearchWords.of(product.sku)).sorted() {
            try transaction.execute("INSERT INTO product_words (word, sku) VALUES ($1, $2)", word, product.sku)
        }
    }

    private static func product(_ row: Row) throws -> Product {
        Product(
            sku: try row["sku"],
            name: try row["name"],
            price: Money(amount: try row["price"], currency: try row["currency"]),
            stock: Stock(onHand: try row["on_hand"], reserved: try row["reserved"]),
            saidLevel: try row.value("said_level"),
            updatedAt: try row["updated_at"]
        )
    }
}

extension Row {
    /// A column that holds one of an enumeration's names.
    func value<Value: RawRepresentable<String>>(_ column: String) throws -> Value {
        let text: String = try self[column]
        guard let value = Value(rawValue: text) else {
            throw DatabaseError(code: .conversion, reason: "column \(column) holds an unknown name")
        }
        return value
    }
}
