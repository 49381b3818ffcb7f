import FoundationEssentials

/// A JSON value, read from JSON or from the part of YAML that the contracts are written in.
enum ContractValue: Equatable {
    case null
    case bool(Bool)
    case number(Int64)
    case text(String)
    case list([ContractValue])
    case map([String: ContractValue])

    var text: String? { if case .text(let text) = self { text } else { nil } }
    var number: Int64? { if case .number(let number) = self { number } else { nil } }
    var list: [ContractValue]? { if case .list(let list) = self { list } else { nil } }
    var map: [String: ContractValue]? { if case .map(let map) = self { map } else { nil } }

    /// The value under these keys, nil where one of them is missing.
    subscript(path: String...) -> ContractValue? {
        var value: ContractValue? = self
        for key in path { value = value?.map?[key] }
        return value
    }

    /// What a `$ref` points to; other values are themselves.
    func resolving(_ value: ContractValue?) -> ContractValue? {
        guard let reference = value?["$ref"]?.text else { return value }
        var target: ContractValue? = self
        for key in reference.dropFirst(2).split(separator: "/") {
            target = target?.map?[String(key).replacing("~1", with: "/")]
        }
        return resolving(target)
    }
}

extension ContractValue: Codable {
    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([ContractValue].self) {
            self = .list(value)
        } else {
            self = .map(try container.decode([String: ContractValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .map(let value): try container.encode(value)
        }
    }

    init(encoding value: some Encodable) throws {
        self = try JSONDecoder().decode(ContractValue.self, from: try JSONEncoder().encode(value))
    }

    init(json bytes: [UInt8]) throws {
        self = try JSONDecoder().decode(ContractValue.self, from: Data(bytes))
    }

    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: try JSONEncoder().encode(self))
    }
}

/// What the YAML reader does not understand.
struct ContractSyntaxError: Error, CustomStringConvertible {
    let line: Int
    let description: String
}

/// Reads the part of YAML that the contracts keep to: block mappings and sequences, plain and double-quoted scalars,
/// one-line flow sequences of scalars, folded text (`>-`), whole-line comments.
struct ContractReader {
    private struct Line {
        let number: Int
        let indent: Int
        let text: String
    }

    private var lines: [Line] = []
    private var position = 0

    /// Reads a file of this repository, by its path from the root.
    static func read(_ path: String) throws -> ContractValue {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
        var reader = ContractReader(text)
        return try reader.block(indent: 0)
    }

    init(_ text: String) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.drop { $0 == " " }
            guard !content.isEmpty, content.first != "#" else { continue }
            lines.append(Line(number: index + 1, indent: line.count - content.count, text: String(content)))
        }
    }

    mutating func block(indent: Int) throws -> ContractValue {
        guard position < lines.count, lines[position].indent == indent else { return .null }
        return lines[position].text.hasPrefix("- ") ? try sequence(indent) : try mapping(indent)
    }

    private mutating func sequence(_ indent: Int) throws -> ContractValue {
        var elements: [ContractValue] = []
        while position < lines.count, lines[position].indent == indent, lines[position].text.hasPrefix("- ") {
            let line = lines[position]
            let rest = String(line.text.dropFirst(2))
            if ContractReader.splitKey(rest) == nil {
                position += 1
                elements.append(try scalar(rest, line))
            } else {
                lines[position] = Line(number: line.number, indent: indent + 2, text: rest)
                elements.append(try mapping(indent + 2))
            }
        }
        return .list(elements)
    }

    private mutating func mapping(_ indent: Int) throws -> ContractValue {
        var result: [String: ContractValue] = [:]
        while position < lines.count, lines[position].indent == indent, !lines[position].text.hasPrefix("- ") {
            let line = lines[position]
            guard let (key, rest) = ContractReader.splitKey(line.text) else {
                throw ContractSyntaxError(line: line.number, description: "a key is expected")
            }
            position += 1
            let value: ContractValue
            if rest.isEmpty {
                let next = position < lines.count ? lines[position].indent : 0
                value = next > indent ? try block(indent: next) : .null
            } else if rest == ">-" {
                var words: [String] = []
                while position < lines.count, lines[position].indent > indent {
                    words.append(lines[position].text)
                    position += 1
                }
                value = .text(words.joined(separator: " "))
            } else {
                value = try scalar(rest, line)
            }
            guard result.updateValue(value, forKey: key) == nil else {
                throw ContractSyntaxError(line: line.number, description: "the key \(key) is there twice")
            }
        }
        if position < lines.count, lines[position].indent > indent {
            throw ContractSyntaxError(line: lines[position].number, description: "too far indented")
        }
        return .map(result)
    }

    private static func splitKey(_ text: String) -> (key: String, rest: String)? {
        guard !text.hasPrefix("\"") || text.contains("\":") else { return nil }
        let unquoted: (Substring) -> String = { String($0).replacing("\"", with: "") }
        if text.hasSuffix(":") { return (unquoted(text.dropLast()), "") }
        guard let range = text.firstRange(of: ": "), !text.hasPrefix("[") else { return nil }
        return (unquoted(text[..<range.lowerBound]), String(text[range.upperBound...]))
    }

    private func scalar(_ text: String, _ line: Line) throws -> ContractValue {
        if text.hasPrefix("[") {
            guard text.hasSuffix("]") else {
                throw ContractSyntaxError(line: line.number, description: "a flow sequence must end on its line")
            }
            return .list(
                try text.dropFirst().dropLast().split(separator: ",").map { element in
                    try scalar(String(element.drop { $0 == " " }), line)
                }
            )
        }
        if text.hasPrefix("\"") {
            guard case .text(let value) = try ContractValue(json: Array(text.utf8)) else {
                throw ContractSyntaxError(line: line.number, description: "a quoted text is expected")
            }
            return .text(value)
        }
        switch text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default: return Int64(text).map { .number($0) } ?? .text(text)
        }
    }
}
