/// A text with places for values: a small part of Mustache.
///
/// `{{name}}` stands for a value; `{{#name}}…{{/name}}` is there where there is such a value, `{{^name}}…{{/name}}` where there is
/// none; `{{! … }}` is a remark. A line that holds one of the latter three alone leaves no line behind. Nothing of a value is
/// ever read as a template. A pure value.
struct Template: Sendable, Equatable {
    private enum Piece: Sendable, Equatable {
        case text(String)
        case value(String)
        indirect case section(String, whereThere: Bool, [Piece])
    }

    private var pieces: [Piece] = []

    /// Reads a template.
    ///
    /// - Parameters:
    ///   - lines: the lines of the file that are the template, with their numbers.
    ///   - names: the values that there may be.
    /// - Throws: `TemplateFault`, the first one.
    init(_ lines: some Sequence<TemplateFile.Line>, names: Set<String>) throws(TemplateFault) {
        var open = Open()
        for line in lines {
            var rest = line.text[...]
            let start = rest.drop { $0 == " " || $0 == "\t" }
            if start.hasPrefix("{{"), let end = Self.tagEnd(of: start),
                start[end...].allSatisfy({ $0 == " " || $0 == "\t" }),
                let tag = try Tag(start[..<end], in: line, names), tag.leavesNoLine
            {
                try open.take(tag, in: line)
                continue
            }
            while let brace = rest.firstRange(ofBraces: "{{") {
                open.add(.text(String(rest[..<brace])))
                rest = rest[brace...]
                guard let end = Self.tagEnd(of: rest) else { throw line.fault("{{ is not closed by }} on its line") }
                if let tag = try Tag(rest[..<end], in: line, names) { try open.take(tag, in: line) }
                rest = rest[end...]
            }
            open.add(.text(String(rest) + "\n"))
        }
        pieces = try open.end()
    }

    /// Where a tag that begins the text ends; nil where it does not.
    private static func tagEnd(of text: Substring) -> Substring.Index? {
        guard let close = text.firstRange(ofBraces: "}}") else { return nil }
        return text.index(close, offsetBy: 2)
    }

    /// The text with values in it.
    ///
    /// - Parameters:
    ///   - values: by name; one that is missing is not there.
    ///   - escape: what is made of a value before it is put in.
    func text(_ values: [String: String], escape: (String) -> String = { $0 }) -> String {
        var result = ""
        Self.write(pieces, values, escape, to: &result)
        return result
    }

    private static func write(
        _ pieces: [Piece],
        _ values: [String: String],
        _ escape: (String) -> String,
        to result: inout String
    ) {
        for piece in pieces {
            switch piece {
            case .text(let text): result += text
            case .value(let name): result += escape(values[name] ?? "")
            case .section(let name, let whereThere, let inner):
                if (values[name] != nil) == whereThere { write(inner, values, escape, to: &result) }
            }
        }
    }

    /// What stands between double braces.
    private struct Tag {
        enum Kind { case value, section, without, end, remark }

        let kind: Kind
        let name: String

        var leavesNoLine: Bool { kind != .value }

        /// - Returns: nil where it says nothing.
        init?(_ text: Substring, in line: TemplateFile.Line, _ names: Set<String>) throws(TemplateFault) {
            var inner = text.dropFirst(2).dropLast(2)
            guard inner.first != "{", inner.first != "&" else {
                throw line.fault("values are always escaped as the file needs it; write {{name}}")
            }
            kind =
                switch inner.first {
                case "#": .section
                case "^": .without
                case "/": .end
                case "!": .remark
                default: .value
                }
            if kind != .value { inner = inner.dropFirst() }
            name = String(inner.trimmed)
            guard kind != .remark else { return }
            guard names.contains(name) else {
                throw line.fault("{{\(name)}} is not among \(names.sorted().joined(separator: ", "))")
            }
        }
    }

    /// What has been read, with the sections that are open.
    private struct Open {
        private struct Section {
            let name: String
            let whereThere: Bool
            let line: TemplateFile.Line
            var pieces: [Piece] = []
        }

        private var whole: [Piece] = []
        private var sections: [Section] = []

        mutating func add(_ piece: Piece) {
            if case .text("") = piece { return }
            if sections.isEmpty { whole.append(piece) } else { sections[sections.count - 1].pieces.append(piece) }
        }

        mutating func take(_ tag: Tag, in line: TemplateFile.Line) throws(TemplateFault) {
            switch tag.kind {
            case .remark: break
            case .value: add(.value(tag.name))
            case .section, .without:
                sections.append(Section(name: tag.name, whereThere: tag.kind == .section, line: line))
            case .end:
                guard let section = sections.popLast() else {
                    throw line.fault("{{/\(tag.name)}} ends nothing that is open")
                }
                guard section.name == tag.name else {
                    throw line.fault(
                        "{{/\(tag.name)}} ends another section than {{#\(section.name)}} of line \(section.line.number)"
                    )
                }
                add(.section(section.name, whereThere: section.whereThere, section.pieces))
            }
        }

        func end() throws(TemplateFault) -> [Piece] {
            if let section = sections.last { throw section.line.fault("{{#\(section.name)}} has no end") }
            return whole
        }
    }
}

extension Substring {
    fileprivate func firstRange(ofBraces braces: String) -> Index? {
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(braces) { return index }
            formIndex(after: &index)
        }
        return nil
    }
}

extension StringProtocol where SubSequence == Substring {
    /// Without the blanks around it.
    var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return text
    }
}
