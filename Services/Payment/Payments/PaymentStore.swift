import Database
import Messaging
import ShopEvents

/// The table of payments: one row per order or charge of points, for ever.
struct PaymentStore: Sendable {
    /// The table's history.
    static let migrations = MigrationSet(
        "payments",
        [
            MigrationSet.Migration(
                "payments",
                """
                CREATE TABLE payments (
                    order_id TEXT PRIMARY KEY NOT NULL,
                    state TEXT NOT NULL
                        CHECK (state IN ('pending', 'captured', 'declined', 'voided', 'refunding', 'refunded')),
                    amount BIGINT NOT NULL,
                    currency TEXT NOT NULL,
                    payment_method TEXT,
                    charge_key TEXT,
                    charge_key_at BIGINT,
                    payment_id TEXT,
                    refund_key TEXT,
                    refund_id TEXT,
                    decline_reason TEXT,
                    created_at BIGINT NOT NULL,
                    updated_at BIGINT NOT NULL,
                    CHECK ((charge_key IS NULL) = (payment_method IS NULL)),
                    CHECK ((charge_key IS NULL) = (charge_key_at IS NULL)),
                    CHECK (state IN ('pending', 'declined', 'voided') OR payment_id IS NOT NULL),
                    CHECK (state NOT IN ('refunding', 'refunded') OR refund_key IS NOT NULL),
                    CHECK (state <> 'refunded' OR refund_id IS NOT NULL)
                )
                """
            ),
            MigrationSet.Migration(
                "payments_by_payment_id",
                "CREATE INDEX payments_by_payment_id ON payments (payment_id)"
            ),
            MigrationSet.Migration(
                "payments_purpose",
                // No CHECK: SQLite would look through all rows for it, which the connection does not let it.
                "ALTER TABLE payments ADD COLUMN purpose TEXT NOT NULL DEFAULT 'order'"
            ),
        ] + WebhookStore.migrations + [ContestStore.migration] + PaymentLedger.migrations
            + [PartRefundStore.migration]
    )

    /// The payment of an order, if there is one.
    func find(_ orderID: String, in transaction: Transaction) throws -> Payment? {
        try transaction.first("SELECT * FROM payments WHERE order_id = $1", orderID).map(payment)
    }

    /// The payment whose charge the provider knows by that id, if there is one.
    func find(paymentID: String, in transaction: Transaction) throws -> Payment? {
        try transaction.first("SELECT * FROM payments WHERE payment_id = $1", paymentID).map(payment)
    }

    private func payment(of row: Row) throws -> Payment {
        let (state, purpose): (String, String) = (try row["state"], try row["purpose"])
        guard let state = Payment.State(rawValue: state), let purpose = Payment.Purpose(rawValue: purpose) else {
            throw DatabaseError(code: .conversion, reason: "payments holds no state or no purpose of a payment")
        }
        return Payment(
            orderID: try row["order_id"],
            purpose: purpose,
            total: Money(amount: try row["amount"], currency: try row["currency"]),
            charge: try charge(of: row),
            state: state,
            paymentID: try row["payment_id"],
            refundKey: try row["refund_key"],
            refundID: try row["refund_id"],
            declineReason: try row["decline_reason"],
            createdAt: try row["created_at"],
            updatedAt: try row["updated_at"]
        )
    }

    /// Adds a payment.
    /// - Throws: `DatabaseError` with a unique violation when the order has one already.
    func insert(_ payment: Payment, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO payments (order_id, state, amount, currency, payment_method, charge_key, charge_key_at,
                payment_id, refund_key, refund_id, decline_reason, created_at, updated_at, purpose)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            """,
            payment.orderID,
            payment.state.rawValue,
            payment.total.amount,
            payment.total.currency,
            payment.charge?.paymentMethod,
            payment.charge?.key,
            payment.charge?.keyAt,
            payment.paymentID,
            payment.refundKey,
            payment.refundID,
            payment.declineReason,
            payment.createdAt,
            payment.updatedAt,
            payment.purpose.rawValue
        )
    }

    /// Writes what changes in a payment's life; order, total and charge stay as they were inserted.
    /// - Parameter before: the state that the payment was read in; when it is another one by now, somebody else was
    ///   quicker, and nothing is written.
    func update(_ payment: Payment, from before: Payment.State, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE payments
            SET state = $3, payment_id = $4, refund_key = $5, refund_id = $6, decline_reason = $7, updated_at = $8
            WHERE order_id = $1 AND state = $2
            """,
            payment.orderID,
            before.rawValue,
            payment.state.rawValue,
            payment.paymentID,
            payment.refundKey,
            payment.refundID,
            payment.declineReason,
            payment.updatedAt
        )
        guard changed == 1 else { throw HandlerError.changedMeanwhile }
    }

    private func charge(of row: Row) throws -> Payment.Charge? {
        guard let key: String = try row["charge_key"] else { return nil }
        return Payment.Charge(paymentMethod: try row["payment_method"], key: key, keyAt: try row["charge_key_at"])
    }
}

extension HandlerError {
    /// Two deliveries worked on one payment: the later one begins again with what it finds.
    static let changedMeanwhile = HandlerError.transient(
        "payment.changed-meanwhile",
        "the payment changed while the provider was asked"
    )
}
