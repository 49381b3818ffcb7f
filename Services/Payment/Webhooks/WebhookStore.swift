import Database

/// The table of webhooks that have come, by the provider's ids: each counts once.
struct WebhookStore: Sendable {
    /// How long an id is remembered, in milliseconds: the provider gives up after three days.
    private static let memory: Int64 = 30 * 24 * 3_600_000

    static let migrations = [
        MigrationSet.Migration(
            "webhooks",
            "CREATE TABLE payment_webhooks (event_id TEXT PRIMARY KEY NOT NULL, received_at BIGINT NOT NULL)"
        ),
        MigrationSet.Migration(
            "webhooks_by_time",
            "CREATE INDEX payment_webhooks_by_time ON payment_webhooks (received_at)"
        ),
    ]

    /// Remembers a webhook, and forgets old ones.
    /// - Returns: whether it is new.
    func add(_ eventID: String, at now: Int64, in transaction: Transaction) throws -> Bool {
        try transaction.execute("DELETE FROM payment_webhooks WHERE received_at < $1", now - Self.memory)
        return try transaction.execute(
            "INSERT INTO payment_webhooks (event_id, received_at) VALUES ($1, $2) ON CONFLICT (event_id) DO NOTHING",
            eventID,
            now
        ) == 1
    }
}
