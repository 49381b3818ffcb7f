import HTTP
import ServiceKit

/// The query of a listing.
struct PageQuery: Sendable, Equatable {
    /// What is listed.
    enum Listing: Sendable {
        case definitions
        case coupons
    }

    /// Whose coupons.
    let customer: String?
    /// The id of the last one of the page before.
    let after: String?
    let limit: Int

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)], of listing: Listing) throws {
        let isOfCoupons = listing == .coupons
        let reader = QueryReader(items, knows: isOfCoupons ? ["customer", "after", "limit"] : ["after", "limit"])
        let length = CouponLimits.customerLength
        let detail = "must have \(length.lowerBound) to \(length.upperBound) characters"
        customer = reader.value("customer", detail) { length.contains($0.unicodeScalars.count) ? $0 : nil }
        after = reader.cursor { isOfCoupons ? $0.asLowercaseUUID : CouponLimits.isID($0) ? $0 : nil }
        limit = reader.limit(in: CouponLimits.pageSize)
        try reader.check()
    }

    /// The address of the page that follows.
    func path(_ base: String, after next: String) -> String {
        let same = customer.map { "customer=\(PercentEncoding.encode($0))&" } ?? ""
        return "\(base)?\(same)after=\(next)&limit=\(limit)"
    }
}
