import Database

/// What orders have spent and earned, in the service's database, for ever.
///
/// Every call runs in the caller's transaction.
struct OrderPointsStore: Sendable {
    /// A tombstone has neither customer nor points.
    static let migration = MigrationSet.Migration(
        "spendings and earnings",
        """
        CREATE TABLE spendings (
            order_id TEXT NOT NULL PRIMARY KEY,
            customer TEXT,
            currency TEXT,
            points BIGINT NOT NULL CHECK (points >= 0),
            state TEXT NOT NULL CHECK (state IN ('spent', 'rejected', 'restored', 'ended')),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((customer IS NULL) = (currency IS NULL)),
            CHECK ((state = 'ended') = (points = 0)),
            CHECK (state NOT IN ('spent', 'restored') OR customer IS NOT NULL)
        );
        CREATE TABLE earnings (
            order_id TEXT NOT NULL PRIMARY KEY,
            customer TEXT,
            currency TEXT,
            points BIGINT NOT NULL CHECK (points >= 0),
            state TEXT NOT NULL CHECK (state IN ('earned', 'taken-back', 'ended')),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK ((customer IS NULL) = (currency IS NULL)),
            CHECK ((state = 'ended') = (points = 0)),
            CHECK ((state = 'ended') = (customer IS NULL))
        );
        """
    )

    /// What a partial cancellation has given back and taken back; `reference` is that of its postings.
    static let partMigration = MigrationSet.Migration(
        "partial cancellations",
        """
        CREATE TABLE order_parts (
            reference TEXT NOT NULL PRIMARY KEY,
            order_id TEXT NOT NULL,
            given_back BIGINT NOT NULL CHECK (given_back >= 0),
            taken_back BIGINT NOT NULL CHECK (taken_back >= 0)
        );
        CREATE INDEX order_parts_by_order ON order_parts (order_id);
        """
    )

    // MARK: Partial cancellations

    /// Writes what a partial cancellation has moved.
    func insertPart(
        _ reference: String,
        of orderID: String,
        givenBack: Int64,
        takenBack: Int64,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            "INSERT INTO order_parts (reference, order_id, given_back, taken_back) VALUES ($1, $2, $3, $4)",
            reference,
            orderID,
            givenBack,
            takenBack
        )
    }

    /// The sum of a column over all partial cancellations of the order of a row.
    private static func sum(_ column: String, of table: String) -> String {
        "(SELECT CAST(COALESCE(SUM(p.\(column)), 0) AS BIGINT) FROM order_parts p WHERE p.order_id = \(table).order_id)"
    }

    // MARK: Spendings

    /// What an order has spent.
    func spending(of orderID: String, in transaction: Transaction) throws -> Spending? {
        let givenBack = Self.sum("given_back", of: "spendings")
        return try transaction.first(
            "SELECT spendings.*, \(givenBack) AS given_back FROM spendings WHERE order_id = $1",
            orderID
        ).map { row in
            Spending(
                orderID: orderID,
                account: try Self.account(row),
                points: try row["points"],
                givenBack: try row["given_back"],
                state: try row.value("state"),
                createdAt: try row["created_at"],
                updatedAt: try row["updated_at"]
            )
        }
    }

    /// Adds one.
    func insert(_ spending: Spending, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO spendings (order_id, customer, currency, points, state, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            spending.orderID,
            spending.account?.customer,
            spending.account?.currency,
            spending.points,
            spending.state.rawValue,
            spending.createdAt,
            spending.updatedAt
        )
    }

    /// Writes what a transition has changed.
    ///
    /// - Throws: `ChangedMeanwhile`.
    func update(_ spending: Spending, from before: Spending, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            "UPDATE spendings SET state = $3, updated_at = $4 WHERE order_id = $1 AND state = $2",
            spending.orderID,
            before.state.rawValue,
            spending.state.rawValue,
            spending.updatedAt
        )
        guard changed == 1 else { throw ChangedMeanwhile(id: spending.orderID) }
    }

    // MARK: Earnings

    /// What an order has earned.
    func earning(of orderID: String, in transaction: Transaction) throws -> Earning? {
        let takenBack = Self.sum("taken_back", of: "earnings")
        return try transaction.first(
            "SELECT earnings.*, \(takenBack) AS taken_back FROM earnings WHERE order_id = $1",
            orderID
        ).map { row in
            Earning(
                orderID: orderID,
                account: try Self.account(row),
                points: try row["points"],
                takenBack: try row["taken_back"],
                state: try row.value("state"),
                createdAt: try row["created_at"],
                updatedAt: try row["updated_at"]
            )
        }
    }

    /// Adds one.
    func insert(_ earning: Earning, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO earnings (order_id, customer, currency, points, state, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            """,
            earning.orderID,
            earning.account?.customer,
            earning.account?.currency,
            earning.points,
            earning.state.rawValue,
            earning.createdAt,
            earning.updatedAt
        )
    }

    /// Writes what a transition has changed.
    ///
    /// - Throws: `ChangedMeanwhile`.
    func update(_ earning: Earning, from before: Earning, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            "UPDATE earnings SET state = $3, updated_at = $4 WHERE order_id = $1 AND state = $2",
            earning.orderID,
            before.state.rawValue,
            earning.state.rawValue,
            earning.updatedAt
        )
        guard changed == 1 else { throw ChangedMeanwhile(id: earning.orderID) }
    }

    private static func account(_ row: Row) throws -> PointsAccount? {
        let customer: String? = try row["customer"]
        guard let customer else { return nil }
        return PointsAccount(customer: customer, currency: try row["currency"])
    }
}

/// Someone else changed a row since it was read; the whole transaction has to be done again.
///
/// Cannot happen with one writer, as SQLite has it.
struct ChangedMeanwhile: Error, CustomStringConvertible {
    let id: String
    var description: String { "\(id) was changed meanwhile" }
}
