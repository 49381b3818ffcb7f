import Database

/// Which mails went out.
///
/// Holds no address and no text: the order knows its customer.
struct MailStore: Sendable {
    /// The service's own table; `at` is milliseconds since 1970.
    static let migrations = MigrationSet(
        "notification",
        [
            .init(
                "mails",
                """
                CREATE TABLE mails (
                    message_id TEXT NOT NULL PRIMARY KEY,
                    order_id TEXT NOT NULL,
                    kind TEXT NOT NULL,
                    at BIGINT NOT NULL
                );
                CREATE INDEX mails_by_order ON mails (order_id, at);
                """
            )
        ]
    )

    /// Notes a mail that the server has taken; the same mail again changes nothing.
    func record(messageID: String, orderID: String, kind: String, at: Int64, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO mails (message_id, order_id, kind, at) VALUES ($1, $2, $3, $4)
            ON CONFLICT (message_id) DO NOTHING
            """,
            messageID,
            orderID,
            kind,
            at
        )
    }
}
