import Database
import ServiceKit

/// The movements of stock: what came in and went out, one row each, for ever.
///
/// What lies there of a product is the sum of its movements. One that was asked for under an idempotency key keeps the key, the
/// request and the answer, so that it is repeated and not moved again.
struct StockMovements: Sendable {
    static let migration = MigrationSet.Migration(
        "stock movements",
        """
        CREATE TABLE stock_movements (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            sku TEXT NOT NULL REFERENCES products (sku),
            at BIGINT NOT NULL,
            change BIGINT NOT NULL CHECK (change <> 0),
            kind TEXT NOT NULL CHECK (kind IN ('adjusted', 'confirmed', 'returned')),
            reference TEXT,
            caller TEXT,
            key TEXT,
            request TEXT,
            answer TEXT,
            UNIQUE (caller, key),
            CHECK ((key IS NULL) = (request IS NULL)),
            CHECK ((key IS NULL) = (answer IS NULL))
        );
        CREATE INDEX stock_movements_by_product ON stock_movements (sku, number);
        """
    )

    /// Why pieces came in or went out.
    enum Kind: String, Sendable {
        /// Somebody said so: goods came in, were lost or counted. The reference is the reason, where one was given.
        case adjusted
        /// They left for a reservation that was confirmed, which is the reference.
        case confirmed
        /// They came back from a reservation that had been confirmed, which is the reference.
        case returned
    }

    /// What was asked for under a key, and what was answered.
    struct Stored: Sendable, Equatable {
        /// The request in canonical form.
        let request: String
        /// The answer's body.
        let answer: String
    }

    /// What was answered under a key; nil when it is new.
    func find(_ key: IdempotencyKey, in transaction: Transaction) throws -> Stored? {
        try transaction.first(
            "SELECT request, answer FROM stock_movements WHERE caller = $1 AND key = $2",
            key.caller,
            key.text
        ).map { Stored(request: try $0["request"], answer: try $0["answer"]) }
    }

    /// Writes a movement that a reservation makes.
    func append(
        _ kind: Kind,
        of change: Int,
        _ sku: String,
        reference: String,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            "INSERT INTO stock_movements (sku, at, change, kind, reference) VALUES ($1, $2, $3, $4, $5)",
            sku,
            now,
            change,
            kind.rawValue,
            reference
        )
    }

    /// Writes an adjustment, with the answer to its key where it has one.
    ///
    /// - Throws: `DatabaseError` with code `.constraint(unique: true)` when another process was first under the key.
    func appendAdjustment(
        of change: Int,
        _ sku: String,
        reason: String?,
        caller: String,
        key: IdempotencyKey?,
        stored: Stored?,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        try transaction.execute(
            """
            INSERT INTO stock_movements (sku, at, change, kind, reference, caller, key, request, answer)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            """,
            sku,
            now,
            change,
            Kind.adjusted.rawValue,
            reason,
            caller,
            key?.text,
            key.flatMap { _ in stored?.request },
            key.flatMap { _ in stored?.answer }
        )
    }
}
