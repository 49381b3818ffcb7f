/// One customer's points of one currency.
///
/// A point is one minor unit of it, as money is; nothing turns points of one currency into another's.
struct PointsAccount: Sendable, Hashable {
    let customer: String
    /// Three capital letters, ISO 4217.
    let currency: String
}

/// Points that move from some books into others, a pure value: as many leave as come in.
///
/// It is made by `giving` and `taking` alone, so that one that does not balance cannot be written down.
struct Posting: Sendable, Equatable {
    /// Why points move.
    ///
    /// Of one order, or one charge, each happens once at most.
    enum Kind: String, Sendable, Codable, CaseIterable {
        /// A charge of points was captured.
        case bought
        /// What was paid for a charge of points went back, and so do the points.
        case refunded
        /// They pay for an order.
        case spent
        /// An order that they paid for has ended.
        case restored
        /// An order was confirmed.
        case earned
        /// An order that earned some was cancelled.
        case takenBack = "taken-back"
    }

    /// Where points lie.
    ///
    /// The customer's is theirs to spend; the others are the shop's, and may stand below zero.
    enum Book: String, Sendable, Codable, CaseIterable {
        case customer
        /// What was sold, as far as it is not given back: below zero.
        case sold
        /// What was given for orders: below zero.
        case earned
        /// What has paid for orders.
        case spent
        /// What was to be taken back and had been spent already: below zero, a loss of the shop's.
        case writtenOff = "written-off"
    }

    /// What one book gets, or, below zero, gives; never zero.
    struct Entry: Sendable, Equatable {
        let book: Book
        let points: Int64
    }

    let kind: Kind
    let account: PointsAccount
    /// The order, or the charge.
    let reference: String
    /// They add up to zero.
    let entries: [Entry]

    /// What the customer gets, or, below zero, gives.
    var change: Int64 { entries.first { $0.book == .customer }?.points ?? 0 }

    /// Points for a customer, out of another book.
    static func giving(
        _ points: Int64,
        to account: PointsAccount,
        outOf book: Book,
        _ kind: Kind,
        _ reference: String
    ) -> Posting {
        Posting(
            kind: kind,
            account: account,
            reference: reference,
            entries: balanced([Entry(book: .customer, points: points), Entry(book: book, points: -points)])
        )
    }

    /// Points from a customer, into another book: as many as there are.
    ///
    /// What is missing is written off, so that no customer ever owes points.
    ///
    /// - Parameter balance: what the customer has.
    static func taking(
        _ points: Int64,
        from account: PointsAccount,
        into book: Book,
        given balance: Int64,
        _ kind: Kind,
        _ reference: String
    ) -> Posting {
        let taken = min(points, max(balance, 0))
        return Posting(
            kind: kind,
            account: account,
            reference: reference,
            entries: balanced([
                Entry(book: .customer, points: -taken), Entry(book: book, points: points),
                Entry(book: .writtenOff, points: taken - points),
            ])
        )
    }

    private static func balanced(_ entries: [Entry]) -> [Entry] { entries.filter { $0.points != 0 } }

    private init(kind: Kind, account: PointsAccount, reference: String, entries: [Entry]) {
        self.kind = kind
        self.account = account
        self.reference = reference
        self.entries = entries
    }
}
