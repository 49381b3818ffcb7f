import Database
import ShopEvents

/// The definitions in the service's database, for ever.
///
/// Every call runs in the caller's transaction.
struct DefinitionStore: Sendable {
    /// Times are milliseconds since 1970, amounts minor units; one currency for both amounts.
    static let migration = MigrationSet.Migration(
        "coupon definitions",
        """
        CREATE TABLE coupon_definitions (
            id TEXT NOT NULL PRIMARY KEY,
            percent BIGINT CHECK (percent BETWEEN 1 AND 100),
            amount BIGINT CHECK (amount >= 1),
            minimum BIGINT CHECK (minimum >= 1),
            currency TEXT,
            valid_from BIGINT,
            valid_until BIGINT,
            total_limit BIGINT CHECK (total_limit >= 1),
            customer_limit BIGINT NOT NULL CHECK (customer_limit >= 1),
            issued BIGINT NOT NULL CHECK (issued >= 0),
            created_at BIGINT NOT NULL,
            updated_at BIGINT NOT NULL,
            CHECK (issued <= total_limit),
            CHECK (valid_from < valid_until),
            CHECK ((percent IS NULL) <> (amount IS NULL)),
            CHECK ((currency IS NULL) = (amount IS NULL AND minimum IS NULL))
        );
        """
    )

    /// The columns that a rule is read from.
    static let ruleColumns = "percent, amount, minimum, currency, valid_from, valid_until"

    /// The definition of that name.
    func find(_ id: String, in transaction: Transaction) throws -> CouponDefinition? {
        try transaction.first("SELECT * FROM coupon_definitions WHERE id = $1", id).map(Self.definition)
    }

    /// Adds a definition.
    ///
    /// - Throws: `DatabaseError` with code `.constraint(unique: true)` when another process was first.
    func insert(_ definition: CouponDefinition, in transaction: Transaction) throws {
        let columns = Columns(definition.terms)
        try transaction.execute(
            """
            INSERT INTO coupon_definitions (id, percent, amount, minimum, currency, valid_from, valid_until, total_limit,
                customer_limit, issued, created_at, updated_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            """,
            definition.id,
            columns.percent,
            columns.amount,
            columns.minimum,
            columns.currency,
            columns.validFrom,
            columns.validUntil,
            columns.limit,
            columns.limitPerCustomer,
            definition.issued,
            definition.createdAt,
            definition.updatedAt
        )
    }

    /// Writes the terms.
    ///
    /// - Throws: `DatabaseError`, a constraint, for a limit below what is issued.
    func updateTerms(of definition: CouponDefinition, in transaction: Transaction) throws {
        let columns = Columns(definition.terms)
        try transaction.execute(
            """
            UPDATE coupon_definitions SET percent = $2, amount = $3, minimum = $4, currency = $5, valid_from = $6,
                valid_until = $7, total_limit = $8, customer_limit = $9, updated_at = $10
            WHERE id = $1
            """,
            definition.id,
            columns.percent,
            columns.amount,
            columns.minimum,
            columns.currency,
            columns.validFrom,
            columns.validUntil,
            columns.limit,
            columns.limitPerCustomer,
            definition.updatedAt
        )
    }

    /// Counts one more that is issued.
    ///
    /// - Returns: whether it may be: another process may have taken the last one since the definition was read.
    func countIssued(of id: String, in transaction: Transaction) throws -> Bool {
        try transaction.execute(
            """
            UPDATE coupon_definitions SET issued = issued + 1
            WHERE id = $1 AND (total_limit IS NULL OR issued < total_limit)
            """,
            id
        ) == 1
    }

    /// One page of definitions, by their names.
    ///
    /// - Parameters:
    ///   - after: the last of the page before; empty for the first page.
    ///   - limit: how many at most.
    func page(after: String, limit: Int, in transaction: Transaction) throws -> [CouponDefinition] {
        try transaction.query(
            "SELECT * FROM coupon_definitions WHERE id > $1 ORDER BY id LIMIT $2",
            after,
            limit
        ).map(Self.definition)
    }

    /// The rule in a row that has `ruleColumns`.
    static func rule(_ row: Row) throws -> CouponRule {
        let percent: Int? = try row["percent"]
        let amount: Int64? = try row["amount"]
        let minimum: Int64? = try row["minimum"]
        let currency: String? = try row["currency"]
        let discount: CouponRule.Discount
        switch (percent, amount) {
        case (let percent?, nil): discount = .percent(percent)
        case (nil, let amount?): discount = .amount(Money(amount: amount, currency: currency ?? ""))
        default: throw DatabaseError(code: .conversion, reason: "a definition takes off nothing, or twice")
        }
        return CouponRule(
            discount: discount,
            minimum: minimum.map { Money(amount: $0, currency: currency ?? "") },
            validFrom: try row["valid_from"],
            validUntil: try row["valid_until"]
        )
    }

    private static func definition(_ row: Row) throws -> CouponDefinition {
        CouponDefinition(
            id: try row["id"],
            terms: CouponDefinition.Terms(
                rule: try rule(row),
                limit: try row["total_limit"],
                limitPerCustomer: try row["customer_limit"]
            ),
            issued: try row["issued"],
            createdAt: try row["created_at"],
            updatedAt: try row["updated_at"]
        )
    }

    /// Terms as the table has them.
    private struct Columns {
        let percent: Int?
        let amount: Int64?
        let minimum: Int64?
        let currency: String?
        let validFrom: Int64?
        let validUntil: Int64?
        let limit: Int?
        let limitPerCustomer: Int

        init(_ terms: CouponDefinition.Terms) {
            let rule = terms.rule
            switch rule.discount {
            case .percent(let number):
                percent = number
                amount = nil
                currency = rule.minimum?.currency
            case .amount(let money):
                percent = nil
                amount = money.amount
                currency = money.currency
            }
            minimum = rule.minimum?.amount
            validFrom = rule.validFrom
            validUntil = rule.validUntil
            limit = terms.limit
            limitPerCustomer = terms.limitPerCustomer
        }
    }
}
