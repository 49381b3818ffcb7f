import HTTP
import ServiceKit
import ShopEvents

/// The query of `GET /products`.
struct ProductQuery: Sendable, Equatable {
    /// As it was sent.
    private(set) var query: String?
    /// The words of the query; all of them are looked for.
    private(set) var words: [String] = []
    /// The name of the last product of the page before; empty for the first page.
    private(set) var after = ""
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
            case "query":
                query = value
                let length = InventoryLimits.queryLength
                if !length.contains(value.unicodeScalars.count) {
                    faults.add(name, "must have at most \(length.upperBound) characters")
                } else {
                    words = SearchWords.of(value).sorted()
                    if words.count > InventoryLimits.queryWords {
                        faults.add(name, "must have at most \(InventoryLimits.queryWords) words")
                    }
                }
            case "after":
                after = value
                if !OrderLine.isSKU(value) { faults.add(name, "must be the `next` of an earlier answer") }
            case "limit":
                if value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(value),
                    InventoryLimits.pageSize.contains(number)
                {
                    limit = number
                } else {
                    let range = InventoryLimits.pageSize
                    faults.add(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
                }
            default:
                faults.add(String(name.prefix(64)), "is not a known parameter")
            }
        }
        guard faults.faults.isEmpty else { throw Problem.invalidRequest(faults.faults) }
    }

    /// The address of the page that follows.
    func path(after next: String) -> String {
        let same = query.map { "query=\(PercentEncoding.encode($0))&" } ?? ""
        return "/products?\(same)after=\(PercentEncoding.encode(next))&limit=\(limit)"
    }
}
