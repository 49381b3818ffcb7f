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

/// Percent-encoding (RFC 3986, section 2.1).
public enum PercentEncoding {
    /// Escapes everything but letters, digits and `-._~`, so that the text can stand in a segment of a path or in a
    /// query.
    public static func encode(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }

    /// Decodes strictly: nil when an escape is broken, or the result holds NUL or is no UTF-8.
    static func decode(_ bytes: some Sequence<UInt8>, plusIsSpace: Bool) -> String? {
        var result: [UInt8] = []
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            var decoded = byte
            if byte == UInt8(ascii: "%") {
                guard
                    let high = iterator.next().flatMap(hexadecimal), let low = iterator.next().flatMap(hexadecimal)
                else { return nil }
                decoded = high << 4 | low
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                decoded = UInt8(ascii: " ")
            }
            guard decoded != 0 else { return nil }
            result.append(decoded)
        }
        return String(validating: result, as: UTF8.self)
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
