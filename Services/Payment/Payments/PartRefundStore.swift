import Database
import Messaging
import ShopEvents

/// The table of refunds for partial cancellations: one row each, for ever.
struct PartRefundStore: Sendable {
    static let migration = MigrationSet.Migration(
        "part_refunds",
        """
        CREATE TABLE part_refunds (
            order_id TEXT NOT NULL,
            number BIGINT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('requested', 'pending', 'refunded')),
            amount BIGINT NOT NULL CHECK (amount > 0),
            currency TEXT NOT NULL,
            refund_id TEXT,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            PRIMARY KEY (order_id, number),
            CHECK (state = 'requested' OR refund_id IS NOT NULL)
        )
        """
    )

    /// All of an order's, by number.
    func all(of orderID: String, in transaction: Transaction) throws -> [PartRefund] {
        try transaction.query("SELECT * FROM part_refunds WHERE order_id = $1 ORDER BY number", orderID).map(part)
    }

    /// The one of that number.
    func find(_ orderID: String, _ number: Int, in transaction: Transaction) throws -> PartRefund? {
        try transaction.first(
            "SELECT * FROM part_refunds WHERE order_id = $1 AND number = $2",
            orderID,
            number
        ).map(part)
    }

    /// Adds one.
    func insert(_ part: PartRefund, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO part_refunds (order_id, number, state, amount, currency, refund_id, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            part.orderID,
            part.number,
            part.state.rawValue,
            part.money.amount,
            part.money.currency,
            part.refundID,
            part.createdAt,
            part.updatedAt
        )
    }

    /// Writes what changes in its life.
    /// - Parameter before: the state that it was read in; when it is another one by now, somebody else was quicker.
    func update(_ part: PartRefund, from before: PartRefund.State, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE part_refunds SET state = $4, refund_id = $5, updated_at = $6
            WHERE order_id = $1 AND number = $2 AND state = $3
            """,
            part.orderID,
            part.number,
            before.rawValue,
            part.state.rawValue,
            part.refundID,
            part.updatedAt
        )
        guard changed == 1 else { throw HandlerError.changedMeanwhile }
    }

    private func part(of row: Row) throws -> PartRefund {
        let name: String = try row["state"]
        guard let state = PartRefund.State(rawValue: name) else {
            throw DatabaseError(code: .conversion, reason: "part_refunds holds no state of a refund")
        }
        return PartRefund(
            orderID: try row["order_id"],
            number: try row["number"],
            money: Money(amount: try row["amount"], currency: try row["currency"]),
            state: state,
            refundID: try row["refund_id"],
            createdAt: try row["created_at"],
            updatedAt: try row["updated_at"]
        )
    }
}
