public import JSON

/// Checks values against the JSON Schema keywords that the contracts use; another keyword is a fault of the contract.
///
/// As in JSON Schema, a keyword for numbers, texts or lists says nothing about values of another type.
public struct JSONSchema {
    let document: JSONValue

    /// Schemas of a document, in which their references lead.
    public init(document: JSONValue) {
        self.document = document
    }

    /// Everything that is wrong with a value, as `path: what`.
    public func faults(_ value: JSONValue, _ schema: JSONValue?, at path: String = "$") throws -> [String] {
        guard let schema = document.resolving(schema), let keywords = schema.object else {
            return ["\(path): there is no schema for it"]
        }
        var faults: [String] = []
        func check(_ isRight: Bool, _ what: @autoclosure () -> String) {
            if !isRight { faults.append("\(path): \(what())") }
        }
        func length() -> Double? {
            value.text.map { Double($0.unicodeScalars.count) } ?? value.array.map { Double($0.count) }
        }
        func compare(_ left: Double?, _ rule: JSONValue, _ holds: (Double, Double) -> Bool, _ what: String) {
            guard let left else { return }
            check(rule.double.map { holds(left, $0) } ?? false, what)
        }
        for (keyword, rule) in keywords {
            switch keyword {
            case "description", "examples", "format", "title", "default", "properties": break
            case "type":
                let names = (rule.array ?? [rule]).compactMap(\.text)
                let isNumber = value.double != nil && names.contains("number")
                check(isNumber || names.contains(value.typeName), "is no \(names.joined(separator: " or "))")
            case "const": check(value == rule, "is not \(rule)")
            case "enum": check(rule.array?.contains(value) == true, "is none of the names")
            case "minimum": compare(value.double, rule, >=, "is too small")
            case "maximum": compare(value.double, rule, <=, "is too large")
            case "minLength", "minItems": compare(length(), rule, >=, "is too short")
            case "maxLength", "maxItems": compare(length(), rule, <=, "is too long")
            case "pattern":
                // As JavaScript has it: by code points, not by what looks like one character.
                let expression = try Regex(rule.text ?? "").matchingSemantics(.unicodeScalar)
                check(try value.text.map { try expression.firstMatch(in: $0) != nil } ?? true, "does not match")
            case "required":
                for name in rule.elements { check(value.object?[name.text ?? ""] != nil, "lacks \(name)") }
            case "additionalProperties":
                let known = schema["properties"]?.object ?? [:]
                for name in (value.object ?? [:]).keys { check(known[name] != nil, "has the unknown field \(name)") }
            case "items":
                for (index, element) in value.elements.enumerated() {
                    faults += try self.faults(element, rule, at: "\(path)[\(index)]")
                }
            case "allOf":
                for part in rule.elements { faults += try self.faults(value, part, at: path) }
            case "oneOf":
                let fits = try rule.elements.filter { try self.faults(value, $0, at: path).isEmpty }
                check(fits.count == 1, "fits \(fits.count) of the shapes")
            case "anyOf":
                check(try rule.elements.contains { try self.faults(value, $0, at: path).isEmpty }, "fits no shape")
            case "dependentRequired":
                for (name, others) in rule.object ?? [:] where value.object?[name] != nil {
                    for other in others.elements { check(value.object?[other.text ?? ""] != nil, "lacks \(other)") }
                }
            case "minProperties":
                compare(value.object.map { Double($0.count) }, rule, >=, "has too few members")
            default: faults.append("\(path): the keyword \(keyword) is not one that is checked")
            }
        }
        for (name, rule) in schema["properties"]?.object ?? [:] {
            if let member = value.object?[name] { faults += try self.faults(member, rule, at: "\(path).\(name)") }
        }
        return faults.sorted()
    }
}

extension JSONValue {
    fileprivate var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .integer: "integer"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    fileprivate var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }
}
