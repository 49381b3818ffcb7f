import Database
import ShopEvents

/// The redemptions in the service's database, for ever, and the line of those that wait.
///
/// Every call runs in the caller's transaction.
struct RedemptionStore: Sendable {
    /// No two orders have one coupon, whatever the code does: the unique index refuses it.
    ///
    /// `number` grows: the oldest is the lowest. A tombstone has no coupon and no total.
    static let migration = MigrationSet.Migration(
        "redemptions",
        """
        CREATE TABLE redemptions (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            order_id TEXT NOT NULL UNIQUE,
            coupon TEXT,
            customer TEXT,
            total BIGINT,
            currency TEXT,
            state TEXT NOT NULL
                CHECK (state IN ('waiting', 'held', 'confirmed', 'released', 'expired', 'rejected')),
            reason TEXT,
            discount BIGINT CHECK (discount >= 1 AND discount <= total),
            expires_at BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((coupon IS NULL) = (total IS NULL)),
            CHECK ((coupon IS NULL) = (currency IS NULL)),
            CHECK (coupon IS NOT NULL OR state = 'released'),
            CHECK (discount IS NOT NULL OR state NOT IN ('held', 'confirmed', 'expired'))
        );
        CREATE UNIQUE INDEX redemptions_that_have_a_coupon ON redemptions (coupon) WHERE state IN ('held', 'confirmed');
        CREATE INDEX redemptions_that_wait ON redemptions (coupon, number) WHERE state = 'waiting';
        """
    )

    /// The redemption of an order.
    func find(_ orderID: String, in transaction: Transaction) throws -> Redemption? {
        try transaction.first("SELECT * FROM redemptions WHERE order_id = $1", orderID).map(Self.redemption)
    }

    /// Adds a redemption.
    func insert(_ redemption: Redemption, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO redemptions (order_id, coupon, customer, total, currency, state, reason, discount, expires_at,
                created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            """,
            redemption.orderID,
            redemption.wish?.coupon,
            redemption.wish?.customer,
            redemption.wish?.total.amount,
            redemption.wish?.total.currency,
            redemption.state.rawValue,
            redemption.reason?.rawValue,
            redemption.discount?.amount,
            redemption.expiresAt,
            redemption.createdAt,
            redemption.updatedAt
        )
    }

    /// Writes what a transition has changed.
    ///
    /// - Parameter before: where it stood when it was read.
    /// - Throws: `ChangedMeanwhile`; `DatabaseError`, a constraint, where another order has the coupon.
    func update(_ redemption: Redemption, from before: Redemption.State, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE redemptions SET state = $3, reason = $4, discount = $5, expires_at = $6, updated_at = $7
            WHERE order_id = $1 AND state = $2
            """,
            redemption.orderID,
            before.rawValue,
            redemption.state.rawValue,
            redemption.reason?.rawValue,
            redemption.discount?.amount,
            redemption.expiresAt,
            redemption.updatedAt
        )
        guard changed == 1 else { throw ChangedMeanwhile(what: "the redemption of order \(redemption.orderID)") }
    }

    /// The oldest that waits for a coupon.
    func firstWaiting(for coupon: String, in transaction: Transaction) throws -> Redemption? {
        try transaction.first(
            "SELECT * FROM redemptions WHERE coupon = $1 AND state = 'waiting' ORDER BY number LIMIT 1",
            coupon
        ).map(Self.redemption)
    }

    private static func redemption(_ row: Row) throws -> Redemption {
        let reason: String? = try row["reason"]
        let coupon: String? = try row["coupon"]
        let discount: Int64? = try row["discount"]
        let wish = try coupon.map { coupon in
            Redemption.Wish(
                coupon: coupon,
                customer: try row["customer"],
                total: Money(amount: try row["total"], currency: try row["currency"])
            )
        }
        return Redemption(
            orderID: try row["order_id"],
            wish: wish,
            state: try row.value("state"),
            reason: try reason.map { _ in try row.value("reason") },
            discount: discount.flatMap { discount in
                wish.map { Money(amount: discount, currency: $0.total.currency) }
            },
            expiresAt: try row["expires_at"],
            createdAt: try row["created_at"],
            updatedAt: try row["updated_at"]
        )
    }
}
