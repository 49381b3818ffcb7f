/// Header fields: ordered, names compared without case, a name may occur several times.
///
/// The description hides the values of fields that carry credentials.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    /// One field.
    public struct Field: Sendable, Equatable {
        /// The name as it was given.
        public let name: String
        /// The value, without the white space around it.
        public let value: String

        /// Makes a field.
        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }

        /// Whether the names agree but for case, and the values exactly.
        public static func == (left: Field, right: Field) -> Bool {
            left.value == right.value && left.isNamed(right.name)
        }

        func isNamed(_ other: String) -> Bool {
            let left = name.utf8
            let right = other.utf8
            return left.count == right.count && zip(left, right).allSatisfy { lowercased($0) == lowercased($1) }
        }
    }

    /// All fields in order.
    public private(set) var fields: [Field] = []

    /// No fields.
    public init() {}

    /// The fields in the order of the literal.
    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { Field(name: $0.0, value: $0.1) }
    }

    /// The first field of that name.
    ///
    /// Setting replaces all fields of that name by one; nil removes them.
    public subscript(name: String) -> String? {
        get { fields.first { $0.isNamed(name) }?.value }
        set {
            let index = fields.firstIndex { $0.isNamed(name) }
            fields.removeAll { $0.isNamed(name) }
            guard let newValue else { return }
            fields.insert(Field(name: name, value: newValue), at: index ?? fields.endIndex)
        }
    }

    /// The values of all fields of that name, in order.
    public func values(_ name: String) -> [String] {
        fields.filter { $0.isNamed(name) }.map(\.value)
    }

    mutating func append(_ field: Field) { fields.append(field) }

    /// Appends a field; others of that name stay.
    public mutating func add(_ name: String, _ value: String) {
        fields.append(Field(name: name, value: value))
    }
}

extension HTTPHeaders: Equatable {
    /// Whether both hold the same fields in the same order.
    public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool { left.fields == right.fields }
}

extension HTTPHeaders: CustomStringConvertible, CustomReflectable {
    /// The fields, with the values of credentials hidden.
    public var description: String {
        fields.map { "\($0.name): \(Self.isSecret($0) ? "(hidden)" : $0.value)" }.joined(separator: "; ")
    }

    /// Shows no more than the description.
    public var customMirror: Mirror { Mirror(self, children: ["fields": description]) }

    private static func isSecret(_ field: Field) -> Bool {
        ["authorization", "proxy-authorization", "cookie", "set-cookie", "stripe-signature"].contains {
            field.isNamed($0)
        }
    }
}

extension HTTPHeaders.Field {
    /// Whether the name is a token and the value holds no control characters (RFC 9110, section 5), so that the field
    /// cannot be read as more than one.
    var isValid: Bool {
        !name.isEmpty && name.utf8.allSatisfy(isTokenByte)
            && value.utf8.allSatisfy { ($0 >= 0x20 && $0 != 0x7F) || $0 == 0x09 }
    }
}

/// Whether the byte may stand in a token (RFC 9110, section 5.6.2): a method or the name of a field.
func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default:
        "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}

/// The ASCII letter in lower case; other bytes as they are.
func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
