/// Which part of a list a client asks for: Stripe's `limit`, `starting_after` and `ending_before`, and `page` of a search.
struct Page: Sendable, Equatable {
    /// What a client gets that does not say how many.
    static let standardLimit = 10

    let limit: Int
    let startingAfter: String?
    let endingBefore: String?
    /// The name of the parameter that `startingAfter` came in.
    private let cursor: String

    /// The names of a list's parameters.
    static let listNames: Set<String> = ["limit", "starting_after", "ending_before"]
    /// The names of a search's parameters.
    static let searchNames: Set<String> = ["limit", "page"]

    /// Reads the parameters.
    /// - Throws: `ProviderError` that names the parameter at fault.
    init(_ query: [String: String], ofSearch: Bool = false) throws {
        if let text = query["limit"] {
            guard let limit = Int(text), (1...100).contains(limit) else {
                throw ProviderError.invalid(
                    "parameter_invalid_integer",
                    "The limit must be between 1 and 100.",
                    param: "limit"
                )
            }
            self.limit = limit
        } else {
            limit = Self.standardLimit
        }
        cursor = ofSearch ? "page" : "starting_after"
        startingAfter = query[cursor]
        endingBefore = ofSearch ? nil : query["ending_before"]
        guard startingAfter == nil || endingBefore == nil else {
            throw ProviderError.invalid(
                nil,
                "Give one of starting_after and ending_before.",
                param: "ending_before"
            )
        }
    }

    /// The part of all items, newest first, and whether there is more beyond it.
    /// - Throws: `ProviderError` when it begins at an item that there is not.
    func part<Item>(of items: [Item], id: (Item) -> String) throws -> (items: [Item], hasMore: Bool) {
        func index(of wanted: String, _ param: String) throws -> Int {
            guard let index = items.firstIndex(where: { id($0) == wanted }) else {
                throw ProviderError.notFound("object", wanted, param: param, status: 400)
            }
            return index
        }
        if let endingBefore {
            let newer = items[..<(try index(of: endingBefore, "ending_before"))]
            return (Array(newer.suffix(limit)), newer.count > limit)
        }
        let rest = items[(try startingAfter.map { try index(of: $0, cursor) + 1 } ?? 0)...]
        return (Array(rest.prefix(limit)), rest.count > limit)
    }
}

/// Which time of creation a client asks for: Stripe's `created[gte]` and its like, in seconds since 1970.
struct Period: Sendable {
    /// The names of its parameters.
    static let names: Set<String> = ["created[gt]", "created[gte]", "created[lt]", "created[lte]"]

    private let from: Int64
    private let to: Int64

    /// Reads the parameters.
    /// - Throws: `ProviderError` that names the parameter at fault.
    init(_ query: [String: String]) throws {
        func bound(_ word: String) throws -> Int64? {
            let name = "created[\(word)]"
            return try query[name].map { text in
                guard let seconds = Int64(text), (0...9_999_999_999).contains(seconds) else {
                    throw ProviderError.invalid("parameter_invalid_integer", "Invalid integer: \(text)", param: name)
                }
                return seconds
            }
        }
        from = max(try bound("gte") ?? 0, (try bound("gt") ?? -1) + 1)
        to = min(try bound("lte") ?? .max, (try bound("lt") ?? .max) - 1)
    }

    /// Whether something was made in it.
    func contains(_ created: Int64) -> Bool { from <= created && created <= to }
}
