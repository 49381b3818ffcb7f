import Database
import HTTP
import Synchronization

/// The client's key that makes its `POST` repeatable.
///
/// It belongs to its caller: the same text of another caller is another key.
struct IdempotencyKey: Sendable, Hashable {
    /// The name of the header field.
    static let header = "Idempotency-Key"

    /// The key without its quotes.
    let text: String
    /// Whose it is (`Caller.text`).
    let caller: String

    /// Reads the header's value: a quoted structured string, as the IETF draft has it, or the bare key, as Stripe has
    /// it.
    ///
    /// Both forms of one key are the same key.
    ///
    /// - Throws: a `Problem` (422) that says what is wrong.
    init(_ value: String, of caller: String) throws {
        let trimmed = value.utf8.drop { $0 == 0x20 || $0 == 0x09 }
        var bytes = Array(trimmed)
        while let last = bytes.last, last == 0x20 || last == 0x09 { bytes.removeLast() }
        let key = bytes.first == UInt8(ascii: "\"") ? IdempotencyKey.unquoted(bytes) : IdempotencyKey.bare(bytes)
        guard let key, (1...255).contains(key.count) else {
            throw IdempotencyKey.invalid("must be 1 to 255 printable ASCII characters, bare or as a quoted string")
        }
        text = String(decoding: key, as: UTF8.self)
        self.caller = caller
    }

    /// The key of a request; nil when it has none.
    ///
    /// - Throws: a `Problem` (422) when it is not valid or not the only one.
    static func of(_ request: HTTPRequest, by caller: Caller) throws -> IdempotencyKey? {
        let values = request.headers.values(header)
        guard values.count <= 1 else { throw invalid("must be there once") }
        return try values.first.map { try IdempotencyKey($0, of: caller.text) }
    }

    private static func invalid(_ detail: String) -> Problem {
        .invalidRequest([Problem.Fault(field: header, detail: detail)])
    }

    private static func bare(_ bytes: [UInt8]) -> [UInt8]? {
        bytes.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") } ? bytes : nil
    }

    /// RFC 8941, section 3.3.3.
    private static func unquoted(_ bytes: [UInt8]) -> [UInt8]? {
        var key: [UInt8] = []
        var rest = bytes.dropFirst()
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\""): return rest.isEmpty ? key : nil
            case UInt8(ascii: "\\"):
                guard let escaped = rest.popFirst(), escaped == UInt8(ascii: "\"") || escaped == UInt8(ascii: "\\")
                else { return nil }
                key.append(escaped)
            case 0x20...0x7E: key.append(byte)
            default: return nil
            }
        }
        return nil
    }
}

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
