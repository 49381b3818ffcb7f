import HTTP
import ServiceKit
import ShopEvents

/// The query of `GET /accounts/{customer}/entries`.
struct EntryQuery: Sendable, Equatable {
    /// Nil for all of them.
    private(set) var currency: String?
    /// The number of the last entry of the page before.
    private(set) var after = Int64.max
    private(set) var limit = 50

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)]) throws {
        let faults = FaultCollector()
        var seen: Set<String> = []
        for (name, value) in items {
            guard seen.insert(name).inserted else {
                faults.add(String(name.prefix(64)), "is given twice")
                continue
            }
            switch name {
            case "currency":
                currency = value
                if Currency(code: value) == nil {
                    faults.add(name, "must be the three-letter code of an active currency (ISO 4217)")
                }
            case "after":
                if let number = Self.cursor(value) {
                    after = number
                } else {
                    faults.add(name, "must be the `next` of an earlier answer")
                }
            case "limit":
                if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
                    PointsLimits.pageSize.contains(number)
                {
                    limit = number
                } else {
                    let range = PointsLimits.pageSize
                    faults.add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
                }
            default:
                faults.add(String(name.prefix(64)), "is not a known parameter")
            }
        }
        guard faults.faults.isEmpty else { throw Problem.invalidRequest(faults.faults) }
    }

    /// The address of the page that follows.
    func path(of customer: String, after next: String) -> String {
        let same = currency.map { "currency=\($0)&" } ?? ""
        return "/accounts/\(PercentEncoding.encode(customer))/entries?\(same)after=\(next)&limit=\(limit)"
    }

    /// The number of an entry, as this service writes them: 1 to 18 digits, the first of them not 0.
    static func cursor(_ text: String) -> Int64? {
        guard (1...18).contains(text.utf8.count), text.utf8.first != UInt8(ascii: "0"),
            text.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return nil }
        return Int64(text)
    }
}
