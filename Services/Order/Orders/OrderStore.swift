import Database
import Events
import JSON
import ShopEvents
import Telemetry

/// The orders in the service's database.
///
/// Every call runs in the caller's transaction.
struct OrderStore: Sendable {
    /// The service's own tables.
    ///
    /// Times are milliseconds since 1970, amounts minor units; `version` is the number of history entries and guards a
    /// row against two writers.
    static let migrations = MigrationSet(
        "order",
        [
            .init(
                "orders",
                """
                CREATE TABLE orders (
                    id TEXT NOT NULL PRIMARY KEY,
                    version BIGINT NOT NULL,
                    status TEXT NOT NULL,
                    payment_status TEXT NOT NULL,
                    payment_reason TEXT,
                    customer_email TEXT NOT NULL,
                    customer_name TEXT NOT NULL,
                    lines TEXT NOT NULL,
                    total BIGINT NOT NULL,
                    currency TEXT NOT NULL,
                    payment_method TEXT NOT NULL,
                    placed_at BIGINT NOT NULL,
                    updated_at BIGINT NOT NULL
                );
                CREATE INDEX orders_by_status ON orders (status, id);
                """
            ),
            .init(
                "order history",
                """
                CREATE TABLE order_history (
                    order_id TEXT NOT NULL REFERENCES orders (id),
                    number BIGINT NOT NULL,
                    at BIGINT NOT NULL,
                    event TEXT NOT NULL,
                    status TEXT NOT NULL,
                    payment_status TEXT NOT NULL,
                    PRIMARY KEY (order_id, number)
                );
                """
            ),
            IdempotencyKeys.migration,
            .init(
                "who placed and who cancelled",
                """
                ALTER TABLE orders ADD COLUMN placed_by TEXT;
                ALTER TABLE order_history ADD COLUMN caller TEXT;
                CREATE INDEX orders_by_caller ON orders (placed_by, id);
                """
            ),
            IdempotencyKeys.callerMigration,
            .init("what became of the stock", "ALTER TABLE orders ADD COLUMN stock_status TEXT"),
            ProductPicture.migration,
            .init(
                "coupons, points and parcels",
                """
                ALTER TABLE orders ADD COLUMN customer_id TEXT;
                ALTER TABLE orders ADD COLUMN locale TEXT;
                ALTER TABLE orders ADD COLUMN coupon_status TEXT;
                ALTER TABLE orders ADD COLUMN points_status TEXT;
                ALTER TABLE orders ADD COLUMN deductions TEXT;
                ALTER TABLE orders ADD COLUMN shipment TEXT;
                ALTER TABLE orders ADD COLUMN dispute TEXT;
                """
            ),
            .init("what was cancelled of orders", "ALTER TABLE orders ADD COLUMN parts TEXT"),
        ]
    )

    /// Someone else changed the order since it was read; the whole transaction has to be done again.
    ///
    /// Cannot happen with one writer, as SQLite has it.
    struct ChangedMeanwhile: Error, CustomStringConvertible {
        let orderID: String
        var description: String { "order \(orderID) was changed meanwhile" }
    }

    /// Stores a new order.
    func insert(_ order: Order, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO orders (id, version, status, payment_status, payment_reason, customer_email, customer_name,
                lines, total, currency, payment_method, placed_at, updated_at, placed_by, stock_status, customer_id,
                locale, coupon_status, points_status, deductions, shipment)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
            """,
            order.id,
            order.version,
            order.status.rawValue,
            order.payment.status.rawValue,
            order.payment.reason,
            order.customer.email,
            order.customer.name,
            try JSONColumn.encode(order.lines),
            order.total.amount,
            order.total.currency,
            order.paymentMethod,
            order.placedAt,
            order.updatedAt,
            order.placedBy,
            order.stock?.rawValue,
            order.customer.id,
            order.customer.locale,
            order.coupon?.rawValue,
            order.points?.rawValue,
            try order.deductions.map(JSONColumn.encode),
            try order.shipment.map(JSONColumn.encode)
        )
        try appendHistory(of: order, in: transaction)
    }

    /// Stores an order after exactly one change.
    ///
    /// - Throws: `ChangedMeanwhile`.
    func update(_ order: Order, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE orders
            SET version = $1, status = $2, payment_status = $3, payment_reason = $4, updated_at = $5, stock_status = $8,
                coupon_status = $9, points_status = $10, deductions = $11, shipment = $12, dispute = $13,
                parts = $14
            WHERE id = $6 AND version = $7
            """,
            order.version,
            order.status.rawValue,
            order.payment.status.rawValue,
            order.payment.reason,
            order.updatedAt,
            order.id,
            order.version - 1,
            order.stock?.rawValue,
            order.coupon?.rawValue,
            order.points?.rawValue,
            try order.deductions.map(JSONColumn.encode),
            try order.shipment.map(JSONColumn.encode),
            order.payment.dispute?.rawValue,
            order.parts.isEmpty ? nil : try JSONColumn.encode(order.parts)
        )
        guard changed == 1 else { throw ChangedMeanwhile(orderID: order.id) }
        try appendHistory(of: order, in: transaction)
    }

    /// The order of that id, with its history.
    func load(_ id: String, in transaction: Transaction) throws -> Order? {
        guard let row = try transaction.first("SELECT * FROM orders WHERE id = $1", id) else { return nil }
        let history = try transaction.query(
            "SELECT at, event, status, payment_status, caller FROM order_history WHERE order_id = $1 ORDER BY number",
            id
        ).map { row in
            Order.HistoryEntry(
                at: try row["at"],
                event: EventType(rawValue: try row["event"]),
                status: try OrderStore.value(row, "status"),
                payment: try OrderStore.value(row, "payment_status"),
                caller: try row["caller"]
            )
        }
        return Order(
            id: try row["id"],
            customer: Customer(
                email: try row["customer_email"],
                name: try row["customer_name"],
                locale: try row["locale"],
                id: try row["customer_id"]
            ),
            lines: try JSONColumn.decode([OrderLine].self, from: try row["lines"]),
            total: Money(amount: try row["total"], currency: try row["currency"]),
            paymentMethod: try row["payment_method"],
            status: try OrderStore.value(row, "status"),
            payment: Order.Payment(
                status: try OrderStore.value(row, "payment_status"),
                reason: try row["payment_reason"],
                dispute: try OrderStore.optional(row, "dispute")
            ),
            stock: try OrderStore.optional(row, "stock_status"),
            coupon: try OrderStore.optional(row, "coupon_status"),
            points: try OrderStore.optional(row, "points_status"),
            deductions: try OrderStore.json(row, "deductions"),
            shipment: try OrderStore.json(row, "shipment"),
            parts: try OrderStore.json(row, "parts") ?? [],
            history: history
        )
    }

    /// One page of orders, newest first (ids grow with time).
    ///
    /// - Parameters:
    ///   - status: only orders that stand there.
    ///   - placedBy: only orders that this caller placed; nil for all.
    ///   - after: the id of the last order of the page before.
    ///   - limit: how many at most.
    func page(
        status: Order.Status?,
        placedBy: String?,
        after: String?,
        limit: Int,
        in transaction: Transaction
    ) throws -> [OrderSummary] {
        // Above every UUID in text order, so that one statement serves the first page too.
        let bound = after ?? "g"
        let columns =
            "id, status, payment_status, payment_reason, dispute, stock_status, coupon_status, points_status, shipment, "
            + "total, currency, placed_at, updated_at"
        let rows =
            switch (placedBy, status) {
            case (let placedBy?, let status):
                try transaction.query(
                    """
                    SELECT \(columns) FROM orders
                    WHERE placed_by = $1 AND id < $2 AND ($3 = '' OR status = $3) ORDER BY id DESC LIMIT $4
                    """,
                    placedBy,
                    bound,
                    status?.rawValue ?? "",
                    limit
                )
            case (nil, let status?):
                try transaction.query(
                    "SELECT \(columns) FROM orders WHERE status = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                    status.rawValue,
                    bound,
                    limit
                )
            case (nil, nil):
                try transaction.query(
                    "SELECT \(columns) FROM orders WHERE id < $1 ORDER BY id DESC LIMIT $2",
                    bound,
                    limit
                )
            }
        return try rows.map { row in
            OrderSummary(
                id: try row["id"],
                status: try OrderStore.value(row, "status"),
                payment: Order.Payment(
                    status: try OrderStore.value(row, "payment_status"),
                    reason: try row["payment_reason"],
                    dispute: try OrderStore.optional(row, "dispute")
                ),
                stockStatus: try OrderStore.optional(row, "stock_status"),
                couponStatus: try OrderStore.optional(row, "coupon_status"),
                pointsStatus: try OrderStore.optional(row, "points_status"),
                shippingStatus: (try OrderStore.json(row, "shipment") as Order.Shipment?)?.status,
                total: Money(amount: try row["total"], currency: try row["currency"]),
                placedAt: Timestamp(milliseconds: try row["placed_at"]).description,
                updatedAt: Timestamp(milliseconds: try row["updated_at"]).description
            )
        }
    }

    private func appendHistory(of order: Order, in transaction: Transaction) throws {
        guard let entry = order.history.last else { return }
        try transaction.execute(
            """
            INSERT INTO order_history (order_id, number, at, event, status, payment_status, caller)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            order.id,
            order.history.count,
            entry.at,
            entry.event.rawValue,
            entry.status.rawValue,
            entry.payment.rawValue,
            entry.caller
        )
    }

    private static func optional<Value: RawRepresentable<String>>(_ row: Row, _ column: String) throws -> Value? {
        let text: String? = try row[column]
        return text == nil ? nil : try value(row, column)
    }

    private static func json<Value: Decodable>(_ row: Row, _ column: String) throws -> Value? {
        let text: String? = try row[column]
        return try text.map { try JSONColumn.decode(Value.self, from: $0) }
    }

    /// Reads a column that holds one of an enumeration's names.
    private static func value<Value: RawRepresentable<String>>(_ row: Row, _ column: String) throws -> Value {
        let text: String = try row[column]
        guard let value = Value(rawValue: text) else {
            throw DatabaseError(code: .conversion, reason: "column \(column) holds an unknown name")
        }
        return value
    }
}

/// JSON as columns hold it: UTF-8 text.
enum JSONColumn {
    static func encode(_ value: some Encodable) throws -> String {
        String(decoding: try StrictJSON.encode(value), as: UTF8.self)
    }

    static func decode<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
        try StrictJSON.decode(type, from: Array(text.utf8))
    }
}
