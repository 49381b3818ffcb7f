/// What coupons of one name take off, and how many of them there are: a pure value.
///
/// `issued` is never above `limit`; the table refuses anything else.
struct CouponDefinition: Sendable, Equatable {
    /// What whoever defines it says.
    struct Terms: Sendable, Equatable {
        var rule: CouponRule
        /// How many there are in all; nil for as many as are claimed.
        var limit: Int?
        /// How many one customer may have.
        var limitPerCustomer = 1
    }

    /// Why a claim is refused.
    enum ClaimRefusal: Error, Sendable, Equatable {
        /// The customer has as many as one may have.
        case customerLimit
        /// All there are were issued.
        case allIssued
        /// Their time is over.
        case ended
    }

    /// More were issued than are to be there.
    struct TooManyIssued: Error, Equatable {
        let issued: Int
    }

    let id: String
    private(set) var terms: Terms
    /// How many customers have, used ones included.
    private(set) var issued: Int
    /// Milliseconds since 1970.
    let createdAt: Int64
    private(set) var updatedAt: Int64

    init(id: String, terms: Terms, issued: Int = 0, createdAt: Int64, updatedAt: Int64) {
        self.id = id
        self.terms = terms
        self.issued = issued
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    /// Takes other terms, for what is redeemed and claimed from then on.
    ///
    /// - Returns: whether they are others.
    /// - Throws: `TooManyIssued`: what customers have stays theirs.
    mutating func put(_ terms: Terms, at now: Int64) throws(TooManyIssued) -> Bool {
        guard terms != self.terms else { return false }
        if let limit = terms.limit, limit < issued { throw TooManyIssued(issued: issued) }
        self.terms = terms
        updatedAt = now
        return true
    }

    /// A customer who has that many asks for one more; one who has enough hears that, whatever is left for others.
    ///
    /// - Returns: which of the customer's it is, from 1.
    mutating func claim(having count: Int, at now: Int64) -> Result<Int, ClaimRefusal> {
        guard count < terms.limitPerCustomer else { return .failure(.customerLimit) }
        guard !terms.rule.hasEnded(at: now) else { return .failure(.ended) }
        if let limit = terms.limit, issued >= limit { return .failure(.allIssued) }
        issued += 1
        return .success(count + 1)
    }
}
