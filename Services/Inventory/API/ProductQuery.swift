import HTTP
import ServiceKit
import ShopEvents

/// The query of `GET /products`.
struct ProductQuery: Sendable, Equatable {
    /// As it was sent.
    let query: String?
    /// The words of the query; all of them are looked for.
    let words: [String]
    /// The name of the last product of the page before; empty for the first page.
    let after: String
    let limit: Int

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)]) throws {
        let reader = QueryReader(items, knows: ["query", "after", "limit"])
        query = reader.text("query")
        let length = InventoryLimits.queryLength
        let text = reader.value("query", "must have at most \(length.upperBound) characters") { text in
            length.contains(text.unicodeScalars.count) ? text : nil
        }
        words = SearchWords.of(text ?? "").sorted()
        if words.count > InventoryLimits.queryWords {
            reader.faults.add("query", "must have at most \(InventoryLimits.queryWords) words")
        }
        after = reader.cursor { OrderLine.isSKU($0) ? $0 : nil } ?? ""
        limit = reader.limit(in: InventoryLimits.pageSize)
        try reader.check()
    }

    /// The address of the page that follows.
    func path(after next: String) -> String {
        let same = query.map { "query=\(PercentEncoding.encode($0))&" } ?? ""
        return "/products?\(same)after=\(PercentEncoding.encode(next))&limit=\(limit)"
    }
}
