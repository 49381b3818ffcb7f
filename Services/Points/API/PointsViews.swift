import ServiceKit
import ShopEvents
import Telemetry

/// What a customer has, as the API shows it.
struct AccountView: Encodable {
    /// One currency's points.
    struct Balance: Encodable {
        let currency: String
        let points: Int64
        let updatedAt: String
    }

    let customer: String
    /// By currency; none where there never were any points.
    let balances: [Balance]

    init(_ customer: String, _ balances: [Ledger.Balance]) {
        self.customer = customer
        self.balances = balances.map { balance in
            Balance(
                currency: balance.currency,
                points: balance.points,
                updatedAt: Timestamp(milliseconds: balance.updatedAt).description
            )
        }
    }
}

/// What a customer got or gave, as the API shows it; what does not apply is left out.
struct EntryView: Encodable {
    let kind: Posting.Kind
    let currency: String
    let points: Int64
    let balance: Int64
    let orderID: String?
    let chargeID: String?
    let at: String

    init(_ line: Ledger.Line) {
        kind = line.kind
        currency = line.currency
        points = line.points
        balance = line.balance
        orderID = line.kind.isOfCharge ? nil : line.reference
        chargeID = line.kind.isOfCharge ? line.reference : nil
        at = Timestamp(milliseconds: line.at).description
    }
}

/// One page of entries.
struct EntryPage: Encodable {
    let entries: [EntryView]
    /// The `after` of the next page; null on the last.
    @OrNull var next: String?
}

/// A charge of points as the API shows it; what does not apply is left out.
struct ChargeView: Encodable {
    let id: String
    let customer: String
    let state: Charge.State
    let total: Money
    let reason: String?
    let createdAt: String
    let updatedAt: String

    init(_ charge: Charge) {
        id = charge.id
        customer = charge.customer
        state = charge.state
        total = charge.total
        reason = charge.reason
        createdAt = Timestamp(milliseconds: charge.createdAt).description
        updatedAt = Timestamp(milliseconds: charge.updatedAt).description
    }
}

/// What the ledger comes to, as the API shows it.
struct LedgerView: Encodable {
    /// The books of one currency.
    struct Books: Encodable {
        let currency: String
        let customers: Int64
        let sold: Int64
        let earned: Int64
        let spent: Int64
        let writtenOff: Int64

        init(_ sums: LedgerCheck.Sums) {
            currency = sums.currency
            customers = sums[.customer]
            sold = sums[.sold]
            earned = sums[.earned]
            spent = sums[.spent]
            writtenOff = sums[.writtenOff]
        }
    }

    let isBalanced: Bool
    let currencies: [Books]
    let faults: [String]

    init(_ check: LedgerCheck) {
        isBalanced = check.faults.isEmpty
        currencies = check.sums.map(Books.init)
        faults = check.faults
    }
}

extension Posting.Kind {
    /// Whether it is of a charge; all others are of orders.
    fileprivate var isOfCharge: Bool {
        switch self {
        case .bought, .refunded: true
        case .spent, .restored, .earned, .takenBack: false
        }
    }
}
