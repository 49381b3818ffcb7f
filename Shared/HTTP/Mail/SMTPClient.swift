/// A client that hands mails to an SMTP server through libcurl, on a thread of its own and over connections that are reused.
///
/// Safe to use from any thread.
public final class SMTPClient: Sendable {
    private let server: SMTPServer
    private let timeout: Duration
    private let connectTimeout: Duration
    private let certificateAuthorities: String?
    private let loop = CurlLoop(name: "smtp-client")

    /// Makes a client; its thread starts with the first mail.
    ///
    /// - Parameters:
    ///   - url: `smtp://host:port` or `smtps://…`, with optional credentials (`smtp://user:password@host`, percent-encoded).
    ///     `smtp://…?starttls=required` goes over to TLS before anything of worth is said, or fails. Certificates are verified.
    ///   - timeout: the longest that a mail may take; what the server does after the final dot can take its time, and giving
    ///     up early makes second copies, so RFC 5321 asks for 10 minutes.
    ///   - connectTimeout: the longest that it may take until mails can be handed over: resolving the name, connecting, the
    ///     TLS handshake, and also the server's greeting, its reply to `EHLO`, STARTTLS and the login, which libcurl counts as
    ///     connecting (`CURLOPT_CONNECTTIMEOUT`: "all protocol handshakes and negotiations"). Servers that make strangers
    ///     wait for their greeting take half a minute; RFC 5321 would have 5 minutes for it.
    ///   - certificateAuthorities: a PEM file with the authorities to trust, in place of the system's.
    /// - Throws: `SMTPFailure` when the URL is none.
    public init(
        url: String,
        timeout: Duration = .seconds(600),
        connectTimeout: Duration = .seconds(60),
        certificateAuthorities: String? = nil
    ) throws {
        server = try SMTPServer(url)
        self.timeout = timeout
        self.connectTimeout = connectTimeout
        self.certificateAuthorities = certificateAuthorities
    }

    deinit { loop.close() }

    /// Returns after the server took the mail (250 after the final dot).
    ///
    /// Cancelling the task ends the transfer; the mail may have been taken then, as after every failure without a reply.
    ///
    /// - Throws: `SMTPFailure`.
    public func send(_ mail: Mail) async throws {
        let transfer = SMTPTransfer(
            mail,
            server: server,
            timeout: timeout,
            connectTimeout: connectTimeout,
            certificateAuthorities: certificateAuthorities
        )
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                transfer.continuation = continuation
                loop.start(transfer)
            }
        } onCancel: {
            loop.cancel(transfer)
        }
    }

    /// Ends transfers in flight and the thread; later mails fail.
    public func close() { loop.close() }
}

/// Where mails go, taken from a URL.
struct SMTPServer: Sendable {
    /// The URL without credentials and query.
    let url: String
    let credentials: (user: String, password: String)?
    let requiresStartTLS: Bool

    init(_ text: String) throws(SMTPFailure) {
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
        guard let separator = text.firstRange(of: "://") else {
            throw failure("it must start with smtp:// or smtps://")
        }
        let scheme = text[..<separator.lowerBound].lowercased()
        guard scheme == "smtp" || scheme == "smtps" else { throw failure("it must start with smtp:// or smtps://") }
        let rest = text[separator.upperBound...]
        let place = rest.prefix { $0 != "?" }
        guard let options = FormURLEncoded.decode(rest.dropFirst(place.count + 1).utf8) else {
            throw failure("its options cannot be read")
        }
        var requiresStartTLS = false
        for option in options {
            guard option.name == "starttls", option.value == "required" else {
                throw failure("the only option is starttls=required")
            }
            requiresStartTLS = true
        }
        guard !requiresStartTLS || scheme == "smtp" else {
            throw failure("smtps has TLS from the start, without STARTTLS")
        }
        let authority = place.hasSuffix("/") ? place.dropLast() : place
        let host = authority.lastIndex(of: "@").map { authority[authority.index(after: $0)...] } ?? authority
        guard !host.isEmpty, !host.hasPrefix(":"), !host.contains("/") else { throw failure("it names no host") }
        url = "\(scheme)://\(host)"
        self.requiresStartTLS = requiresStartTLS
        guard host.count < authority.count else {
            credentials = nil
            return
        }
        let parts = authority.dropLast(host.count + 1).split(
            separator: ":",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        guard
            let user = PercentEncoding.decode(parts[0].utf8, plusIsSpace: false),
            let password = PercentEncoding.decode((parts.count > 1 ? parts[1] : "").utf8, plusIsSpace: false)
        else { throw failure("its credentials are not percent-encoded as they should be") }
        credentials = (user, password)
    }
}
