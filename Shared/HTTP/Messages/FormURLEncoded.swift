/// `application/x-www-form-urlencoded`: the form of queries and of the bodies of some APIs.
public enum FormURLEncoded {
    /// Encodes the items in order, as UTF-8; everything but letters, digits and `-._~` is escaped, a space as `%20`.
    public static func encode(_ items: [(name: String, value: String)]) -> String {
        items.map { "\(PercentEncoding.encode($0.name))=\(PercentEncoding.encode($0.value))" }.joined(separator: "&")
    }

    /// Decodes items in order; `+` is a space, an item without `=` has an empty value.
    ///
    /// - Returns: nil when an escape is broken, or something decodes to NUL or to what is no UTF-8.
    public static func decode(_ bytes: some Sequence<UInt8>) -> [(name: String, value: String)]? {
        var items: [(name: String, value: String)] = []
        for item in Array(bytes).split(separator: UInt8(ascii: "&")) {
            let name = item.prefix { $0 != UInt8(ascii: "=") }
            guard
                let decodedName = PercentEncoding.decode(name, plusIsSpace: true),
                let decodedValue = PercentEncoding.decode(item.dropFirst(name.count + 1), plusIsSpace: true)
            else { return nil }
            items.append((name: decodedName, value: decodedValue))
        }
        return items
    }
}
