import Database

/// The ledger in the service's database: every posting with its entries, for ever, and what each customer has.
///
/// Nothing is ever changed in it but the balances, which are the sums of their entries. Every call runs in the caller's
/// transaction.
struct Ledger: Sendable {
    /// Times are milliseconds since 1970, points minor units of the currency.
    ///
    /// Of one order, or charge, each kind of posting is there once at most. `balance` is what the customer has afterwards.
    static let migration = MigrationSet.Migration(
        "ledger",
        """
        CREATE TABLE balances (
            customer TEXT NOT NULL,
            currency TEXT NOT NULL,
            points BIGINT NOT NULL CHECK (points >= 0),
            updated_at BIGINT NOT NULL,
            PRIMARY KEY (customer, currency)
        );
        CREATE TABLE postings (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL
                CHECK (kind IN ('bought', 'refunded', 'spent', 'restored', 'earned', 'taken-back')),
            reference TEXT NOT NULL,
            at BIGINT NOT NULL,
            UNIQUE (kind, reference)
        );
        CREATE TABLE entries (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            posting BIGINT NOT NULL REFERENCES postings (number),
            book TEXT NOT NULL CHECK (book IN ('customer', 'sold', 'earned', 'spent', 'written-off')),
            customer TEXT,
            currency TEXT NOT NULL,
            points BIGINT NOT NULL CHECK (points <> 0),
            balance BIGINT CHECK (balance >= 0),
            UNIQUE (posting, book),
            CHECK ((book = 'customer') = (customer IS NOT NULL)),
            CHECK ((book = 'customer') = (balance IS NOT NULL))
        );
        CREATE INDEX entries_by_customer ON entries (customer, currency, number);
        """
    )

    /// What a customer has of one currency.
    struct Balance: Sendable, Equatable {
        let currency: String
        let points: Int64
        /// Milliseconds since 1970.
        let updatedAt: Int64
    }

    /// An entry in a customer's own book.
    struct Line: Sendable, Equatable {
        let number: Int64
        let kind: Posting.Kind
        let reference: String
        let currency: String
        let points: Int64
        /// What the customer had afterwards.
        let balance: Int64
        /// Milliseconds since 1970.
        let at: Int64
    }

    // MARK: Reading

    /// What an account has.
    func balance(of account: PointsAccount, in transaction: Transaction) throws -> Int64 {
        try transaction.first(
            "SELECT points FROM balances WHERE customer = $1 AND currency = $2",
            account.customer,
            account.currency
        ).map { try $0["points"] } ?? 0
    }

    /// What a customer has, by currency.
    func balances(of customer: String, in transaction: Transaction) throws -> [Balance] {
        try transaction.query(
            "SELECT currency, points, updated_at FROM balances WHERE customer = $1 ORDER BY currency",
            customer
        ).map { Balance(currency: try $0["currency"], points: try $0["points"], updatedAt: try $0["updated_at"]) }
    }

    /// One page of a customer's entries, newest first.
    ///
    /// - Parameters:
    ///   - currency: nil for all of them.
    ///   - before: the number of the last entry of the page before.
    func page(
        of customer: String,
        currency: String?,
        before: Int64,
        limit: Int,
        in transaction: Transaction
    ) throws -> [Line] {
        var conditions = ["e.customer = $1", "e.number < $2"]
        var arguments: [(any DatabaseConvertible)?] = [customer, before, limit]
        if let currency {
            conditions.append("e.currency = $4")
            arguments.append(currency)
        }
        return try transaction.query(
            """
            SELECT e.number, p.kind, p.reference, e.currency, e.points, e.balance, p.at
            FROM entries e JOIN postings p ON p.number = e.posting
            WHERE \(conditions.joined(separator: " AND ")) ORDER BY e.number DESC LIMIT $3
            """,
            arguments: arguments
        ).map { row in
            Line(
                number: try row["number"],
                kind: try row.value("kind"),
                reference: try row["reference"],
                currency: try row["currency"],
                points: try row["points"],
                balance: try row["balance"],
                at: try row["at"]
            )
        }
    }

    // MARK: Writing

    /// Writes a posting: its entries, and what the customer has afterwards.
    ///
    /// - Throws: `DatabaseError`, a constraint, where it was written before or the customer had less than is taken; `Overflow`;
    ///   `ChangedMeanwhile`.
    func write(_ posting: Posting, at now: Int64, in transaction: Transaction) throws {
        let number = try transaction.insert(
            "INSERT INTO postings (kind, reference, at) VALUES ($1, $2, $3)",
            key: "number",
            posting.kind.rawValue,
            posting.reference,
            now
        )
        let account = posting.account
        let before = try balance(of: account, in: transaction)
        let (after, isTooMuch) = before.addingReportingOverflow(posting.change)
        guard !isTooMuch else { throw Overflow(reference: posting.reference) }
        for entry in posting.entries {
            let isCustomers = entry.book == .customer
            try transaction.execute(
                """
                INSERT INTO entries (posting, book, customer, currency, points, balance)
                VALUES ($1, $2, $3, $4, $5, $6)
                """,
                number,
                entry.book.rawValue,
                isCustomers ? account.customer : nil,
                account.currency,
                entry.points,
                isCustomers ? after : nil
            )
        }
        guard posting.change != 0 else { return }
        try move(account, from: before, to: after, at: now, in: transaction)
    }

    private func move(
        _ account: PointsAccount,
        from before: Int64,
        to after: Int64,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        var changed = try transaction.execute(
            "UPDATE balances SET points = $4, updated_at = $5 WHERE customer = $1 AND currency = $2 AND points = $3",
            account.customer,
            account.currency,
            before,
            after,
            now
        )
        if changed == 0, before == 0 {
            // The first points of an account.
            changed = try transaction.execute(
                """
                INSERT INTO balances (customer, currency, points, updated_at) VALUES ($1, $2, $3, $4)
                ON CONFLICT DO NOTHING
                """,
                account.customer,
                account.currency,
                after,
                now
            )
        }
        guard changed == 1 else { throw ChangedMeanwhile(id: "the balance in \(account.currency)") }
    }

    /// More points than can be counted.
    struct Overflow: Error, CustomStringConvertible {
        let reference: String
        var description: String { "an account would have more points than can be counted, by \(reference)" }
    }
}

extension Row {
    /// A column that holds one of an enumeration's names.
    func value<Value: RawRepresentable<String>>(_ column: String) throws -> Value {
        let text: String = try self[column]
        guard let value = Value(rawValue: text) else {
            throw DatabaseError(code: .conversion, reason: "column \(column) holds an unknown name")
        }
        return value
    }
}
