import ServiceKit

/// The query of `GET /orders`.
struct OrderQuery: Sendable, Equatable {
    static let limits = 1...100

    let status: Order.Status?
    /// The id of the last order of the page before.
    let after: String?
    let limit: Int

    /// Reads the query.
    ///
    /// - Throws: a `Problem` (422) that names every parameter at fault.
    init(_ items: [(name: String, value: String)]) throws {
        let reader = QueryReader(items, knows: ["status", "after", "limit"])
        let names = Order.Status.allCases.map(\.rawValue).joined(separator: ", ")
        status = reader.value("status", "must be one of \(names)") { Order.Status(rawValue: $0) }
        after = reader.cursor { $0.asLowercaseUUID }
        limit = reader.limit(in: OrderQuery.limits)
        try reader.check()
    }

    /// The address of the page that follows.
    func path(after next: String) -> String {
        "/orders?" + (status.map { "status=\($0.rawValue)&" } ?? "") + "after=\(next)&limit=\(limit)"
    }
}
