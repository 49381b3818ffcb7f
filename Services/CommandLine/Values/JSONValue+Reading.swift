import FoundationEssentials
import JSON

/// What services answer is passed on whole, fields that this command does not know included.
extension JSONValue {
    /// Reads JSON.
    ///
    /// - Throws: `JSONFault` where the bytes are not one JSON value.
    init(parsing bytes: [UInt8]) throws {
        self = try StrictJSON.decode(JSONValue.self, from: bytes)
    }

    /// The member of that name, if this is an object that has it and it is not null; sets a member of an object.
    subscript(name: String) -> JSONValue? {
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

    /// The member at a path such as `payment.status`.
    func member(at path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { value, name in value?[String(name)] }
    }

    /// The text, if this is text.
    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    /// The whole number, if this is one.
    var integer: Int64? {
        if case .integer(let integer) = self { integer } else { nil }
    }

    /// The elements, if this is an array.
    var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// As it stands in a cell of a table: text bare, nothing for null, anything composed as JSON.
    var cell: String {
        switch self {
        case .null: ""
        case .bool(let value): String(value)
        case .integer(let value): String(value)
        case .number(let value): String(value)
        case .string(let text): text
        case .array, .object: encoded()
        }
    }

    /// As JSON, with the members of objects in alphabetical order.
    func encoded(pretty: Bool = false) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
        // A value of this type always has a JSON form: its numbers came from JSON, which knows no infinity, or from
        // whole numbers.
        guard let data = try? encoder.encode(self) else { return "null" }
        return String(decoding: data, as: UTF8.self)
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
    init(stringLiteral value: String) { self = .string(value) }

    init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
    }

    init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
}
