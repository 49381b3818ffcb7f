import HTTP
import ServiceKit
import ShopEvents

/// The query of `GET /accounts/{customer}/entries`.
struct EntryQuery: Sendable, Equatable {
    /// Nil for all of them.
    let currency: String?
    /// The number of the last entry of the page before.
    let after: Int64
    let limit: Int

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)]) throws {
        let reader = QueryReader(items, knows: ["currency", "after", "limit"])
        currency = reader.value("currency", "must be the three-letter code of an active currency (ISO 4217)") { code in
            Currency(code: code) == nil ? nil : code
        }
        after = reader.cursor(Self.cursor) ?? .max
        limit = reader.limit(in: PointsLimits.pageSize)
        try reader.check()
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
