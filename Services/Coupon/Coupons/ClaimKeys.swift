import Database
import ServiceKit

/// The keys that coupons were claimed under, kept as long as the coupons: for ever.
///
/// A key is written in the transaction of its claim, so it is there if and only if the coupon is.
struct ClaimKeys: Sendable {
    static let migration = MigrationSet.Migration(
        "claim keys",
        """
        CREATE TABLE claim_keys (
            caller TEXT NOT NULL,
            key TEXT NOT NULL,
            request TEXT NOT NULL,
            coupon TEXT NOT NULL REFERENCES coupons (id),
            answer TEXT NOT NULL,
            PRIMARY KEY (caller, key)
        );
        """
    )

    /// What was asked for under a key, and what was answered.
    struct Stored: Sendable, Equatable {
        /// The request in canonical form.
        let request: String
        let coupon: String
        /// The answer's body.
        let answer: String
    }

    /// What was answered under a key; nil when it is new.
    func find(_ key: IdempotencyKey, in transaction: Transaction) throws -> Stored? {
        try transaction.first(
            "SELECT request, coupon, answer FROM claim_keys WHERE caller = $1 AND key = $2",
            key.caller,
            key.text
        ).map { Stored(request: try $0["request"], coupon: try $0["coupon"], answer: try $0["answer"]) }
    }

    /// Remembers an answer.
    ///
    /// - Throws: `DatabaseError` with code `.constraint(unique: true)` when another process was first.
    func remember(_ stored: Stored, under key: IdempotencyKey, in transaction: Transaction) throws {
        try transaction.execute(
            "INSERT INTO claim_keys (caller, key, request, coupon, answer) VALUES ($1, $2, $3, $4, $5)",
            key.caller,
            key.text,
            stored.request,
            stored.coupon,
            stored.answer
        )
    }
}
