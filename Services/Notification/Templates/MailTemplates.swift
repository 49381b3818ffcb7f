/// The words of all mails in all languages.
///
/// Checked as a whole when it is made, so that no mail can fail for its words. A pure value.
struct MailTemplates: Sendable {
    /// The words of one mail.
    struct Words: Sendable {
        let subject: Template
        let text: Template
        /// nil: the mail has its text alone.
        let page: Template?
    }

    /// One language.
    struct Language: Sendable {
        /// Its tag in lower case.
        let tag: String
        fileprivate(set) var mails: [MailKind: Words] = [:]
        /// By code; `otherwise` is there.
        fileprivate(set) var reasons: [String: String] = [:]
    }

    private let languages: [String: Language]
    private let fallback: Language

    /// Reads the files; of two with the same name the later one counts.
    ///
    /// Whoever gives a mail other words gives it a page too, or it has none: a page of the earlier files would say
    /// something else than the text.
    ///
    /// - Parameters:
    ///   - files: those built in first, then the user's, if any.
    ///   - fallback: the tag of the language for customers who named none, or none that there is.
    /// - Throws: `TemplateFaults`: all of them, each file's first.
    init(_ layers: [[TemplateFile]], fallback: String) throws(TemplateFaults) {
        var faults: [TemplateFault] = []
        var found: [String: [TemplateFile.Role: TemplateFile]] = [:]
        for layer in layers {
            for file in layer where !file.role.isPage {
                found[file.language, default: [:]][file.role] = file
                if case .text(let kind) = file.role { found[file.language]?[.page(kind)] = nil }
            }
            for file in layer where file.role.isPage { found[file.language, default: [:]][file.role] = file }
        }
        var languages: [String: Language] = [:]
        for (tag, files) in found.sorted(by: { $0.key < $1.key }) {
            languages[tag] = Self.language(tag, files, &faults)
        }
        if languages[fallback.lowercased()] == nil {
            faults.append(
                TemplateFault(path: "NOTIFICATION_LANGUAGE", line: nil, what: "there are no templates in \(fallback)")
            )
        }
        guard faults.isEmpty, let language = languages[fallback.lowercased()] else {
            throw TemplateFaults(faults: faults)
        }
        self.languages = languages
        self.fallback = language
    }

    /// The language for a customer: `ko` for `ko-KR` where there is no `ko-KR`, else the one for all.
    func language(for locale: String?) -> Language {
        var groups = (locale ?? "").lowercased().split(separator: "-")
        while !groups.isEmpty {
            if let language = languages[groups.joined(separator: "-")] { return language }
            groups.removeLast()
        }
        return fallback
    }

    private static func language(
        _ tag: String,
        _ files: [TemplateFile.Role: TemplateFile],
        _ faults: inout [TemplateFault]
    ) -> Language {
        var language = Language(tag: tag)
        for kind in MailKind.allCases {
            guard let text = files[.text(kind)] else {
                faults.append(missing("\(kind.rawValue).\(tag).txt"))
                continue
            }
            do throws(TemplateFault) {
                language.mails[kind] = try words(of: text, files[.page(kind)], kind)
            } catch {
                faults.append(error)
            }
        }
        guard let reasons = files[.reasons] else {
            faults.append(missing("reasons.\(tag).txt"))
            return language
        }
        do throws(TemplateFault) {
            language.reasons = try Self.reasons(in: reasons)
        } catch {
            faults.append(error)
        }
        return language
    }

    private static func missing(_ name: String) -> TemplateFault {
        TemplateFault(path: name, line: nil, what: "it is missing; a language has all mails and its reasons")
    }

    /// The subject in the first line, an empty one, and the text.
    private static func words(
        of file: TemplateFile,
        _ page: TemplateFile?,
        _ kind: MailKind
    ) throws(TemplateFault) -> Words {
        let mark = "Subject:"
        guard let first = file.lines.first, first.text.hasPrefix(mark) else {
            throw file.start.fault("the first line must be Subject: and what it is")
        }
        let subject = TemplateFile.Line(
            path: first.path,
            number: first.number,
            text: String(first.text.dropFirst(mark.count).trimmed)
        )
        guard !subject.text.isEmpty else { throw first.fault("the subject is empty") }
        if file.lines.count > 1, !file.lines[1].text.trimmed.isEmpty {
            throw file.lines[1].fault("the line after the subject must be empty")
        }
        guard file.lines.dropFirst(2).contains(where: { !$0.text.trimmed.isEmpty }) else {
            throw first.fault("there is no text after the subject")
        }
        return Words(
            subject: try Template([subject], names: kind.names),
            text: try Template(file.lines.dropFirst(2), names: kind.names),
            page: try page.map { page throws(TemplateFault) in try Template(page.lines, names: kind.names) }
        )
    }

    /// Lines of `code: words`; those that begin with `#` are remarks.
    private static func reasons(in file: TemplateFile) throws(TemplateFault) -> [String: String] {
        var reasons: [String: String] = [:]
        for line in file.lines {
            let text = line.text.trimmed
            guard !text.isEmpty, !text.hasPrefix("#") else { continue }
            guard let colon = text.firstIndex(of: ":") else { throw line.fault("it must be CODE: WORDS") }
            let (code, words) = (String(text[..<colon].trimmed), String(text[text.index(after: colon)...].trimmed))
            guard !code.isEmpty, !words.isEmpty else { throw line.fault("it must be CODE: WORDS") }
            guard reasons.updateValue(words, forKey: code) == nil else { throw line.fault("\(code) is there twice") }
        }
        guard reasons["otherwise"] != nil else {
            throw file.start.fault("otherwise: is missing, the words for codes that are not here")
        }
        return reasons
    }
}

extension TemplateFile.Role {
    fileprivate var isPage: Bool {
        if case .page = self { true } else { false }
    }
}
