import FoundationEssentials
import JSON

/// What services answer is passed on whole, fields that this command does not know included.
extension JSONValue {
    /// The member at a path such as `payment.status`.
    func member(at path: String) -> JSONValue? {
        path.split(separator: ".").reduce(Optional(self)) { value, name in value?[String(name)] }
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
