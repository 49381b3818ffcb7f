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
    private(set) var customer: String?
    /// The id of the last one of the page before.
    private(set) var after: String?
    private(set) var limit = 50

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)], of listing: Listing) throws {
        let faults = FaultCollector()
        var seen: Set<String> = []
        for (name, value) in items {
            guard seen.insert(name).inserted else {
                faults.add(String(name.prefix(64)), "is given twice")
                continue
            }
            switch (name, listing) {
            case ("customer", .coupons):
                customer = value
                let length = CouponLimits.customerLength
                if !length.contains(value.unicodeScalars.count) {
                    faults.add(name, "must have \(length.lowerBound) to \(length.upperBound) characters")
                }
            case ("after", _):
                after = value
                let isRight = listing == .coupons ? Self.isUUID(value) : CouponLimits.isID(value)
                if !isRight { faults.add(name, "must be the `next` of an earlier answer") }
            case ("limit", _):
                if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
                    CouponLimits.pageSize.contains(number)
                {
                    limit = number
                } else {
                    let range = CouponLimits.pageSize
                    faults.add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
                }
            default:
                faults.add(String(name.prefix(64)), "is not a known parameter")
            }
        }
        guard faults.faults.isEmpty else { throw Problem.invalidRequest(faults.faults) }
    }

    /// The address of the page that follows.
    func path(_ base: String, after next: String) -> String {
        let same = customer.map { "customer=\(PercentEncoding.encode($0))&" } ?? ""
        return "\(base)?\(same)after=\(next)&limit=\(limit)"
    }

    /// A coupon's id, as this service makes them: a UUID in lower case.
    private static func isUUID(_ text: String) -> Bool {
        text.utf8.count == 36
            && text.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case UInt8(ascii: "-"): [8, 13, 18, 23].contains(index)
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"):
                    ![8, 13, 18, 23].contains(index)
                default: false
                }
            }
    }
}
