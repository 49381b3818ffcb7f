/// One file of templates: `confirmed.en.txt`, `confirmed.en.html` or `reasons.en.txt`.
struct TemplateFile: Sendable {
    /// A line of it.
    struct Line: Sendable {
        /// How people find the file.
        let path: String
        /// From 1.
        let number: Int
        let text: String

        func fault(_ what: String) -> TemplateFault { TemplateFault(path: path, line: number, what: what) }
    }

    /// What it is for.
    enum Role: Hashable, Sendable {
        /// The subject and the text of a mail.
        case text(MailKind)
        /// The same mail as a page.
        case page(MailKind)
        /// The words for codes of reasons.
        case reasons
    }

    let role: Role
    /// The language tag in its name, in lower case.
    let language: String
    let lines: [Line]
    /// The first line, for what is wrong with the whole.
    let start: Line

    /// - Parameters:
    ///   - name: the file's own name.
    ///   - path: how people find it.
    /// - Throws: `TemplateFault` where its name is none of a template, or it is not UTF-8.
    init(name: String, path: String, bytes: [UInt8]) throws(TemplateFault) {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let role: Role? =
            switch (parts.count, parts.first, parts.last) {
            case (3, "reasons", "txt"): .reasons
            case (3, let kind?, "txt"): MailKind(rawValue: kind).map { .text($0) }
            case (3, let kind?, "html"): MailKind(rawValue: kind).map { .page($0) }
            default: nil
            }
        guard let role, Self.isLanguage(parts[1]) else {
            let kinds = MailKind.allCases.map(\.rawValue).joined(separator: ", ")
            throw TemplateFault(
                path: path,
                line: nil,
                what: "it must be called KIND.LANGUAGE.txt, KIND.LANGUAGE.html (KIND: \(kinds)) or reasons.LANGUAGE.txt"
            )
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            let good = bytes.indices.first { String(validating: bytes[...$0], as: UTF8.self) == nil } ?? 0
            let number = bytes[..<good].count { $0 == 0x0A } + 1
            throw TemplateFault(path: path, line: number, what: "it is not UTF-8")
        }
        self.role = role
        language = parts[1].lowercased()
        // Editors of some systems begin a file with a mark of its coding, and end lines with CR LF.
        let plain = text.unicodeScalars.first == "\u{FEFF}" ? text.unicodeScalars.dropFirst() : text.unicodeScalars[...]
        var texts = plain.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            String(String.UnicodeScalarView(line.last == "\r" ? line.dropLast() : line))
        }
        if texts.last?.isEmpty == true { texts.removeLast() }
        lines = texts.enumerated().map { Line(path: path, number: $0.offset + 1, text: $0.element) }
        start = Line(path: path, number: 1, text: texts.first ?? "")
    }

    /// Whether a text can be a language tag: letters and digits in groups, with hyphens between.
    private static func isLanguage(_ text: String) -> Bool {
        let groups = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        return groups.allSatisfy { group in
            (1...8).contains(group.count)
                && group.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                }
        }
    }
}

/// What is wrong with a template, and where.
struct TemplateFault: Error, Equatable, CustomStringConvertible {
    let path: String
    /// From 1; nil where it is the file itself.
    let line: Int?
    let what: String

    /// As compilers write it: `templates/confirmed.en.txt:3: what`.
    var description: String { "\(path)\(line.map { ":\($0)" } ?? ""): \(what)" }
}

/// All that is wrong with the templates.
struct TemplateFaults: Error, Equatable, CustomStringConvertible {
    let faults: [TemplateFault]

    var description: String { faults.map(\.description).joined(separator: "; ") }
}
