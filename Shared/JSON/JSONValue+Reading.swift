/// What is in a value, where it is what is asked for.
extension JSONValue {
    /// Reads JSON.
    ///
    /// - Throws: `JSONFault` where the bytes are not one JSON value.
    public init(parsing bytes: [UInt8]) throws {
        self = try StrictJSON.decode(JSONValue.self, from: bytes)
    }

    /// The member of that name, if this is an object that has it and it is not null; sets a member of an object.
    public subscript(name: String) -> JSONValue? {
        get {
            guard case .object(let members) = self, let member = members[name], member != .null else { return nil }
            return member
        }
        set {
            guard case .object(var members) = self else { return }
            members[name] = newValue
            self = .object(members)
        }
    }

    /// The text, if this is text.
    public var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The whole number, if this is one.
    public var integer: Int64? {
        if case .integer(let integer) = self { integer } else { nil }
    }

    /// The elements, if this is an array.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The members, if this is an object.
    public var object: [String: JSONValue]? {
        if case .object(let members) = self { members } else { nil }
    }
}

// Not by a `nil` literal: `condition ? value : nil` would then be a value.
extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// `true` or `false`.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// An array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object; of equal names the last counts.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }
}
