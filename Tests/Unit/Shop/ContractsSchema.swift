/// Checks values against the JSON Schema keywords that the contracts use; another keyword is a fault of the contract.
///
/// As in JSON Schema, a keyword for numbers, texts or lists says nothing about values of another type.
struct ContractSchema {
    let document: ContractValue

    /// Everything that is wrong with a value, as `path: what`.
    func faults(_ value: ContractValue, _ schema: ContractValue?, at path: String = "$") throws -> [String] {
        guard let schema = document.resolving(schema), let keywords = schema.map else {
            return ["\(path): there is no schema for it"]
        }
        var faults: [String] = []
        func check(_ isRight: Bool, _ what: @autoclosure () -> String) {
            if !isRight { faults.append("\(path): \(what())") }
        }
        for (keyword, rule) in keywords {
            switch keyword {
            case "description", "examples", "format", "title", "default", "properties": break
            case "type": check(rule.text == ContractSchema.typeName(value), "is no \(rule.text ?? "")")
            case "const": check(value == rule, "is not \(rule)")
            case "enum": check(rule.list?.contains(value) == true, "is none of the names")
            case "minimum": check(value.number.map { $0 >= rule.number ?? .max } ?? true, "is too small")
            case "maximum": check(value.number.map { $0 <= rule.number ?? .min } ?? true, "is too large")
            case "minLength", "minItems": check(value.length.map { $0 >= rule.number ?? .max } ?? true, "is too short")
            case "maxLength", "maxItems": check(value.length.map { $0 <= rule.number ?? .min } ?? true, "is too long")
            case "pattern":
                let expression = try Regex(rule.text ?? "")
                check(try value.text.map { try expression.firstMatch(in: $0) != nil } ?? true, "does not match")
            case "required":
                for name in rule.list ?? [] { check(value.map?[name.text ?? ""] != nil, "lacks \(name)") }
            case "additionalProperties":
                let known = keywords["properties"]?.map ?? [:]
                for name in (value.map ?? [:]).keys { check(known[name] != nil, "has the unknown field \(name)") }
            case "items":
                for (index, element) in (value.list ?? []).enumerated() {
                    faults += try self.faults(element, rule, at: "\(path)[\(index)]")
                }
            case "allOf":
                for part in rule.list ?? [] { faults += try self.faults(value, part, at: path) }
            default: faults.append("\(path): the keyword \(keyword) is not one that is checked")
            }
        }
        for (name, rule) in keywords["properties"]?.map ?? [:] {
            if let member = value.map?[name] { faults += try self.faults(member, rule, at: "\(path).\(name)") }
        }
        return faults.sorted()
    }

    private static func typeName(_ value: ContractValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .number: "integer"
        case .text: "string"
        case .list: "array"
        case .map: "object"
        }
    }
}

extension ContractValue {
    /// How many characters a text or elements a list has.
    fileprivate var length: Int64? {
        text.map { Int64($0.unicodeScalars.count) } ?? list.map { Int64($0.count) }
    }
}
