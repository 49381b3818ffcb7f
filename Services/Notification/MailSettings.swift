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
    static let timeout = Setting.duration(
        "MAIL_TIMEOUT",
        default: "10m",
        in: .milliseconds(100)...(.seconds(3600)),
        help: "How long one mail may take until the server has taken it."
    )

    static let all = [
        smtpURL.declaration, startTLS.declaration, helloName.declaration, from.declaration, timeout.declaration,
    ]
}
