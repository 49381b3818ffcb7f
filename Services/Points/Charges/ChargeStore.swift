import Database
import ServiceKit
import ShopEvents

/// The charges of points in the service's database, for ever.
///
/// One that was asked for under an idempotency key keeps the key, the request and the answer, so that it is repeated and not
/// charged again. Every call runs in the caller's transaction.
struct ChargeStore: Sendable {
    static let migration = MigrationSet.Migration(
        "charges",
        """
        CREATE TABLE charges (
            id TEXT NOT NULL PRIMARY KEY,
            customer TEXT NOT NULL,
            amount BIGINT NOT NULL CHECK (amount > 0),
            currency TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('requested', 'bought', 'declined', 'refunded')),
            reason TEXT,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            caller TEXT NOT NULL,
            key TEXT,
            request TEXT,
            answer TEXT,
            UNIQUE (caller, key),
            CHECK ((state = 'declined') = (reason IS NOT NULL)),
            CHECK ((key IS NULL) = (request IS NULL)),
            CHECK ((key IS NULL) = (answer IS NULL))
        );
        """
    )

    /// What was asked for under a key, and what was answered.
    struct Stored: Sendable, Equatable {
        /// The request in canonical form.
        let request: String
        /// The charge that it made.
        let chargeID: String
        /// The answer's body.
        let answer: String
    }

    /// What was answered under a key; nil when it is new.
    func find(_ key: IdempotencyKey, in transaction: Transaction) throws -> Stored? {
        try transaction.first(
            "SELECT id, request, answer FROM charges WHERE caller = $1 AND key = $2",
            key.caller,
            key.text
        ).map { Stored(request: try $0["request"], chargeID: try $0["id"], answer: try $0["answer"]) }
    }

    /// The charge of that id.
    func find(_ id: String, in transaction: Transaction) throws -> Charge? {
        try transaction.first("SELECT * FROM charges WHERE id = $1", id).map { row in
            Charge(
                id: id,
                customer: try row["customer"],
                total: Money(amount: try row["amount"], currency: try row["currency"]),
                state: try row.value("state"),
                reason: try row["reason"],
                createdAt: try row["created_at"],
                updatedAt: try row["updated_at"]
            )
        }
    }

    /// Adds a charge, with the answer to its key where it has one.
    ///
    /// - Throws: `DatabaseError` with code `.constraint(unique: true)` when another process was first under the key.
    func insert(
        _ charge: Charge,
        by caller: String,
        under key: IdempotencyKey?,
        _ stored: Stored,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO charges
                (id, customer, amount, currency, state, reason, created_at, updated_at, caller, key, request, answer)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            charge.id,
            charge.customer,
            charge.total.amount,
            charge.total.currency,
            charge.state.rawValue,
            charge.reason,
            charge.createdAt,
            charge.updatedAt,
            caller,
            key?.text,
            key.map { _ in stored.request },
            key.map { _ in stored.answer }
        )
    }

    /// Writes what a transition has changed.
    ///
    /// - Throws: `ChangedMeanwhile`.
    func update(_ charge: Charge, from before: Charge, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            "UPDATE charges SET state = $3, reason = $4, updated_at = $5 WHERE id = $1 AND state = $2",
            charge.id,
            before.state.rawValue,
            charge.state.rawValue,
            charge.reason,
            charge.updatedAt
        )
        guard changed == 1 else { throw ChangedMeanwhile(id: charge.id) }
    }
}
