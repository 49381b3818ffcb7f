/// Where mails go, taken from a URL, and what has to be so before they do.
struct SMTPServer: Sendable {
    /// The URL without credentials and query.
    let url: String
    let credentials: (user: String, password: String)?
    /// When to go over to TLS; nil where the connection begins with it.
    let startTLS: SMTPClient.StartTLS?
    /// What the client calls itself; nil for the machine's name.
    let helloName: String?

    init(_ text: String, startTLS: SMTPClient.StartTLS = .auto, helloName: String? = nil) throws(SMTPFailure) {
        func failure(_ reason: String) -> SMTPFailure {
            SMTPFailure(
                replyCode: nil,
                reason: "\(redactedURL(text)) is no SMTP server's URL: \(reason)",
                isPermanent: true
            )
        }
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw failure("it holds characters that must be percent-encoded")
        }
        guard let parts = URLParts(text) else {
            throw failure("it must look like smtp://user:password@host:port, percent-encoded")
        }
        guard ["smtp", "smtps"].contains(parts.scheme) else { throw failure("it must start with smtp:// or smtps://") }
        guard parts.path == "/" else { throw failure("it has a path") }
        var startTLS = startTLS
        guard let options = FormURLEncoded.decode((parts.query ?? "").utf8) else {
            throw failure("its options cannot be read")
        }
        for option in options {
            guard option.name == "starttls", let value = SMTPClient.StartTLS(rawValue: option.value) else {
                throw failure("the only option is starttls=auto, required or never")
            }
            startTLS = value
        }
        guard parts.scheme == "smtp" || options.isEmpty else {
            throw failure("smtps has TLS from the start, without STARTTLS")
        }
        if let helloName {
            guard SMTPClient.isHelloName(helloName) else {
                throw SMTPFailure(replyCode: nil, reason: "the name for EHLO is no host's", isPermanent: true)
            }
        }
        url = "\(parts.scheme)://\(parts.authority)"
        self.helloName = helloName
        credentials = parts.user.map { ($0, parts.password ?? "") }
        guard parts.scheme == "smtp" else {
            self.startTLS = nil
            return
        }
        let isHere = ["localhost", "::1"].contains(parts.host.lowercased()) || Self.isLoopbackIPv4(parts.host)
        let demandsIt = startTLS == .auto && parts.user != nil && !isHere
        self.startTLS = demandsIt ? .required : startTLS
    }

    /// Whether it is an address of 127.0.0.0/8, not a name that begins like one.
    private static func isLoopbackIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
