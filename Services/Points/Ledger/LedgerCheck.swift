import Database

/// What the ledger comes to, and whether it holds together: it is read as a whole, and nothing in it is taken on trust.
struct LedgerCheck: Sendable, Equatable {
    /// The sum of each book of one currency; together they are zero.
    struct Sums: Sendable, Equatable {
        let currency: String
        fileprivate(set) var books: [Posting.Book: Int64] = [:]

        /// What one book comes to.
        subscript(book: Posting.Book) -> Int64 { books[book] ?? 0 }
    }

    /// By currency.
    private(set) var sums: [Sums] = []
    /// What does not agree, in words; empty where all does.
    ///
    /// The first hundred are kept.
    private(set) var faults: [String] = []

    /// Reads the ledger.
    init(in transaction: Transaction) throws {
        try addUp(in: transaction)
        try checkPostings(in: transaction)
        try checkBalances(in: transaction)
        try checkOrders(in: transaction)
        try checkCharges(in: transaction)
        try checkAmounts(in: transaction)
    }

    private mutating func addUp(in transaction: Transaction) throws {
        let rows = try transaction.query(
            """
            SELECT currency, book, CAST(SUM(points) AS BIGINT) AS points FROM entries
            GROUP BY currency, book ORDER BY currency, book
            """
        )
        for row in rows {
            let currency: String = try row["currency"]
            if sums.last?.currency != currency { sums.append(Sums(currency: currency)) }
            sums[sums.count - 1].books[try row.value("book")] = try row["points"]
        }
        for sum in sums where sum.books.values.reduce(0, &+) != 0 {
            note("the books of \(sum.currency) come to \(sum.books.values.reduce(0, &+)), not to zero")
        }
    }

    /// Every posting has two entries at least, of one currency, which add up to zero.
    private mutating func checkPostings(in transaction: Transaction) throws {
        let rows = try transaction.query(
            """
            SELECT p.number FROM postings p LEFT JOIN entries e ON e.posting = p.number
            GROUP BY p.number
            HAVING COUNT(e.number) < 2 OR COALESCE(SUM(e.points), 1) <> 0 OR COUNT(DISTINCT e.currency) <> 1
            ORDER BY p.number LIMIT 100
            """
        )
        for row in rows { note("posting \(try row["number"] as Int64) does not balance") }
    }

    /// Every balance is the sum of its entries, every entry says the balance after it, and none was ever below zero.
    private mutating func checkBalances(in transaction: Transaction) throws {
        let wrong = try transaction.query(
            """
            SELECT customer, currency FROM (
                SELECT customer, currency, points FROM entries WHERE book = 'customer'
                UNION ALL SELECT customer, currency, -points FROM balances) AS both_sides
            GROUP BY customer, currency HAVING SUM(points) <> 0 ORDER BY customer, currency LIMIT 100
            """
        )
        for row in wrong {
            note("the balance of \(try row["customer"] as String) in \(try row["currency"] as String) is another sum")
        }
        let lines = try transaction.query(
            """
            SELECT number FROM (
                SELECT number, balance, SUM(points) OVER (PARTITION BY customer, currency ORDER BY number) AS sum
                FROM entries WHERE book = 'customer') AS running
            WHERE balance <> sum OR sum < 0 ORDER BY number LIMIT 100
            """
        )
        for row in lines { note("entry \(try row["number"] as Int64) says another balance than there was") }
    }

    /// What orders have spent and earned is what was posted for them.
    private mutating func checkOrders(in transaction: Transaction) throws {
        let wrong = try transaction.query(
            """
            SELECT order_id FROM (
                SELECT order_id, 'spent' AS kind FROM spendings WHERE state IN ('spent', 'restored')
                UNION ALL SELECT order_id, 'restored' FROM spendings WHERE state = 'restored'
                UNION ALL SELECT order_id, 'earned' FROM earnings WHERE state IN ('earned', 'taken-back')
                UNION ALL SELECT order_id, 'taken-back' FROM earnings WHERE state = 'taken-back') AS due
            LEFT JOIN postings p ON p.kind = due.kind AND p.reference = due.order_id
            WHERE p.number IS NULL ORDER BY order_id LIMIT 100
            """
        )
        for row in wrong { note("order \(try row["order_id"] as String) lacks a posting") }
        let more = try transaction.query(
            """
            SELECT p.number FROM postings p
                LEFT JOIN spendings s ON s.order_id = p.reference
                LEFT JOIN earnings n ON n.order_id = p.reference
                LEFT JOIN order_parts x ON x.reference = p.reference
            WHERE (p.kind = 'spent' AND COALESCE(s.state, '') NOT IN ('spent', 'restored'))
                OR (p.kind = 'restored' AND COALESCE(s.state, '') <> 'restored' AND COALESCE(x.given_back, 0) = 0)
                OR (p.kind = 'earned' AND COALESCE(n.state, '') NOT IN ('earned', 'taken-back'))
                OR (p.kind = 'taken-back' AND COALESCE(n.state, '') <> 'taken-back' AND COALESCE(x.taken_back, 0) = 0)
            ORDER BY p.number LIMIT 100
            """
        )
        for row in more { note("posting \(try row["number"] as Int64) is of no order that has come so far") }
    }

    /// What was bought and went back is what charges say.
    private mutating func checkCharges(in transaction: Transaction) throws {
        let wrong = try transaction.query(
            """
            SELECT c.id FROM charges c
                LEFT JOIN postings b ON b.kind = 'bought' AND b.reference = c.id
                LEFT JOIN postings r ON r.kind = 'refunded' AND r.reference = c.id
            WHERE (c.state = 'bought' AND (b.number IS NULL OR r.number IS NOT NULL))
                OR (c.state IN ('requested', 'declined') AND (b.number IS NOT NULL OR r.number IS NOT NULL))
                OR (c.state = 'refunded' AND (b.number IS NULL) <> (r.number IS NULL))
            ORDER BY c.id LIMIT 100
            """
        )
        for row in wrong { note("charge \(try row["id"] as String) is in another state than its postings") }
    }

    /// As many points were posted as orders and charges say.
    private mutating func checkAmounts(in transaction: Transaction) throws {
        let rows = try transaction.query(
            """
            SELECT p.number FROM postings p
                JOIN entries e ON e.posting = p.number
                LEFT JOIN spendings s ON s.order_id = p.reference
                LEFT JOIN earnings n ON n.order_id = p.reference
                LEFT JOIN charges c ON c.id = p.reference
                LEFT JOIN order_parts x ON x.reference = p.reference
                LEFT JOIN (
                    SELECT order_id, SUM(given_back) AS given_back, SUM(taken_back) AS taken_back
                    FROM order_parts GROUP BY order_id) AS gone ON gone.order_id = p.reference
            WHERE (p.kind = 'spent' AND e.book = 'spent' AND e.points <> s.points)
                OR (p.kind = 'restored' AND e.book = 'spent' AND e.points <> COALESCE(-x.given_back, COALESCE(gone.given_back, 0) - s.points))
                OR (p.kind = 'earned' AND e.book = 'earned' AND e.points <> -n.points)
                OR (p.kind = 'taken-back' AND e.book = 'earned' AND e.points <> COALESCE(x.taken_back, n.points - COALESCE(gone.taken_back, 0)))
                OR (p.kind = 'bought' AND e.book = 'sold' AND e.points <> -c.amount)
                OR (p.kind = 'refunded' AND e.book = 'sold' AND e.points <> c.amount)
            ORDER BY p.number LIMIT 100
            """
        )
        for row in rows { note("posting \(try row["number"] as Int64) is of other points than were asked for") }
    }

    private mutating func note(_ fault: String) {
        if faults.count < 100 { faults.append(fault) }
    }
}
