import Database
import JSON

/// The reservations in the service's database, for ever, and the line of those that wait.
///
/// Every call runs in the caller's transaction.
struct ReservationStore: Sendable {
    /// Orders and clients have their ids each for themselves: no client can take an order's.
    ///
    /// `number` grows: the oldest is the lowest. `waiting_lines` has the lines of those that wait, and no others.
    static let migration = MigrationSet.Migration(
        "reservations",
        """
        CREATE TABLE reservations (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            owner TEXT NOT NULL CHECK (owner IN ('order', 'client')),
            id TEXT NOT NULL,
            state TEXT NOT NULL
                CHECK (state IN ('waiting', 'held', 'confirmed', 'released', 'expired', 'rejected')),
            reason TEXT,
            lines TEXT NOT NULL,
            expires_at BIGINT NOT NULL,
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            UNIQUE (owner, id)
        );
        CREATE TABLE waiting_lines (
            sku TEXT NOT NULL,
            number BIGINT NOT NULL REFERENCES reservations (number),
            quantity BIGINT NOT NULL,
            PRIMARY KEY (sku, number)
        );
        CREATE INDEX waiting_lines_by_reservation ON waiting_lines (number);
        """
    )

    /// A reservation and its place in the order of all.
    struct Stored: Sendable, Equatable {
        let number: Int64
        let reservation: Reservation
    }

    /// The reservation of that owner and id.
    func find(_ id: String, of owner: Reservation.Owner, in transaction: Transaction) throws -> Stored? {
        try transaction.first(
            "SELECT * FROM reservations WHERE owner = $1 AND id = $2",
            owner.rawValue,
            id
        ).map(Self.stored)
    }

    /// The reservation of that id, whosever it is; an order's before a client's.
    func find(_ id: String, in transaction: Transaction) throws -> Stored? {
        try find(id, of: .order, in: transaction) ?? find(id, of: .client, in: transaction)
    }

    /// Adds a reservation.
    func insert(_ reservation: Reservation, in transaction: Transaction) throws {
        let number = try transaction.insert(
            """
            INSERT INTO reservations (owner, id, state, reason, lines, expires_at, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            key: "number",
            reservation.owner.rawValue,
            reservation.id,
            reservation.state.rawValue,
            reservation.reason?.rawValue,
            try Self.text(of: reservation.lines),
            reservation.expiresAt,
            reservation.createdAt,
            reservation.updatedAt
        )
        guard reservation.state == .waiting else { return }
        for line in reservation.lines {
            try transaction.execute(
                "INSERT INTO waiting_lines (sku, number, quantity) VALUES ($1, $2, $3)",
                line.sku,
                number,
                line.quantity
            )
        }
    }

    /// Writes what a transition has changed.
    ///
    /// - Parameter before: as it was read.
    /// - Throws: `ChangedMeanwhile`.
    func update(_ reservation: Reservation, from before: Stored, in transaction: Transaction) throws {
        let changed = try transaction.execute(
            """
            UPDATE reservations SET state = $3, reason = $4, expires_at = $5, updated_at = $6,
                lines = COALESCE($7, lines)
            WHERE number = $1 AND state = $2
            """,
            before.number,
            before.reservation.state.rawValue,
            reservation.state.rawValue,
            reservation.reason?.rawValue,
            reservation.expiresAt,
            reservation.updatedAt,
            // They change where some of them are cancelled, and nowhere else.
            reservation.lines == before.reservation.lines ? nil : try Self.text(of: reservation.lines)
        )
        guard changed == 1 else { throw ChangedMeanwhile(id: reservation.id) }
        if before.reservation.state == .waiting, reservation.state != .waiting {
            try transaction.execute("DELETE FROM waiting_lines WHERE number = $1", before.number)
        }
    }

    /// The oldest that waits for a product, wants no more of it than that, and is younger than the one of that number.
    func firstWaiting(
        for sku: String,
        atMost quantity: Int,
        after number: Int64,
        in transaction: Transaction
    ) throws -> Stored? {
        try transaction.first(
            """
            SELECT * FROM reservations WHERE number = (
                SELECT number FROM waiting_lines WHERE sku = $1 AND number > $2 AND quantity <= $3
                ORDER BY number LIMIT 1)
            """,
            sku,
            number,
            quantity
        ).map(Self.stored)
    }

    /// The oldest that waits for a product and wants more of it than that.
    func firstWaiting(for sku: String, moreThan quantity: Int, in transaction: Transaction) throws -> Stored? {
        try transaction.first(
            """
            SELECT * FROM reservations WHERE number = (
                SELECT number FROM waiting_lines WHERE sku = $1 AND quantity > $2 ORDER BY number LIMIT 1)
            """,
            sku,
            quantity
        ).map(Self.stored)
    }

    /// Someone else changed the reservation since it was read; the whole transaction has to be done again.
    ///
    /// Cannot happen with one writer, as SQLite has it.
    struct ChangedMeanwhile: Error, CustomStringConvertible {
        let id: String
        var description: String { "reservation \(id) was changed meanwhile" }
    }

    private static func text(of lines: [Reservation.Line]) throws -> String {
        String(decoding: try StrictJSON.encode(lines), as: UTF8.self)
    }

    private static func stored(_ row: Row) throws -> Stored {
        let lines: String = try row["lines"]
        let reason: String? = try row["reason"]
        return Stored(
            number: try row["number"],
            reservation: Reservation(
                id: try row["id"],
                owner: try row.value("owner"),
                lines: try StrictJSON.decode([Reservation.Line].self, from: Array(lines.utf8)),
                state: try row.value("state"),
                reason: try reason.map { _ in try row.value("reason") },
                expiresAt: try row["expires_at"],
                createdAt: try row["created_at"],
                updatedAt: try row["updated_at"]
            )
        )
    }
}
