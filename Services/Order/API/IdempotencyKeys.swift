import Database
import HTTP
import ServiceKit
import Synchronization

/// The answers that were given under idempotency keys.
///
/// A key, its request and its answer are stored in the transaction that did the work, so a key is there if and only if
/// the work is.
final class IdempotencyKeys: Sendable {
    static let migration = MigrationSet.Migration(
        "idempotency keys",
        """
        CREATE TABLE idempotency_keys (
            key TEXT NOT NULL PRIMARY KEY,
            request TEXT NOT NULL,
            location TEXT NOT NULL,
            answer TEXT NOT NULL,
            created_at BIGINT NOT NULL
        );
        CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
        """
    )

    /// Keys had no caller before; those were loopback's.
    static let callerMigration = MigrationSet.Migration(
        "idempotency keys by caller",
        """
        CREATE TABLE idempotency_keys_by_caller (
            caller TEXT NOT NULL,
            key TEXT NOT NULL,
            request TEXT NOT NULL,
            location TEXT NOT NULL,
            answer TEXT NOT NULL,
            created_at BIGINT NOT NULL,
            PRIMARY KEY (caller, key)
        );
        INSERT INTO idempotency_keys_by_caller (caller, key, request, location, answer, created_at)
            SELECT 'local', key, request, location, answer, created_at FROM idempotency_keys;
        DROP TABLE idempotency_keys;
        CREATE INDEX idempotency_keys_by_age ON idempotency_keys_by_caller (created_at);
        """
    )

    /// How long a key is kept, in milliseconds: 24 hours.
    static let retention: Int64 = 24 * 60 * 60 * 1000
    /// How many old keys one new key takes along at most.
    static let purgedAtOnce = 10

    /// What was answered under a key.
    struct Stored: Sendable, Equatable {
        /// The request in canonical form.
        let request: String
        let location: String
        /// The answer's body.
        let answer: String
    }

    private let running = Mutex<Set<IdempotencyKey>>([])

    /// Runs `body` while nobody else in this process works under the same key.
    ///
    /// - Throws: a `Problem` (409) when somebody does, and what `body` throws.
    func holding<Result>(_ key: IdempotencyKey, _ body: () async throws -> Result) async throws -> Result {
        guard running.withLock({ $0.insert(key).inserted }) else {
            throw Problem(
                .idempotencyKeyInUse,
                detail: "Repeat the request in a moment.",
                headers: ["Retry-After": "1"]
            )
        }
        defer { _ = running.withLock { $0.remove(key) } }
        return try await body()
    }

    /// What was answered under a key; nil when it is new or older than the retention.
    func find(_ key: IdempotencyKey, now: Int64, in transaction: Transaction) throws -> Stored? {
        guard
            let row = try transaction.first(
                """
                SELECT request, location, answer FROM idempotency_keys_by_caller
                WHERE caller = $1 AND key = $2 AND created_at >= $3
                """,
                key.caller,
                key.text,
                now - IdempotencyKeys.retention
            )
        else { return nil }
        return Stored(request: try row["request"], location: try row["location"], answer: try row["answer"])
    }

    /// Remembers an answer, and forgets some that are past the retention.
    ///
    /// - Throws: `DatabaseError` with code `.constraint(unique: true)` when another process was first.
    func remember(_ stored: Stored, under key: IdempotencyKey, now: Int64, in transaction: Transaction) throws {
        let oldest = now - IdempotencyKeys.retention
        try transaction.execute(
            "DELETE FROM idempotency_keys_by_caller WHERE caller = $1 AND key = $2 AND created_at < $3",
            key.caller,
            key.text,
            oldest
        )
        try transaction.execute(
            """
            DELETE FROM idempotency_keys_by_caller WHERE (caller, key) IN
                (SELECT caller, key FROM idempotency_keys_by_caller WHERE created_at < $1 ORDER BY created_at LIMIT $2)
            """,
            oldest,
            IdempotencyKeys.purgedAtOnce
        )
        try transaction.execute(
            """
            INSERT INTO idempotency_keys_by_caller (caller, key, request, location, answer, created_at)
            VALUES ($1, $2, $3, $4, $5, $6)
            """,
            key.caller,
            key.text,
            stored.request,
            stored.location,
            stored.answer,
            now
        )
    }
}
