import Database

/// The coupons that customers have, in the service's database, for ever.
///
/// Every call runs in the caller's transaction.
struct CouponStore: Sendable {
    /// `number` counts a customer's of one definition: no claim can be the same one as another.
    static let migration = MigrationSet.Migration(
        "coupons",
        """
        CREATE TABLE coupons (
            id TEXT NOT NULL PRIMARY KEY,
            definition TEXT NOT NULL REFERENCES coupon_definitions (id),
            customer TEXT NOT NULL,
            number BIGINT NOT NULL CHECK (number >= 1),
            state TEXT NOT NULL CHECK (state IN ('issued', 'reserved', 'used')),
            order_id TEXT,
            issued_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            UNIQUE (definition, customer, number),
            CHECK ((state = 'issued') = (order_id IS NULL))
        );
        CREATE INDEX coupons_by_customer ON coupons (customer, id);
        """
    )

    /// A coupon with the rule that its definition has now.
    private static let select = """
        SELECT c.id, definition, customer, state, order_id, issued_at, c.updated_at, \(DefinitionStore.ruleColumns)
        FROM coupons c JOIN coupon_definitions d ON d.id = c.definition
        """

    /// The coupon of that id.
    func find(_ id: String, in transaction: Transaction) throws -> Coupon? {
        try transaction.first("\(Self.select) WHERE c.id = $1", id).map(Self.coupon)
    }

    /// How many of a definition a customer has, used ones included.
    func count(of definition: String, for customer: String, in transaction: Transaction) throws -> Int {
        try transaction.first(
            "SELECT COUNT(*) FROM coupons WHERE definition = $1 AND customer = $2",
            definition,
            customer
        ).map { try $0[0] } ?? 0
    }

    /// Adds a coupon.
    ///
    /// - Parameter number: which of the customer's of this definition it is.
    /// - Throws: `DatabaseError` with code `.constraint(unique: true)` when another process was first.
    func insert(_ coupon: Coupon, number: Int, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO coupons (id, definition, customer, number, state, order_id, issued_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            coupon.id,
            coupon.definition,
            coupon.customer,
            number,
            coupon.state.rawValue,
            coupon.orderID,
            coupon.issuedAt,
            coupon.updatedAt
        )
    }

    /// Writes what a redemption has made of a coupon.
    ///
    /// - Parameter before: where it stood when it was read.
    /// - Throws: `ChangedMeanwhile`.
    func update(_ coupon: Coupon, from before: Coupon.State, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            "UPDATE coupons SET state = $3, order_id = $4, updated_at = $5 WHERE id = $1 AND state = $2",
            coupon.id,
            before.rawValue,
            coupon.state.rawValue,
            coupon.orderID,
            coupon.updatedAt
        )
        guard changed == 1 else { throw ChangedMeanwhile(what: "coupon \(coupon.id)") }
    }

    /// One page of coupons, newest first.
    ///
    /// - Parameters:
    ///   - customer: whose; nil for everybody's.
    ///   - after: the last of the page before; nil for the first page.
    ///   - limit: how many at most.
    func page(customer: String?, after: String?, limit: Int, in transaction: Transaction) throws -> [Coupon] {
        // Above every UUID in text order, so that one statement serves the first page too.
        let bound = after ?? "g"
        let rows =
            if let customer {
                try transaction.query(
                    "\(Self.select) WHERE customer = $1 AND c.id < $2 ORDER BY c.id DESC LIMIT $3",
                    customer,
                    bound,
                    limit
                )
            } else {
                try transaction.query(
                    "\(Self.select) WHERE c.id < $1 ORDER BY c.id DESC LIMIT $2",
                    bound,
                    limit
                )
            }
        return try rows.map(Self.coupon)
    }

    private static func coupon(_ row: Row) throws -> Coupon {
        Coupon(
            id: try row["id"],
            definition: try row["definition"],
            customer: try row["customer"],
            rule: try DefinitionStore.rule(row),
            state: try row.value("state"),
            orderID: try row["order_id"],
            issuedAt: try row["issued_at"],
            updatedAt: try row["updated_at"]
        )
    }
}
