/// A mail with a text body, and the same as a page where there is one.
///
/// What it holds has been checked: nothing in it can become a header or a command of its own.
public struct Mail: Sendable {
    /// The identifier, without angle brackets; the same for every copy of the mail.
    public let messageID: String
    /// The sender: `shop@warren.example` or `Warren <shop@warren.example>`.
    public let from: String
    /// The recipient, in the same forms.
    public let to: String
    /// The subject; any characters but control characters.
    public let subject: String
    /// The body; any characters, lines ended as they may be.
    public let text: String
    /// The same as HTML; nil where there is the text alone.
    public let page: String?
    /// In which language it is written, a tag such as `ko`; nil where that is not said.
    public let language: String?
    /// The date as RFC 5322 writes it: `Thu, 01 Jan 2026 00:00:00 +0000`.
    public let date: String

    let sender: MailAddress
    let recipient: MailAddress

    /// Makes a mail.
    ///
    /// - Throws: `SMTPFailure` when an address or header holds a control character or a line separator, or an address is none.
    public init(
        messageID: String,
        from: String,
        to: String,
        subject: String,
        text: String,
        page: String? = nil,
        language: String? = nil,
        date: String
    ) throws {
        for (name, value) in [("message id", messageID), ("subject", subject), ("date", date)] {
            guard value.isSafeInHeader else { throw Self.failure("the \(name) holds control characters") }
        }
        sender = try MailAddress(from, "sender's address")
        recipient = try MailAddress(to, "recipient's address")
        let isBracketed = messageID.hasPrefix("<") && messageID.hasSuffix(">")
        self.messageID = isBracketed ? String(messageID.dropFirst().dropLast()) : messageID
        guard MailAddress.isAddress(self.messageID) else { throw Self.failure("the message id must look like id@host") }
        guard !date.isEmpty, date.utf8.allSatisfy({ $0 < 0x80 }) else { throw Self.failure("the date is not one") }
        if let language {
            guard language.utf8.allSatisfy(isTokenByte) else { throw Self.failure("the language is no tag of one") }
        }
        self.page = page
        self.language = language
        self.from = from
        self.to = to
        self.subject = subject
        self.text = text
        self.date = date
    }

    /// The whole message (RFC 5322, RFC 2045), lines ended by CRLF; dots at their start are not yet doubled.
    ///
    /// A mail with a page has both in a `multipart/alternative` (RFC 2046, section 5.1.4), the page last: programs show the
    /// last one that they can.
    var message: [UInt8] {
        var headers = [
            "Date: \(date)",
            sender.header("From"),
            recipient.header("To"),
            "Message-ID: <\(messageID)>",
            "Subject: \(EncodedWord.encode(subject, column: "Subject: ".utf8.count))",
            "MIME-Version: 1.0",
        ]
        headers +=
            page == nil
            ? Self.partHeaders("plain") : ["Content-Type: multipart/alternative; boundary=\"\(Self.boundary)\""]
        if let language { headers.append("Content-Language: \(language)") }
        // Answers of absence assistants are of no use to anyone (RFC 3834).
        headers.append("Auto-Submitted: auto-generated")
        let head = Array((headers.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        guard let page else { return head + QuotedPrintable.encode(text) }
        return head + Self.part("plain", text) + Self.part("html", page) + Array("--\(Self.boundary)--\r\n".utf8)
    }

    /// No line of a part is like it: quoted-printable writes `=` as `=3D`, and never puts `_` behind one.
    private static let boundary = "=_alternative"

    private static func part(_ kind: String, _ content: String) -> [UInt8] {
        let head = (["--\(boundary)"] + partHeaders(kind)).joined(separator: "\r\n") + "\r\n\r\n"
        // The line end before a boundary is the boundary's.
        return Array(head.utf8) + QuotedPrintable.encode(content) + Array("\r\n".utf8)
    }

    private static func partHeaders(_ kind: String) -> [String] {
        ["Content-Type: text/\(kind); charset=utf-8", "Content-Transfer-Encoding: quoted-printable"]
    }

    static func failure(_ reason: String) -> SMTPFailure {
        SMTPFailure(replyCode: nil, reason: "the mail cannot be sent: \(reason)", isPermanent: true)
    }
}

/// An address of a mail, with the name that may stand before it.
struct MailAddress: Sendable {
    let name: String
    /// What goes into the SMTP commands.
    let address: String

    init(_ text: String, _ what: String) throws(SMTPFailure) {
        guard text.isSafeInHeader else { throw Mail.failure("the \(what) holds control characters") }
        var name = ""
        var address = text
        if text.hasSuffix(">"), let open = text.lastIndex(of: "<") {
            name = String(text[..<open])
            while name.hasSuffix(" ") { name.removeLast() }
            if name.count >= 2, name.hasPrefix("\""), name.hasSuffix("\"") {
                name = String(name.dropFirst().dropLast())
            }
            address = String(text[text.index(after: open)...].dropLast())
        }
        guard Self.isAddress(address) else { throw Mail.failure("the \(what) is not one") }
        self.name = name
        self.address = address
    }

    /// `user@host`, in ASCII and without anything that would have to be quoted.
    static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && parts.allSatisfy { !$0.isEmpty }
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"<>()[]\\,;:\"".utf8.contains($0) }
    }

    /// The header of that name with the address.
    func header(_ field: String) -> String {
        let start = "\(field): "
        if name.isEmpty { return start + address }
        let isPlain = name.utf8.allSatisfy { isTokenByte($0) || $0 == UInt8(ascii: " ") }
        let text = start + EncodedWord.encode(name, column: start.utf8.count, always: !isPlain)
        let lineStart = text.utf8.lastIndex(of: 0x0A).map(text.utf8.index(after:)) ?? text.startIndex
        let length = text.utf8[lineStart...].count + address.utf8.count + 3
        let isEncoded = text.contains("=?")
        return "\(text)\(length > (isEncoded ? EncodedWord.maximumLine : 998) ? "\r\n" : "") <\(address)>"
    }
}

extension String {
    /// No control characters (00-1F, 7F, C1) and no line or paragraph separators.
    fileprivate var isSafeInHeader: Bool {
        unicodeScalars.allSatisfy {
            $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) && $0.value != 0x2028 && $0.value != 0x2029
        }
    }
}
