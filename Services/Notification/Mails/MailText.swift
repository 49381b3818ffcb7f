import ShopEvents

/// What a customer reads: the content in the words of a language.
///
/// Pure: the same content and the same templates always make the same text, so that a second copy is one.
struct MailText: Sendable, Equatable {
    /// The language, as a tag.
    let language: String
    let subject: String
    let text: String
    /// The same as a page; nil where the mail has its text alone.
    let page: String?

    /// - Parameter shop: how the shop signs.
    init(_ content: MailContent, in templates: MailTemplates, shop: String) {
        let language = templates.language(for: content.customer.locale)
        var values = content.values
        values["customer"] = content.customer.name.onOneLine
        values["order"] = content.orderID.onOneLine
        values["shop"] = shop.onOneLine
        if let reason = content.reason { values["because"] = language.reasons[reason] ?? language.reasons["otherwise"] }
        let words = language.mails[content.kind]
        self.language = language.tag
        subject = String((words?.subject.text(values) ?? "").onOneLine[...].trimmed)
        text = MailText.withoutGaps(words?.text.text(values) ?? "")
        page = words?.page?.text(values, escape: MailText.escaped)
    }

    /// A text in which a character that a page reads as its own stands for itself, between tags and in quotes.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "'": result += "&#39;"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// Paragraphs with one empty line between them, whatever was left out.
    private static func withoutGaps(_ text: String) -> String {
        var lines: [Substring] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.isEmpty, lines.last?.isEmpty ?? true { continue }
            lines.append(line)
        }
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines.joined(separator: "\n") + "\n"
    }
}
