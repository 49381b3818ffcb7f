import Database
import ShopEvents

/// The table of disputes.
struct ContestStore: Sendable {
    static let migration = MigrationSet.Migration(
        "disputes",
        """
        CREATE TABLE payment_disputes (
            dispute_id TEXT PRIMARY KEY NOT NULL,
            order_id TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('opened', 'won', 'lost')),
            reason TEXT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            currency TEXT NOT NULL,
            updated_at BIGINT NOT NULL
        )
        """
    )

    /// The dispute of that id.
    func find(_ id: String, in transaction: Transaction) throws -> Contest? {
        let found = try transaction.first("SELECT * FROM payment_disputes WHERE dispute_id = $1", id)
        guard let row = found else { return nil }
        let name: String = try row["state"]
        guard let state = DisputeState(rawValue: name) else {
            throw DatabaseError(code: .conversion, reason: "payment_disputes.state holds no state of a dispute")
        }
        return Contest(
            id: id,
            orderID: try row["order_id"],
            reason: try row["reason"],
            total: Money(amount: try row["amount"], currency: try row["currency"]),
            state: state
        )
    }

    /// Writes a dispute, new or changed.
    func save(_ contest: Contest, at now: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO payment_disputes (dispute_id, order_id, state, reason, amount, currency, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7)
            ON CONFLICT (dispute_id) DO UPDATE SET state = excluded.state, updated_at = excluded.updated_at
            """,
            contest.id,
            contest.orderID,
            contest.state.rawValue,
            contest.reason,
            contest.total.amount,
            contest.total.currency,
            now
        )
    }
}
