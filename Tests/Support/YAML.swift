import Foundation
public import JSON

/// What the YAML reader does not understand.
public struct YAMLFault: Error, CustomStringConvertible {
    let line: Int
    let what: String

    /// Line and fault.
    public var description: String { "line \(line): \(what)" }
}

/// Reads the part of YAML that the contracts keep to: block and flow mappings and sequences, plain and double-quoted
/// scalars, folded (`>-`) and literal (`|`) text, whole-line comments.
public struct YAML {
    private struct Line {
        let number: Int
        let indent: Int
        let text: String
    }

    private var lines: [Line] = []
    private var position = 0

    /// Reads a file of this repository, by its path from the root.
    public static func read(_ path: String) throws -> JSONValue {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try parse(try String(contentsOf: root.appending(path: path), encoding: .utf8))
    }

    /// Reads a document.
    public static func parse(_ text: String) throws -> JSONValue {
        var reader = YAML(text)
        let value = try reader.block(indent: 0)
        guard reader.position == reader.lines.count else { throw reader.fault("is too far to the left") }
        return value
    }

    private init(_ text: String) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let content = line.drop { $0 == " " }
            guard !content.isEmpty, content.first != "#" else { continue }
            lines.append(Line(number: index + 1, indent: line.count - content.count, text: String(content)))
        }
    }

    private func fault(_ what: String) -> YAMLFault {
        YAMLFault(line: position < lines.count ? lines[position].number : 0, what: what)
    }

    private mutating func block(indent: Int) throws -> JSONValue {
        guard position < lines.count, lines[position].indent == indent else { return .null }
        return lines[position].text.hasPrefix("- ") ? try sequence(indent) : try mapping(indent)
    }

    private mutating func sequence(_ indent: Int) throws -> JSONValue {
        var elements: [JSONValue] = []
        while position < lines.count, lines[position].indent == indent, lines[position].text.hasPrefix("- ") {
            let line = lines[position]
            let rest = String(line.text.dropFirst(2))
            if Self.splitKey(rest) == nil {
                elements.append(try scalar(rest, indent))
            } else {
                lines[position] = Line(number: line.number, indent: indent + 2, text: rest)
                elements.append(try mapping(indent + 2))
            }
        }
        return .array(elements)
    }

    private mutating func mapping(_ indent: Int) throws -> JSONValue {
        var result: [String: JSONValue] = [:]
        while position < lines.count, lines[position].indent == indent, !lines[position].text.hasPrefix("- ") {
            guard let (key, rest) = Self.splitKey(lines[position].text) else { throw fault("a key is expected") }
            guard result[key] == nil else { throw fault("the key \(key) is there twice") }
            if rest.isEmpty {
                position += 1
                let next = position < lines.count ? lines[position].indent : 0
                result[key] = next > indent ? try block(indent: next) : .null
            } else {
                result[key] = try scalar(rest, indent)
            }
        }
        if position < lines.count, lines[position].indent > indent { throw fault("is too far indented") }
        return .object(result)
    }

    /// Key and value of a line, nil where it has none.
    private static func splitKey(_ text: String) -> (key: String, rest: String)? {
        guard text.first != "[", text.first != "{" else { return nil }
        if text.first == "\"" {
            guard let end = text.dropFirst().firstIndex(of: "\"") else { return nil }
            let rest = text[text.index(after: end)...]
            guard rest.hasPrefix(":") else { return nil }
            return (String(text[..<end].dropFirst()), String(rest.dropFirst(2)))
        }
        if text.hasSuffix(":") { return (String(text.dropLast()), "") }
        guard let range = text.firstRange(of: ": ") else { return nil }
        return (String(text[..<range.lowerBound]), String(text[range.upperBound...]))
    }

    /// Reads what stands behind a key or a dash, and the lines that belong to it.
    private mutating func scalar(_ text: String, _ indent: Int) throws -> JSONValue {
        switch text {
        case ">-": return .string(further(indent).joined(separator: " "))
        case "|": return .string(further(indent).map { $0 + "\n" }.joined())
        default: break
        }
        guard text.first == "[" || text.first == "{" else {
            defer { position += 1 }
            return try plain(text)
        }
        // A flow goes on until its brackets are closed.
        var whole = text
        while true {
            var flow = Substring(whole)
            if let value = try? self.flow(&flow), flow.allSatisfy({ $0 == " " }) {
                position += 1
                return value
            }
            guard position + 1 < lines.count, lines[position + 1].indent > indent else {
                throw fault("a flow does not end")
            }
            position += 1
            whole += " " + lines[position].text
        }
    }

    /// The lines below the present one that are indented further.
    private mutating func further(_ indent: Int) -> [String] {
        var texts: [String] = []
        position += 1
        while position < lines.count, lines[position].indent > indent {
            texts.append(lines[position].text)
            position += 1
        }
        return texts
    }

    private func flow(_ text: inout Substring) throws -> JSONValue {
        func skipSpaces() { text = text.drop { $0 == " " } }
        func take(_ character: Character) -> Bool {
            skipSpaces()
            guard text.first == character else { return false }
            text.removeFirst()
            return true
        }
        func next(_ end: Character) throws -> Bool {
            if take(",") { return true }
            guard take(end) else { throw fault("a comma or \(end) is expected") }
            return false
        }
        if take("[") {
            var elements: [JSONValue] = []
            if take("]") { return .array([]) }
            repeat { elements.append(try flow(&text)) } while try next("]")
            return .array(elements)
        }
        if take("{") {
            var members: [String: JSONValue] = [:]
            if take("}") { return .object([:]) }
            repeat {
                guard let key = try token(&text, until: ":").text, take(":") else { throw fault("a key is expected") }
                members[key] = try flow(&text)
            } while try next("}")
            return .object(members)
        }
        return try token(&text, until: ",")
    }

    /// A scalar in a flow.
    private func token(_ text: inout Substring, until end: Character) throws -> JSONValue {
        text = text.drop { $0 == " " }
        if text.first == "\"" {
            var length = 1
            var isEscaped = false
            for character in text.dropFirst() {
                length += 1
                if !isEscaped, character == "\"" { break }
                isEscaped = !isEscaped && character == "\\"
            }
            defer { text = text.dropFirst(length) }
            return try JSONValue(parsing: Array(text.prefix(length).utf8))
        }
        let token = text.prefix { $0 != end && $0 != "}" && $0 != "]" && $0 != "," }
        text = text.dropFirst(token.count)
        let value = try plain(String(token.reversed().drop { $0 == " " }.reversed()))
        // A key is text, whatever it looks like.
        return end == ":" ? .string(String(token)) : value
    }

    private func plain(_ text: String) throws -> JSONValue {
        if text.hasPrefix("\"") { return try JSONValue(parsing: Array(text.utf8)) }
        switch text {
        case "true": return .bool(true)
        case "false": return .bool(false)
        case "null": return .null
        default: return Int64(text).map { .integer($0) } ?? Double(text).map { .number($0) } ?? .string(text)
        }
    }
}
