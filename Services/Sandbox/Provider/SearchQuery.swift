/// The part of Stripe's search language that finds an order's intents.
///
/// `metadata['order_id']:'…'` and `status:'…'`, joined by `AND`. Quotes are single or double; a backslash escapes.
struct SearchQuery: Sendable, Equatable {
    /// The metadata that an intent must have.
    private(set) var metadata: [String: String] = [:]
    /// The status that it must have, if any.
    private(set) var status: String?

    /// Reads a query.
    /// - Throws: `ProviderError` when it is not understood.
    init(_ text: String) throws {
        var scanner = Scanner(rest: Substring(text).unicodeScalars)
        repeat {
            if scanner.skip("metadata[") {
                let name = try scanner.quoted()
                guard scanner.skip("]:") else { throw Self.unreadable }
                metadata[name] = try scanner.quoted()
            } else if scanner.skip("status:") {
                status = try scanner.quoted()
            } else {
                throw Self.unreadable
            }
        } while scanner.skip(" AND ")
        guard scanner.rest.isEmpty else { throw Self.unreadable }
    }

    /// Whether an intent is found.
    func matches(_ intent: PaymentIntent) -> Bool {
        metadata.allSatisfy { intent.metadata[$0.key] == $0.value }
            && (status == nil || status == intent.status.rawValue)
    }

    private static let unreadable = ProviderError.invalid(nil, "The search query is not understood.", param: "query")

    /// Works on scalars: a combining mark after a quote must not hide the quote.
    private struct Scanner {
        var rest: Substring.UnicodeScalarView

        mutating func skip(_ prefix: String) -> Bool {
            guard rest.starts(with: prefix.unicodeScalars) else { return false }
            rest.removeFirst(prefix.unicodeScalars.count)
            return true
        }

        mutating func quoted() throws -> String {
            guard let quote = rest.popFirst(), quote == "'" || quote == "\"" else { throw SearchQuery.unreadable }
            var value = String.UnicodeScalarView()
            while let scalar = rest.popFirst() {
                if scalar == quote { return String(value) }
                if scalar == "\\" {
                    guard let escaped = rest.popFirst() else { throw SearchQuery.unreadable }
                    value.append(escaped)
                } else {
                    value.append(scalar)
                }
            }
            throw SearchQuery.unreadable
        }
    }
}
