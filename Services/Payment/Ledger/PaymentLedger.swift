import Database
import ShopEvents

/// Payment's books, by double entry in minor units: each posting takes from one account what it gives to another.
///
/// A posting is one row with both of its sides, so that books that do not balance cannot be written. It is posted once, under the
/// provider's id of what moved the money, in the transaction that takes the provider's word.
///
/// | kind | debit | credit |
/// | --- | --- | --- |
/// | `charge` | provider | sales, or points |
/// | `refund` | sales, or points | provider |
/// | `refund-failed` | provider | sales, or points |
/// | `dispute` | disputed | provider |
/// | `dispute-won` | provider | disputed |
/// | `dispute-lost` | sales, or points | disputed |
struct PaymentLedger: Sendable {
    /// What a posting is of.
    enum Kind: String, Sendable, CaseIterable {
        case charge
        case refund
        /// A refund that had succeeded came back.
        case refundFailed = "refund-failed"
        case dispute
        case disputeWon = "dispute-won"
        case disputeLost = "dispute-lost"

        /// From where to where.
        func accounts(_ purpose: Payment.Purpose) -> (debit: String, credit: String) {
            let income = purpose == .order ? "sales" : "points"
            return switch self {
            case .charge: ("provider", income)
            case .refund: (income, "provider")
            case .refundFailed: ("provider", income)
            case .dispute: ("disputed", "provider")
            case .disputeWon: ("provider", "disputed")
            case .disputeLost: (income, "disputed")
            }
        }
    }

    static let migrations = [
        MigrationSet.Migration(
            "ledger",
            """
            CREATE TABLE payment_ledger (
                kind TEXT NOT NULL CHECK (kind IN
                    ('charge', 'refund', 'refund-failed', 'dispute', 'dispute-won', 'dispute-lost')),
                object_id TEXT NOT NULL,
                debit TEXT NOT NULL CHECK (debit IN ('provider', 'sales', 'points', 'disputed')),
                credit TEXT NOT NULL CHECK (credit IN ('provider', 'sales', 'points', 'disputed')),
                amount BIGINT NOT NULL CHECK (amount > 0),
                currency TEXT NOT NULL,
                order_id TEXT NOT NULL,
                posted_at BIGINT NOT NULL,
                PRIMARY KEY (object_id, kind),
                CHECK (debit <> credit)
            )
            """
        ),
        MigrationSet.Migration(
            "ledger_by_order",
            "CREATE INDEX payment_ledger_by_order ON payment_ledger (order_id)"
        ),
        MigrationSet.Migration(
            "ledger_by_time",
            "CREATE INDEX payment_ledger_by_time ON payment_ledger (posted_at)"
        ),
    ]

    /// Posts what an object of the provider's has moved; what is posted already stays as it is.
    func post(
        _ kind: Kind,
        _ objectID: String,
        _ money: Money,
        of payment: Payment,
        at now: Int64,
        in transaction: Transaction
    ) throws {
        let accounts = kind.accounts(payment.purpose)
        try transaction.execute(
            """
            INSERT INTO payment_ledger (kind, object_id, debit, credit, amount, currency, order_id, posted_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (object_id, kind) DO NOTHING
            """,
            kind.rawValue,
            objectID,
            accounts.debit,
            accounts.credit,
            money.amount,
            money.currency,
            payment.orderID,
            now
        )
    }

    /// Posts a refund by which all of a payment is back: what earlier ones have left of it.
    func postRest(_ refundID: String, of payment: Payment, at now: Int64, in transaction: Transaction) throws {
        let left = payment.total.amount - (try refunded(payment.orderID, in: transaction))
        guard left > 0 else { return }
        let money = Money(amount: left, currency: payment.total.currency)
        try post(.refund, refundID, money, of: payment, at: now, in: transaction)
    }

    /// Posts the refunds of a payment as they stand at the provider.
    func post(_ refunds: [ProviderObject], of payment: Payment, at now: Int64, in transaction: Transaction) throws {
        for refund in refunds {
            if refund.hasMoved {
                try post(.refund, refund.id, refund.money, of: payment, at: now, in: transaction)
            } else if refund.hasFailed, let posted = try amount(of: refund.id, .refund, in: transaction) {
                let money = Money(amount: posted, currency: payment.total.currency)
                try post(.refundFailed, refund.id, money, of: payment, at: now, in: transaction)
            }
        }
    }

    private func amount(of objectID: String, _ kind: Kind, in transaction: Transaction) throws -> Int64? {
        try transaction.first(
            "SELECT amount FROM payment_ledger WHERE object_id = $1 AND kind = $2",
            objectID,
            kind.rawValue
        )?["amount"]
    }

    private func refunded(_ orderID: String, in transaction: Transaction) throws -> Int64 {
        try transaction.query("SELECT kind, amount FROM payment_ledger WHERE order_id = $1", orderID)
            .reduce(0) { sum, row in
                let (kind, amount): (String, Int64) = (try row["kind"], try row["amount"])
                switch Kind(rawValue: kind) {
                case .refund: return sum + amount
                case .refundFailed: return sum - amount
                default: return sum
                }
            }
    }

    /// What an object of the provider's has moved by the books; nothing for a refund that failed or a dispute that was won.
    struct Standing: Sendable, Equatable {
        let orderID: String
        var money: Money
    }

    /// What is booked of the provider's objects, by their ids.
    func standings(of ids: [String], in transaction: Transaction) throws -> [String: Standing] {
        var standings: [String: Standing] = [:]
        for id in ids {
            let rows = try transaction.query("SELECT * FROM payment_ledger WHERE object_id = $1", id)
            for row in rows { try add(row, to: &standings) }
        }
        return standings
    }

    /// What was booked in a time, by the provider's ids.
    func standings(
        postedFrom start: Int64,
        to end: Int64,
        in transaction: Transaction
    ) throws -> [String: (kind: ProviderObject.Kind, standing: Standing)] {
        var found: [String: (kind: ProviderObject.Kind, standing: Standing)] = [:]
        let rows = try transaction.query(
            """
            SELECT DISTINCT object_id, kind FROM payment_ledger
            WHERE posted_at >= $1 AND posted_at < $2 AND kind IN ('charge', 'refund', 'dispute')
            """,
            start,
            end
        )
        for row in rows {
            let (id, name): (String, String) = (try row["object_id"], try row["kind"])
            guard let kind = ProviderObject.Kind(rawValue: name) else { continue }
            if let standing = try standings(of: [id], in: transaction)[id] { found[id] = (kind, standing) }
        }
        return found
    }

    private func add(_ row: Row, to standings: inout [String: Standing]) throws {
        let (id, name): (String, String) = (try row["object_id"], try row["kind"])
        let (amount, currency): (Int64, String) = (try row["amount"], try row["currency"])
        let sign: Int64 =
            switch Kind(rawValue: name) {
            case .charge, .refund, .dispute: 1
            case .refundFailed, .disputeWon: -1
            case .disputeLost, nil: 0
            }
        let orderID: String = try row["order_id"]
        var standing = standings[id] ?? Standing(orderID: orderID, money: Money(amount: 0, currency: currency))
        standing.money.amount += sign * amount
        standings[id] = standing
    }

    /// The balance of each account in each currency: debits less credits.
    ///
    /// Their sum is nothing, in each.
    func balances(in transaction: Transaction) throws -> [String: [String: Int64]] {
        var balances: [String: [String: Int64]] = [:]
        for row in try transaction.query("SELECT debit, credit, amount, currency FROM payment_ledger") {
            let (debit, credit): (String, String) = (try row["debit"], try row["credit"])
            let (amount, currency): (Int64, String) = (try row["amount"], try row["currency"])
            balances[currency, default: [:]][debit, default: 0] += amount
            balances[currency, default: [:]][credit, default: 0] -= amount
        }
        return balances
    }
}
