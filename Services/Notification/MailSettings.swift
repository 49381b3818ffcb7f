import HTTP
import ServiceKit
import ShopEvents

/// The settings of this service alone.
enum MailSettings {
    static let smtpURL = Setting.url(
        "MAIL_SMTP_URL",
        default: "smtp://127.0.0.1:1025",
        schemes: ["smtp", "smtps"],
        help: "The SMTP server that takes the mails, with credentials where it wants them."
    )
    static let startTLS = Setting<SMTPClient.StartTLS>.choice(
        "MAIL_STARTTLS",
        default: .auto,
        help: """
            When to go over to TLS: auto where the server offers it, and always before credentials are shown to another \
            machine. Certificates are verified.
            """
    )
    static let helloName = Setting<String?>(
        "MAIL_EHLO",
        default: "",
        expected: "a host's name or an address in brackets",
        help: "What the service calls itself to the mail server.",
        defaultNote: "the machine's name"
    ) { text in
        text.isEmpty ? .some(nil) : SMTPClient.isHelloName(text) ? text : nil
    }
    static let from = Setting<EmailAddress>(
        "MAIL_FROM",
        default: "shop@warren.example",
        expected: "an e-mail address",
        help: "Who the mails are from; its domain ends their Message-IDs.",
        parse: EmailAddress.init
    )
    static let fromName = Setting<String>(
        "MAIL_FROM_NAME",
        default: "Warren",
        expected: "a name on one line, without < and >",
        help: "What mail programs show as the sender, and how mails are signed."
    ) { text in
        text == text.onOneLine && text.unicodeScalars.count <= 200 && !text.contains(where: "<>\"".contains)
            ? text : nil
    }
    static let templates = Setting<String?>.optionalText(
        "NOTIFICATION_TEMPLATES",
        help: "A folder with templates that take the place of those built in, file by file, or add languages."
    )
    static let language = Setting<String>(
        "NOTIFICATION_LANGUAGE",
        default: "en",
        expected: "a language tag such as en or ko",
        help: "In which language customers read who named none, or none that there are templates in."
    ) { text in Customer.isLocale(text) ? text : nil }
    static let timeout = Setting.duration(
        "MAIL_TIMEOUT",
        default: "10m",
        in: .milliseconds(100)...(.seconds(3600)),
        help: "How long one mail may take until the server has taken it."
    )

    static let connections = Setting.integer(
        "MAIL_CONNECTIONS",
        default: 4,
        in: 1...64,
        help: "How many connections to the mail server there are at most. After a 421 there are fewer for a while."
    )
    static let recipientLimit = Setting.integer(
        "MAIL_RECIPIENT_LIMIT",
        default: 100,
        in: 0...10_000,
        help: "How many mails one address gets within an hour; the others wait. 0: all at once."
    )

    static let all = [
        smtpURL.declaration, startTLS.declaration, helloName.declaration, from.declaration, fromName.declaration,
        templates.declaration, language.declaration, timeout.declaration, connections.declaration,
        recipientLimit.declaration,
    ]
}
